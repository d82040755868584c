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
}

export class EndpointPool implements ConnectionOwner {
  readonly endpoint: PublishedEndpoint;
  readonly #options: PoolOptions;
  /** Oldest first. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #busy = new Set<UpstreamConnection>();
  #dialling = 0;
  #retired = false;

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

  /** An open connection, or null; towards TLS endpoints one that was opened for the same name. */
  take(servername: string): UpstreamConnection | null {
    const connection = this.endpoint.tls ? this.#takeNamed(servername) : this.#idle.pop();
    if (connection === undefined) return null;
    this.#busy.add(connection);
    return connection;
  }

  #takeNamed(servername: string): UpstreamConnection | undefined {
    const index = this.#idle.findLastIndex((connection) => connection.servername === servername);
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0];
  }

  /** Opens another connection. Returns a function that gives it up. */
  dial(
    servername: string,
    onOpen: (connection: UpstreamConnection) => void,
    onFailure: (failure: UpstreamFailure) => void,
  ): () => void {
    this.#dialling++;
    const giveUp = UpstreamConnection.dial(
      this,
      { endpoint: this.endpoint, servername, timeoutMs: this.#options.connectTimeoutMs },
      (connection) => {
        this.#dialling--;
        this.#busy.add(connection);
        onOpen(connection);
      },
      (failure) => {
        this.#dialling--;
        onFailure(failure);
      },
    );
    return () => {
      this.#dialling--;
      giveUp();
    };
  }

  onIdle(connection: UpstreamConnection, reusable: boolean): void {
    this.#busy.delete(connection);
    if (!reusable) return;
    if (this.#retired || this.#idle.length >= this.#options.maxIdlePerEndpoint) {
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

  /** Closes what was idle for too long and ends exchanges whose gear is silent; `now` of performance.now(). */
  sweep(now: number): void {
    const idleSince = now - this.#options.idleTimeoutMs;
    let expired = 0;
    while (expired < this.#idle.length && (this.#idle[expired]?.lastActivity ?? now) <= idleSince) expired++;
    for (const connection of this.#idle.splice(0, expired)) connection.destroy();
    const silentSince = now - this.#options.responseTimeoutMs;
    for (const connection of this.#busy) {
      if (connection.lastActivity <= silentSince) connection.expire();
    }
  }

  /** No new connections are kept; exchanges and tunnels under way end by themselves. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
