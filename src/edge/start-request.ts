/** From a request head to where it goes: context and route. Pure but for the look-ups that `Serving` hands in. */
import { normalHost } from '../http/host.ts';
import type { HeadError, RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Destination } from '../router/router.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { ExchangeMeans } from '../upstream/exchange.ts';
import type { UpstreamFailure } from '../upstream/failure.ts';
import type { Pools } from '../upstream/pools.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { answerFor, type EdgeFailureCode, type OwnAnswer } from './respond.ts';
import { epochMicroseconds, type Serving } from './serving.ts';

/** A fresh context; the rest is filled in as the walk goes on. `startedAt` of performance.now(). */
export function newContext(facts: ConnectionFacts, startedAt: number): RequestContext {
  return {
    startedAtUs: epochMicroseconds(startedAt),
    clientAddress: facts.peerAddress,
    clientPort: facts.peerPort,
    scheme: facts.scheme,
    protocol: 'HTTP/1.1',
    method: '',
    target: '',
    host: '',
    app: '',
    generation: 0,
    endpoint: '',
    gearId: '',
    attempts: 0,
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
    upstreamFirstByteUs: 0,
    failure: '',
    userAgent: '',
    referer: '',
  };
}

/** Notes what the head says. */
export function describeRequest(context: RequestContext, head: RequestHead): void {
  context.protocol = head.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  context.method = head.method;
  context.target = head.target;
  context.userAgent = head.userAgent;
  context.referer = head.referer;
}

const BAD_HOST: HeadError = {
  code: 'HTTP_HOST_INVALID',
  status: 400,
  reason: 'Host is not a host name with an optional port',
};
const OTHER_AUTHORITY: HeadError = {
  code: 'HTTP_HOST_DISAGREES',
  status: 400,
  reason: 'the request target and the Host field name different hosts',
};
const NO_HOST: HeadError = { code: 'HTTP_HOST_MISSING', status: 400, reason: 'no Host field' };

/** The request goes nowhere: an answer of ours. */
export interface Refusal {
  readonly answer: OwnAnswer;
  /** For the log; '' where it is no failure. */
  readonly failure: string;
}

function refusal(code: EdgeFailureCode): Refusal {
  return { answer: answerFor(code), failure: code };
}

/** Finds the route by Host, if the connection may carry requests for it. Notes the host in the context. */
export function routeRequest(
  serving: Serving,
  { scheme, serverName, client, peerAddress }: Omit<ConnectionFacts, 'peerPort' | 'port'>,
  context: RequestContext,
  head: RequestHead,
): Destination | HeadError | Refusal {
  context.generation = serving.generation;
  // Most hosts come in normal form, and what the table holds is valid: one look-up then does all.
  let host = head.host;
  let destination = serving.route(host);
  if (destination !== null) {
    head.host = destination.name;
  } else {
    const normal = host === '' ? '' : normalHost(host);
    if (normal === null) return BAD_HOST;
    if (normal === '') return NO_HOST;
    host = normal;
    destination = serving.route(host);
  }
  if (head.targetAuthority !== '' && normalHost(head.targetAuthority) !== host) return OTHER_AUTHORITY;
  // The table's own string where there is one.
  if (destination !== null) host = destination.name;
  context.host = host;
  if (scheme === 'https') {
    if (host !== serverName && serving.isMisdirected(serverName, host)) return refusal('MISDIRECTED');
    if (client !== null && client.fault !== '') return refusal('CLIENT_CERTIFICATE_REFUSED');
  }
  if (destination === null) return refusal('UNKNOWN_HOST');
  context.app = destination.host.app;
  if (scheme === 'http') {
    const redirect = serving.httpsPolicy?.redirect(host, destination, head, peerAddress) ?? null;
    if (redirect !== null) return { answer: redirect, failure: '' };
    if (serving.requiresClientCertificate(host)) return refusal('CLIENT_CERTIFICATE_NEEDED');
  }
  const { endpoints, passThrough } = destination.route;
  return endpoints.length === 0 && passThrough.length > 0 ? refusal('TLS_ONLY') : destination;
}

/** An answer of ours as the client of an application is to get it. */
export function ownAnswerTo(
  { httpsPolicy }: Serving,
  { scheme, host, app }: RequestContext,
  answer: OwnAnswer,
): OwnAnswer {
  return httpsPolicy === null || scheme === 'http' || app === ''
    ? answer
    : httpsPolicy.ownAnswer(host, app, answer);
}

/** What a request's exchange needs: its endpoints, and a context that remembers the attempts. A class: closures cost one more object each. */
export class RequestMeans implements ExchangeMeans {
  readonly #serving: Serving;
  readonly #endpoints: readonly PublishedEndpoint[];
  readonly #context: RequestContext;

  constructor(serving: Serving, endpoints: readonly PublishedEndpoint[], context: RequestContext) {
    this.#serving = serving;
    this.#endpoints = endpoints;
    this.#context = context;
  }

  get pools(): Pools {
    return this.#serving.pools;
  }

  get maxAttempts(): number {
    return this.#serving.maxAttempts;
  }

  answerHead(head: ResponseHead): ResponseHead {
    const { scheme, host, app } = this.#context;
    const { httpsPolicy } = this.#serving;
    return httpsPolicy === null || scheme === 'http' ? head : httpsPolicy.answerHead(host, app, head);
  }

  pick(tried: readonly PublishedEndpoint[]): PublishedEndpoint | null {
    return this.#serving.pick(this.#endpoints, tried);
  }

  onAttempt(endpoint: PublishedEndpoint, label: string): void {
    this.#context.attempts++;
    this.#context.endpoint = label;
    this.#context.gearId = endpoint.gearId;
  }

  onOutcome(endpoint: PublishedEndpoint, failure: UpstreamFailure | null): void {
    this.#serving.observe(endpoint, failure);
  }
}
