/**
 * Keep-alive connections of one endpoint of one application. Last in, first out: the busiest stay warm and the rest grow idle
 * and go before the gear closes them at 10 s (domain.md 5). Retired when the endpoint leaves the table.
 */
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { UpstreamFailure } from './failure.ts';
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
}

export class EndpointPool implements ConnectionOwner {
  readonly endpoint: PublishedEndpoint;
  readonly #options: PoolOptions;
  /** Oldest first. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #busy = new Set<UpstreamConnection>();
  #dialling = 0;
  /** performance.now() of the endpoint's removal. */
  #retiredAt = Number.POSITIVE_INFINITY;

  constructor(endpoint: PublishedEndpoint, options: PoolOptions) {
    this.endpoint = endpoint;
    this.#options = options;
  }

  /** Requests under way and dials: what the balancer calls load. */
  get load(): number {
    return this.#busy.size + this.#dialling;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** As many requests under way as the endpoint may have. */
  get full(): boolean {
    const { maxInFlightPerEndpoint } = this.#options;
    return maxInFlightPerEndpoint > 0 && this.load >= maxInFlightPerEndpoint;
  }

  /** An open connection, or null; towards TLS endpoints one that was opened for the same name. */
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

  /** Opens another connection. Returns a function that gives it up; once one of the callbacks was called it does nothing. */
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
      { endpoint: this.endpoint, servername, timeoutMs: this.#options.connectTimeoutMs },
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
    for (const connection of this.#busy) {
      if (connection.lastActivity <= silentSince) connection.expire(now);
      if (drained) connection.endTunnel();
    }
  }

  /** No new connections are kept; exchanges under way end by themselves, tunnels have `tunnelDrainMs` to do so. */
  retire(): void {
    this.#retiredAt = performance.now();
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
