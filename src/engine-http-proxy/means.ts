/** What the second engine is handed: the same look-ups and means as the native one, as functions, because `edge` is its caller. */
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { Forwarding } from '../http/forwarding.ts';
import type { HeadError, RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trust } from '../http/trusted-proxies.ts';
import type { AppRoute, HostRoute, PublishedEndpoint } from '../table/routing-table.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { ExchangeRequest } from '../upstream/exchange.ts';
import type { UpstreamFailure, UpstreamFailureCode } from '../upstream/failure.ts';

/** What finds heads in a client's bytes; the native engine's. */
export interface HeadFinder {
  readonly length: number;
  readonly bytes: Buffer;
  readonly inHead: boolean;
  push(chunk: Buffer): void;
  drop(count: number): void;
  takeAll(): Buffer;
  /** Latin1 text up to the last field's CRLF; null while the head is not whole. */
  takeHeadText(limits: Config['http']): string | HeadError | null;
}

/** What cuts a body out of a client's bytes. */
export interface BodyCutter {
  readonly whole: boolean;
  /** Code of what is wrong with the coding, or ''. */
  readonly error: string;
  /** Trailer lines that may pass on; known once whole. */
  readonly trailer: string;
  take(input: Buffer, slices: Buffer[]): number;
}

export type ConnectionPhase = 'head' | 'body' | 'waiting' | 'tunnel' | 'lingering' | 'closed';

/** What says when a client has been silent for too long. Times of performance.now(). */
export interface ConnectionClock {
  lastActivity: number;
  startedAt: number;
  lingeringSince: number;
  judge(
    socket: Socket,
    state: {
      readonly phase: ConnectionPhase;
      readonly headBytes: number;
      readonly fresh: boolean;
      readonly paused: boolean;
      readonly bodyBytes: number;
    },
    http: Config['http'],
    now: number,
  ): 'fine' | 'end' | 'unread' | 'destroy' | 'body-late' | 'body-slow' | HeadError;
}

/** What the listener knows of a connection. */
export interface EngineConnectionFacts {
  readonly scheme: 'http' | 'https';
  readonly peerAddress: string;
  readonly peerPort: number;
  /** Port that clients see. */
  readonly port: number;
  /** Of the TLS handshake. */
  readonly serverName: string | null;
  /** Of the client's certificate; null where none was asked for. */
  readonly client: { readonly demandId: string; readonly fault: string; readonly lines: string } | null;
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

/** What can go wrong with a request's body after its head was taken. */
export type BodyFailureCode = 'BODY_INVALID' | 'CLIENT_TIMEOUT';

/** `Code`: the failure codes that the caller's table of answers knows. */
export interface EngineMeans<Code extends string> {
  readonly http: Config['http'];
  readonly upstream: Config['upstream'];
  readonly trust: Trust;
  newContext(facts: EngineConnectionFacts, startedAt: number): RequestContext;
  describeRequest(context: RequestContext, head: RequestHead): void;
  routeRequest(
    facts: EngineConnectionFacts,
    context: RequestContext,
    head: RequestHead,
  ): EngineDestination | HeadError | { readonly answer: EngineAnswer; readonly failure: string };
  /** A gear's head as the client is to get it. */
  answerHead(context: RequestContext, head: ResponseHead): ResponseHead;
  /** An answer of ours as the client is to get it. */
  ownAnswerTo(context: RequestContext, answer: EngineAnswer): EngineAnswer;
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
  newHeadFinder(): HeadFinder;
  /** The body that follows a head, or null where none does. */
  bodyAfter(head: RequestHead): BodyCutter | null;
  newClock(): ConnectionClock;
  answerFor(code: Code | UpstreamFailureCode | BodyFailureCode): EngineAnswer;
  ownAnswer(status: number, code: string, sentence: string): EngineAnswer;
}
