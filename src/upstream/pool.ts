/**
 * Keep-alive connections of one endpoint of one application. Last in, first out: the busiest stay warm and the rest grow idle
 * and go before the gear closes them at 10 s (domain.md 5). Retired when the endpoint leaves the table.
 */
import type { Socket } from 'node:net';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { DialMeans } from './dial.ts';
import type { ConnectionSource } from './exchange-connection.ts';
import type { UpstreamFailure } from './failure.ts';
import { Http2Sessions, type Waiter } from './http2-sessions.ts';
import { PlacedList } from './placed-list.ts';
import type { UpstreamTls } from './tls-policy.ts';
import type { TlsSessions } from './tls-sessions.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';

export interface PoolOptions {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly maxIdlePerEndpoint: number;
  /** 0: no limit. */
  readonly maxInFlightPerEndpoint: number;
  /** How long a tunnel may go on after its endpoint was retired. */
  readonly tunnelDrainMs: number;
  readonly http2: { readonly maxConcurrentStreams: number; readonly streamWindowBytes: number };
}

export class EndpointPool implements ConnectionOwner, ConnectionSource {
  readonly endpoint: PublishedEndpoint;
  /** `address:port`, made once: every request names it in the access log. */
  readonly label: string;
  readonly #options: PoolOptions;
  /** Oldest first. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #busy = new PlacedList<UpstreamConnection>();
  readonly #means: DialMeans;
  /** Where the endpoint speaks it. */
  readonly #http2: Http2Sessions | null;
  #choseHttp1 = false;
  #dialling = 0;
  /** performance.now() of the endpoint's removal. */
  #retiredAt = Number.POSITIVE_INFINITY;

  /** `sessions`: of TLS, with this endpoint alone; they outlive the pool. */
  constructor(endpoint: PublishedEndpoint, options: PoolOptions, tls: UpstreamTls, sessions: TlsSessions) {
    this.endpoint = endpoint;
    this.label = `${endpoint.address}:${endpoint.port}`;
    this.#options = options;
    this.#means = {
      endpoint,
      connectTimeoutMs: options.connectTimeoutMs,
      tls,
      sessions,
    };
    this.#http2 =
      endpoint.versions === 'http1'
        ? null
        : new Http2Sessions(this.#means, {
            ...options,
            ...options.http2,
            onHttp1: (socket, waiters) => this.#onHttp1(socket, waiters),
          });
  }

  /** Requests under way and dials: what the balancer calls load. */
  get load(): number {
    const own = this.#busy.size + this.#dialling;
    return this.#http2 === null ? own : own + this.#http2.load;
  }

  get idle(): number {
    return this.#http2 === null ? this.#idle.length : this.#idle.length + this.#http2.idle;
  }

  /** As many requests under way as the endpoint may have. */
  get full(): boolean {
    const { maxInFlightPerEndpoint } = this.#options;
    return maxInFlightPerEndpoint > 0 && this.load >= maxInFlightPerEndpoint;
  }

  /** Where connections for a request come from. HTTP/2 knows no Upgrade (RFC 9113 8.6) but to WebSockets, so that goes by HTTP/1.1 where this is spoken too. */
  source(asksUpgrade: boolean): ConnectionSource {
    if (this.#http2 === null || this.#choseHttp1) return this;
    if (asksUpgrade && this.endpoint.versions === 'both') return this;
    return this.#http2;
  }

  /** An open connection of HTTP/1.1, or null; towards TLS endpoints one that was opened for the same name. */
  take(servername: string): UpstreamConnection | null {
    for (;;) {
      const connection = this.endpoint.tls ? this.#takeNamed(servername) : this.#idle.pop();
      if (connection === undefined) return null;
      // One that was destroyed a moment ago is still here: its close event comes later.
      if (!connection.open) continue;
      this.#busy.add(connection);
      return connection;
    }
  }

  #takeNamed(servername: string): UpstreamConnection | undefined {
    const index = this.#idle.findLastIndex((connection) => connection.servername === servername);
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0];
  }

  /** Opens another connection of HTTP/1.1. Returns a function that gives it up; once one of the callbacks was called it does nothing. */
  dial(
    servername: string,
    onOpen: (connection: UpstreamConnection) => void,
    onFailure: (failure: UpstreamFailure) => void,
  ): () => void {
    let dialling = true;
    const settle = (): void => {
      if (dialling) this.#dialling--;
      dialling = false;
    };
    this.#dialling++;
    const giveUp = UpstreamConnection.dial(
      this,
      this.#means,
      servername,
      (connection) => {
        settle();
        this.#busy.add(connection);
        onOpen(connection);
      },
      (failure) => {
        settle();
        onFailure(failure);
      },
    );
    return () => {
      settle();
      giveUp();
    };
  }

  /** Until this pool is given up for idleness and made anew, nobody asks the gear for HTTP/2 again. */
  #onHttp1(socket: Socket, waiters: readonly Waiter[]): void {
    this.#choseHttp1 = true;
    const [first, ...others] = waiters;
    if (first === undefined) socket.destroy();
    else {
      const connection = UpstreamConnection.adopt(this, this.endpoint, first.servername, socket);
      this.#busy.add(connection);
      first.onOpen(connection);
    }
    for (const waiter of others) {
      waiter.giveUp = this.dial(waiter.servername, waiter.onOpen, waiter.onFailure);
    }
  }

  onIdle(connection: UpstreamConnection, reusable: boolean): void {
    this.#busy.delete(connection);
    if (!reusable) return;
    if (this.#retiredAt < Number.POSITIVE_INFINITY || this.#idle.length >= this.#options.maxIdlePerEndpoint) {
      connection.destroy();
      return;
    }
    this.#idle.push(connection);
  }

  onClose(connection: UpstreamConnection): void {
    this.#busy.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** Closes what was idle for too long, ends exchanges whose gear is silent and tunnels whose endpoint is gone; `now` of performance.now(). */
  sweep(now: number): void {
    const idleSince = now - this.#options.idleTimeoutMs;
    let expired = 0;
    while (expired < this.#idle.length && (this.#idle[expired]?.lastActivity ?? now) <= idleSince) expired++;
    for (const connection of this.#idle.splice(0, expired)) connection.destroy();
    const silentSince = now - this.#options.responseTimeoutMs;
    const drained = now - this.#retiredAt > this.#options.tunnelDrainMs;
    for (const connection of this.#busy.all()) {
      if (connection.lastActivity <= silentSince) connection.expire(now);
      if (drained) connection.endTunnel();
    }
    this.#http2?.sweep(now, drained);
  }

  /** No new connections are kept; exchanges under way end by themselves, tunnels have `tunnelDrainMs` to do so. */
  retire(): void {
    this.#retiredAt = performance.now();
    for (const connection of this.#idle.splice(0)) connection.destroy();
    this.#http2?.retire();
  }
}
