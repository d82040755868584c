/** The HTTP/2 connections of one endpoint: requests share one until it is full, and one dial serves all who wait for it. */
import type { Socket } from 'node:net';
import { type DialMeans, dialSocket } from './dial.ts';
import type { ConnectionSource, ExchangeConnection } from './exchange-connection.ts';
import type { UpstreamFailure } from './failure.ts';
import { Http2Session, type Http2SessionOptions, type Http2SessionOwner } from './http2-session.ts';

/** One who waits for a connection. */
export interface Waiter {
  readonly servername: string;
  readonly onOpen: (connection: ExchangeConnection) => void;
  readonly onFailure: (failure: UpstreamFailure) => void;
  /** Where somebody else dials for it. */
  giveUp: (() => void) | null;
}

export interface Http2SessionsOptions {
  readonly maxConcurrentStreams: number;
  readonly streamWindowBytes: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly responseTimeoutMs: number;
  /** A TLS gear that may choose has chosen HTTP/1.1: the socket, and who has waited for it. */
  onHttp1(socket: Socket, waiters: readonly Waiter[]): void;
}

export class Http2Sessions implements ConnectionSource, Http2SessionOwner {
  readonly #means: DialMeans;
  readonly #options: Http2SessionsOptions;
  readonly #sessionOptions: Http2SessionOptions;
  readonly #protocols: readonly string[];
  /** All that are not closed; a few, since one takes a hundred requests. */
  readonly #sessions = new Set<Http2Session>();
  readonly #waiting: Waiter[] = [];
  /** Dials and sessions that are not usable yet, by server name. */
  readonly #dials = new Map<string, number>();
  /** How many streams the gear took on a connection when it was last asked. */
  #expected: number;
  /** Sockets that are not open yet. */
  #dialling = 0;
  #retired = false;

  constructor(means: DialMeans, options: Http2SessionsOptions) {
    this.#means = means;
    this.#options = options;
    this.#expected = options.maxConcurrentStreams;
    this.#protocols = means.endpoint.versions === 'both' ? ['h2', 'http/1.1'] : ['h2'];
    this.#sessionOptions = {
      scheme: means.endpoint.tls ? 'https' : 'http',
      maxConcurrentStreams: options.maxConcurrentStreams,
      streamWindowBytes: options.streamWindowBytes,
      patienceMs: options.connectTimeoutMs,
    };
  }

  /** Exchanges under way, and those that wait for a connection or connections for them. */
  get load(): number {
    let sum = Math.max(this.#waiting.length, this.#dialling);
    for (const session of this.#sessions) sum += session.load;
    return sum;
  }

  /** Connections with nothing under way. */
  get idle(): number {
    let sum = 0;
    for (const session of this.#sessions) if (session.load === 0) sum++;
    return sum;
  }

  take(servername: string): ExchangeConnection | null {
    const name = this.#nameOf(servername);
    for (const session of this.#sessions) {
      if (session.servername === name && session.room > 0) return session.open();
    }
    return null;
  }

  dial(
    servername: string,
    onOpen: (connection: ExchangeConnection) => void,
    onFailure: (failure: UpstreamFailure) => void,
  ): () => void {
    const waiter: Waiter = { servername: this.#nameOf(servername), onOpen, onFailure, giveUp: null };
    this.#waiting.push(waiter);
    this.#dialForWaiting(waiter.servername);
    return () => {
      const index = this.#waiting.indexOf(waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
      waiter.giveUp?.();
    };
  }

  /** `drained`: what is like a tunnel ends. `now` of performance.now(). */
  sweep(now: number, drained: boolean): void {
    const { idleTimeoutMs, responseTimeoutMs } = this.#options;
    for (const session of this.#sessions) session.sweep(now, idleTimeoutMs, responseTimeoutMs, drained);
  }

  /** The endpoint is gone: what is under way goes on, nothing else begins but what waits for a connection already. */
  retire(): void {
    this.#retired = true;
    for (const session of this.#sessions) session.drain();
  }

  /** Over TLS a connection serves the name only that it was made for; plain ones know no names. */
  #nameOf(servername: string): string {
    return this.#means.endpoint.tls ? servername : '';
  }

  #dialForWaiting(name: string): void {
    let waiting = 0;
    for (const waiter of this.#waiting) if (waiter.servername === name) waiting++;
    const wanted = Math.ceil(waiting / Math.max(1, this.#expected));
    for (let dials = this.#dials.get(name) ?? 0; dials < wanted; dials++) {
      this.#dials.set(name, dials + 1);
      this.#dialling++;
      dialSocket(
        this.#means,
        { servername: name, protocols: this.#protocols },
        (socket) => {
          this.#dialling--;
          this.#onSocket(socket, name);
        },
        (failure) => {
          this.#dialling--;
          this.#onDialFailure(name, failure);
        },
      );
    }
  }

  #onSocket(socket: Socket, name: string): void {
    const agreed = 'alpnProtocol' in socket ? socket.alpnProtocol : 'h2';
    if (agreed === 'h2') {
      this.#sessions.add(new Http2Session(this, socket, name, this.#sessionOptions));
    } else if (this.#means.endpoint.versions === 'both') {
      this.#settleDial(name);
      this.#options.onHttp1(socket, this.#takeWaiters(name));
    } else {
      socket.destroy();
      this.#onDialFailure(name, { code: 'CONNECT_HTTP2', detail: 'not agreed on by ALPN' });
    }
  }

  #onDialFailure(name: string, failure: UpstreamFailure): void {
    // While another one is under way, those who wait may still be lucky.
    if (this.#settleDial(name) > 0) return;
    for (const waiter of this.#takeWaiters(name)) waiter.onFailure(failure);
  }

  onUsable(session: Http2Session): void {
    const name = session.servername;
    this.#settleDial(name);
    this.#expected = session.limit;
    if (session.limit === 0) {
      // Another connection would be told the same.
      for (const waiter of this.#takeWaiters(name)) {
        waiter.onFailure({ code: 'STREAM_REFUSED', detail: 'the gear allows no streams' });
      }
      return;
    }
    while (session.room > 0) {
      const index = this.#waiting.findIndex((waiter) => waiter.servername === name);
      const [waiter] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (waiter === undefined) break;
      waiter.onOpen(session.open());
    }
    if (this.#retired) session.drain();
    this.#dialForWaiting(name);
  }

  onLeaving(session: Http2Session, usable: boolean, detail: string): void {
    if (!usable) this.#onDialFailure(session.servername, { code: 'CONNECT_HTTP2', detail });
  }

  onClosed(session: Http2Session): void {
    this.#sessions.delete(session);
  }

  /** One dial less; returns how many are left. */
  #settleDial(name: string): number {
    const left = (this.#dials.get(name) ?? 1) - 1;
    if (left > 0) this.#dials.set(name, left);
    else this.#dials.delete(name);
    return left;
  }

  #takeWaiters(name: string): readonly Waiter[] {
    const mine = this.#waiting.filter((waiter) => waiter.servername === name);
    const others = this.#waiting.filter((waiter) => waiter.servername !== name);
    this.#waiting.splice(0, this.#waiting.length, ...others);
    return mine;
  }
}
