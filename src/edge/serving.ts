/** What every connection of the data plane is served with: look-ups and means, handed in as functions. */
import type { Config } from '../config/schema.ts';
import type { Trust } from '../http/trusted-proxies.ts';
import type { Destination } from '../router/router.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { UpstreamFailure } from '../upstream/failure.ts';
import type { Pools } from '../upstream/pools.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { HttpsPolicy } from './https-policy.ts';

/** A connection as the sweep and the drain see it. */
export interface LiveConnection {
  /** Ends what has been silent for too long; `now` of performance.now(). */
  sweep(now: number): void;
  /** No further requests: closes when the one under way is answered. */
  drain(): void;
  destroy(): void;
  /** Of a connection that is looked into. */
  readonly facts?: Pick<ConnectionFacts, 'client'>;
}

export interface Serving {
  readonly http: Config['http'];
  readonly http2: Config['http2'];
  readonly maxAttempts: number;
  readonly trust: Trust;
  readonly pools: Pools;
  /** `host` in normal form. */
  route(host: string): Destination | null;
  /** Whether a TLS connection that was made for `serverName` must not carry requests for `host`, which is another name. */
  isMisdirected(serverName: string | null, host: string): boolean;
  /** Whether requests for `host` may only come from clients with a certificate, hence never in plain HTTP. */
  requiresClientCertificate(host: string): boolean;
  /** Null: plain HTTP is served, and HTTPS says nothing of it. */
  readonly httpsPolicy: HttpsPolicy | null;
  readonly generation: number;
  pick(
    endpoints: readonly PublishedEndpoint[],
    tried: readonly PublishedEndpoint[],
  ): PublishedEndpoint | null;
  /** Tells the balancer how an attempt went. */
  observe(endpoint: PublishedEndpoint, failure: UpstreamFailure | null): void;
  /** The request is over: access log and metrics. Duration in microseconds. */
  record(context: RequestContext, durationUs: number): void;
  readonly draining: boolean;
  readonly connections: Set<LiveConnection>;
}

/**
 * Where a request may go. Alias traffic goes to the node frontend where that is configured, by the client's scheme because the
 * frontend tells the application its own (domain.md 4); upgrades go to the endpoints all the same.
 */
export function endpointsOf(
  destination: Destination,
  scheme: 'http' | 'https',
  upgrade: boolean,
): readonly PublishedEndpoint[] {
  const { host, route } = destination;
  if (!host.viaNodeFrontend || upgrade) return route.endpoints;
  return scheme === 'https' ? route.nodeFrontendsHttps : route.nodeFrontendsHttp;
}

const ORIGIN_US = Math.round(performance.timeOrigin * 1_000);

/** Epoch microseconds of a performance.now() reading. */
export function epochMicroseconds(now: number): number {
  return ORIGIN_US + Math.round(now * 1_000);
}
