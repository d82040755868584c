/** What the second engine is handed: the same look-ups and means as the native one, as functions, because `edge` is its caller. */
import type { Config } from '../config/schema.ts';
import type { Forwarding } from '../http/forwarding.ts';
import type { HeadError, RequestHead } from '../http/request-head.ts';
import type { Trust } from '../http/trusted-proxies.ts';
import type { AppRoute, HostRoute, PublishedEndpoint } from '../table/routing-table.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { ExchangeRequest } from '../upstream/exchange.ts';
import type { UpstreamFailure, UpstreamFailureCode } from '../upstream/failure.ts';

/** What the listener knows of a connection. */
export interface EngineConnectionFacts {
  readonly scheme: 'http' | 'https';
  readonly peerAddress: string;
  readonly peerPort: number;
  /** Port that clients see. */
  readonly port: number;
}

export interface EngineDestination {
  readonly host: HostRoute;
  readonly route: AppRoute;
}

/** An answer of ours; `fields` are lines with their CRLF, Content-Length included. */
export interface EngineAnswer {
  readonly status: number;
  readonly reason: string;
  readonly fields: string;
  readonly page: string;
}

/** `Code`: the failure codes that the caller's table of answers knows. */
export interface EngineMeans<Code extends string> {
  readonly http: Config['http'];
  readonly upstream: Config['upstream'];
  readonly trust: Trust;
  newContext(facts: EngineConnectionFacts, startedAt: number): RequestContext;
  describeRequest(context: RequestContext, head: RequestHead): void;
  routeRequest(context: RequestContext, head: RequestHead): EngineDestination | HeadError | Code;
  endpointsOf(
    destination: EngineDestination,
    scheme: 'http' | 'https',
    upgrade: boolean,
  ): readonly PublishedEndpoint[];
  upstreamRequest(head: RequestHead, forwarding: Forwarding, host: string): ExchangeRequest;
  pick(
    endpoints: readonly PublishedEndpoint[],
    tried: readonly PublishedEndpoint[],
  ): PublishedEndpoint | null;
  observe(endpoint: PublishedEndpoint, failure: UpstreamFailure | null): void;
  /** Duration in microseconds. */
  record(context: RequestContext, durationUs: number): void;
  answerFor(code: Code | UpstreamFailureCode): EngineAnswer;
  ownAnswer(status: number, code: string, sentence: string): EngineAnswer;
}
