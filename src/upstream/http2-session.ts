/**
 * One HTTP/2 connection to a gear: node:http2 does the framing, here is its life. It is usable once the gear's SETTINGS are here: then its
 * limits are known, and a gear that speaks something else is found out before it has seen any request.
 */
import http2, { type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { createEventBudget, type EventBudget } from './event-budget.ts';
import { Http2Exchange, type Http2ExchangeOwner } from './http2-exchange.ts';

const { NGHTTP2_NO_ERROR } = http2.constants;

const KEEP_ALIVE_MS = 30_000;
const MAX_HEAD_BYTES = 65_536;
const MAX_FIELDS = 256;
/** Body bytes in flight over all streams: node:http2 hands this window back at once, each stream's as its client takes bytes. */
const CONNECTION_WINDOW_BYTES = 4_194_304;
/** PING, SETTINGS and the like that a gear may send within the time: what is above is a flood, and costs the other tenants. */
const MAX_CONTROL_FRAMES = 1_000;
const FLOOD_WINDOW_MS = 10_000;
/** How long an answer to a PING takes on a healthy network, generously. */
const SUSPECT_MS = 500;
/** How long our last frames have to get out. */
const LINGER_MS = 2_000;

export interface Http2SessionOptions {
  readonly scheme: 'http' | 'https';
  readonly maxConcurrentStreams: number;
  readonly streamWindowBytes: number;
  /** For the first SETTINGS, and for the answer to a PING. */
  readonly patienceMs: number;
}

export interface Http2SessionOwner {
  /** Takes requests from now on. */
  onUsable(session: Http2Session): void;
  /** Takes no more; called once. `usable`: it did. Exchanges under way may go on. */
  onLeaving(session: Http2Session, usable: boolean, detail: string): void;
  /** Nothing is under way on it any more. */
  onClosed(session: Http2Session): void;
}

export class Http2Session implements Http2ExchangeOwner {
  readonly servername: string;
  readonly #owner: Http2SessionOwner;
  readonly #options: Http2SessionOptions;
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  readonly #exchanges = new Set<Http2Exchange>();
  readonly #controlFrames: EventBudget = createEventBudget(MAX_CONTROL_FRAMES, FLOOD_WINDOW_MS);
  readonly #settingsTimer: NodeJS.Timeout;
  #limit = 0;
  /** Streams that are not closed yet. */
  #streams = 0;
  #served = 0;
  #usable = false;
  #detail = '';
  leaving = false;
  gone = false;
  takesConnect = false;
  /** Of the exchanges under way. */
  #tunnels = 0;
  // Times of performance.now():
  #idleSince = performance.now();
  #heardAt = this.#idleSince;
  #pingedAt = 0;
  /** One PING a spell of silence: gRPC servers end connections that ask more often. */
  #asked = false;
  #leftAt = 0;

  /** Takes over a socket that is open. */
  constructor(owner: Http2SessionOwner, socket: Socket, servername: string, options: Http2SessionOptions) {
    this.#owner = owner;
    this.#socket = socket;
    this.servername = servername;
    this.#options = options;
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // A gear that ends its side is gone; half-open connections are of HTTP/1.1.
    socket.allowHalfOpen = false;
    const session = http2.connect(`${options.scheme}://gear.invalid`, {
      createConnection: () => socket,
      maxHeaderListPairs: MAX_FIELDS + 2,
      settings: {
        enablePush: false,
        initialWindowSize: options.streamWindowBytes,
        maxHeaderListSize: MAX_HEAD_BYTES,
      },
    });
    this.#session = session;
    this.#settingsTimer = setTimeout(
      () => this.#destroy(`no SETTINGS within ${options.patienceMs} ms`),
      options.patienceMs,
    );
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    session.on('remoteSettings', (settings) => {
      this.#spendControlFrame();
      this.#limit = Math.min(
        settings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY,
        options.maxConcurrentStreams,
      );
      // Once said it holds (RFC 8441 3).
      if (settings.enableConnectProtocol === true) this.takesConnect = true;
      this.#becomeUsable();
    });
    session.on('ping', () => this.#spendControlFrame());
    session.on('goaway', (code, lastStreamId) => this.#onGoaway(code, lastStreamId));
    // We allow no push; the library refuses what comes all the same, and an unlistened stream could not even be closed.
    session.on('stream', (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
    session.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#detail === '') this.#detail = error.code ?? error.message;
    });
    session.on('close', () => this.#onClosed());
    socket.once('close', () => this.#leave('closed by the gear', true));
  }

  /** Streams that may be opened now. */
  get room(): number {
    if (!this.#usable || this.leaving || this.#session.closed || this.#session.destroyed) return 0;
    // It was asked whether it is alive and has not answered soon: others first.
    if (this.#pingedAt > 0 && performance.now() - this.#pingedAt > SUSPECT_MS) return 0;
    return Math.max(0, this.#limit - this.#streams);
  }

  /** Streams that it takes in all, as far as is known. */
  get limit(): number {
    return this.#limit;
  }

  /** Exchanges under way. */
  get load(): number {
    return this.#exchanges.size;
  }

  /** A stream for one exchange; ask for `room` first. */
  open(): Http2Exchange {
    this.#served++;
    this.#streams++;
    // Tunnels may have been silent for hours: whether the gear is there still is asked anew.
    if (this.#tunnels === this.#exchanges.size) this.#asked = false;
    const exchange = new Http2Exchange(this, this.#session, this.#options.scheme, this.#served > 1);
    this.#exchanges.add(exchange);
    return exchange;
  }

  /** Takes no more; closes when what is under way is over. One that is not usable yet is left to those who wait for it. */
  drain(): void {
    if (!this.#usable) return;
    this.#leave('');
    if (!this.#session.closed) this.#session.close();
  }

  onHeard(): void {
    this.#heardAt = performance.now();
    this.#asked = false;
  }

  onTunnel(): void {
    this.#tunnels++;
  }

  onOver(exchange: Http2Exchange): void {
    this.#exchanges.delete(exchange);
    if (exchange.tunnelled) this.#tunnels--;
    if (this.#exchanges.size === 0) this.#idleSince = performance.now();
  }

  onStreamClosed(): void {
    this.#streams--;
  }

  /** `idleMs`: how long it may have nothing to do; `silentMs`: how long a gear may be silent; `drained`: what is like a tunnel ends. */
  sweep(now: number, idleMs: number, silentMs: number, drained: boolean): void {
    if (this.#exchanges.size === 0) {
      if (this.leaving ? now - this.#leftAt > LINGER_MS : now - this.#idleSince > idleMs) {
        if (this.leaving) this.#session.destroy();
        else this.drain();
      }
      return;
    }
    for (const exchange of this.#exchanges) {
      if (exchange.lastActivity <= now - silentMs) {
        exchange.expire(now);
        // Not a frame for anybody all this time: whatever this connection is, new requests get another.
        if (!exchange.tunnelled && this.#heardAt <= now - silentMs) this.drain();
      }
      if (drained) exchange.endTunnel();
    }
    this.#watchOver(now);
  }

  /** A gear that vanished without a word leaves a connection that takes requests for ever: ask it. */
  #watchOver(now: number): void {
    const { patienceMs } = this.#options;
    if (this.#pingedAt > 0) {
      if (now - this.#pingedAt > patienceMs) this.#destroy('no answer to a PING');
      return;
    }
    if (this.#asked || now - this.#heardAt < patienceMs || this.#session.destroyed) return;
    this.#asked = true;
    this.#pingedAt = now;
    this.#session.ping((error) => {
      if (error === null) this.#pingedAt = 0;
    });
  }

  #becomeUsable(): void {
    if (this.#usable || this.leaving) return;
    clearTimeout(this.#settingsTimer);
    this.#usable = true;
    this.onHeard();
    this.#owner.onUsable(this);
  }

  #spendControlFrame(): void {
    if (!this.#controlFrames.spend(performance.now())) this.#destroy('UPSTREAM_CONTROL_FLOOD');
  }

  #onGoaway(code: number, lastStreamId: number): void {
    this.#leave(code === NGHTTP2_NO_ERROR ? 'GOAWAY' : `GOAWAY ${code}`);
    // What the gear will not look at can go elsewhere (RFC 9113 6.8), whatever becomes of the connection.
    for (const exchange of [...this.#exchanges]) {
      if (exchange.isBehind(lastStreamId)) exchange.fail('STREAM_REFUSED', this.#detail);
    }
  }

  #destroy(detail: string): void {
    this.#leave(detail);
    for (const exchange of [...this.#exchanges]) exchange.fail('RESET_BEFORE_RESPONSE', detail);
    this.#session.destroy();
    this.#socket.destroy();
  }

  #leave(detail: string, gone = false): void {
    if (gone) this.gone = true;
    if (this.leaving) return;
    clearTimeout(this.#settingsTimer);
    this.leaving = true;
    this.#leftAt = performance.now();
    if (this.#detail === '') this.#detail = detail;
    this.#owner.onLeaving(this, this.#usable, this.#detail);
  }

  #onClosed(): void {
    this.#leave('closed', true);
    this.#owner.onClosed(this);
  }
}
