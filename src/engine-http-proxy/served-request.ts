/**
 * One request on the second engine, from Node's parsed message to the recorded context. The same walk as the native engine's,
 * in one file because its steps share one request's variables.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type ProxyServer from 'http-proxy';
import { passableTrailer } from '../http/chunked.ts';
import { Forwarder } from '../http/forwarding.ts';
import { isHeadError, type RequestHead, readRequestHead } from '../http/request-head.ts';
import { readResponseHead } from '../http/response-head.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { mayRetry, type UpstreamFailure, type UpstreamFailureCode } from '../upstream/failure.ts';
import { type Attempt, type AttemptRequest, startAttempt } from './attempt.ts';
import type { EndpointAgents } from './endpoint-agents.ts';
import type { EndpointLoads } from './endpoint-loads.ts';
import { fieldText, flatFields, pairsOf, requestText, responseText } from './head-text.ts';
import { joinSockets } from './join-sockets.ts';
import type { BodyFailureCode, EngineAnswer, EngineConnectionFacts, EngineMeans } from './means.ts';
import type { ScreenedConnection } from './screened-connection.ts';

/** What an engine gives each of its requests. */
export interface EngineParts<Code extends string> {
  readonly means: EngineMeans<Code>;
  readonly proxy: ProxyServer;
  readonly agents: EndpointAgents;
  readonly loads: EndpointLoads;
}

/** What a request under way can be told. */
export interface ServedRequest<BodyCode> {
  /** Its body is coded wrongly, or stopped coming. */
  failBody(code: BodyCode, detail: string): void;
  /** No further request on this connection. */
  drain(): void;
}

/** Nothing of the head but what Node is to say; which connection fields go out is decided here. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set(['connection', 'transfer-encoding']);

/** Serves the request. `upgrade`: Node has let go of the connection. */
export function serveRequest<Code extends string>(
  parts: EngineParts<Code>,
  facts: EngineConnectionFacts,
  message: {
    readonly incoming: IncomingMessage;
    readonly response: ServerResponse;
    readonly connection: ScreenedConnection;
    readonly upgrade: boolean;
  },
): ServedRequest<BodyFailureCode> {
  const { means } = parts;
  const { incoming, response, connection, upgrade } = message;
  const { startedAt } = connection;
  const context = means.newContext(facts, startedAt);
  const tried: PublishedEndpoint[] = [];
  let endpoints: readonly PublishedEndpoint[] = [];
  let attempt: Attempt | null = null;
  let release: (() => void) | null = null;
  let bodySent = false;
  let recorded = false;
  let interims = 0;
  const elapsedUs = () => Math.round((performance.now() - startedAt) * 1_000);

  function record(): void {
    if (recorded) return;
    recorded = true;
    means.record(context, elapsedUs());
  }
  function answerOwn(given: EngineAnswer, failure: string): void {
    const answer = means.ownAnswerTo(context, given);
    context.failure = failure;
    if (response.headersSent) {
      // The status is out: a broken answer must look broken.
      response.destroy();
      return;
    }
    const withPage = incoming.method !== 'HEAD';
    context.status = answer.status;
    context.bytesOut = withPage ? answer.page.length : 0;
    closeUnlessRead();
    response.sendDate = false;
    response.writeHead(answer.status, answer.reason, [
      ...flatFields(answer.fields),
      ...connectionField(true),
    ]);
    response.end(withPage ? answer.page : undefined);
  }
  /** What is left of a body cannot be told from the next request safely. */
  function closeUnlessRead(): void {
    if (connection.inBody) response.shouldKeepAlive = false;
  }
  /** Node would say `keep-alive` to HTTP/1.1 clients too. */
  function connectionField(lengthKnown: boolean): string[] {
    response.removeHeader('connection');
    const oldClient = incoming.httpVersionMinor === 0;
    if (oldClient && !lengthKnown) response.shouldKeepAlive = false;
    if (!response.shouldKeepAlive) return ['Connection', 'close'];
    return oldClient ? ['Connection', 'keep-alive'] : [];
  }
  function failWith(failure: UpstreamFailure): void {
    const shown = failure.detail === '' ? failure.code : `${failure.code}:${failure.detail}`;
    answerOwn(means.answerFor(failure.code), shown);
  }
  function refuse(status: number, code: string, reason: string): void {
    response.shouldKeepAlive = false;
    answerOwn(means.ownAnswer(status, code, `The request was refused: ${reason}.`), code);
  }

  function tryNext(request: AttemptRequest, head: RequestHead): void {
    const endpoint = means.pick(endpoints, tried);
    if (endpoint === null) failWith({ code: 'NO_ENDPOINT', detail: '' });
    else tryAt(endpoint, false, request, head);
  }
  function tryAt(
    endpoint: PublishedEndpoint,
    fresh: boolean,
    request: AttemptRequest,
    head: RequestHead,
  ): void {
    context.attempts++;
    context.endpoint = `${endpoint.address}:${endpoint.port}`;
    context.gearId = endpoint.gearId;
    const failed = (failure: UpstreamFailure, reused: boolean) => {
      means.observe(endpoint, failure);
      if (context.attempts < parts.means.upstream.maxAttempts && mayRetry(failure, head.method, bodySent)) {
        // A connection from before says nothing of the gear: the same endpoint gets a fresh one first.
        if (reused) {
          tryAt(endpoint, true, request, head);
          return;
        }
        tried.push(endpoint);
        const next = means.pick(endpoints, tried);
        if (next !== null) {
          tryAt(next, false, request, head);
          return;
        }
      }
      failWith(failure);
    };
    release?.();
    release = parts.loads.hold(endpoint.id);
    if (release === null) {
      failed({ code: 'ENDPOINT_FULL', detail: '' }, false);
      return;
    }
    attempt = startAttempt({
      proxy: parts.proxy,
      agents: parts.agents,
      upstream: means.upstream,
      endpoint,
      fresh,
      request,
      incoming,
      response,
      events: {
        onOpen() {
          if (!request.hasBody) return;
          if (head.expectContinue && !response.headersSent) response.writeContinue();
          bodySent = true;
          incoming.on('data', (chunk: Buffer) => {
            context.bytesIn += chunk.length;
          });
        },
        onInterim(status, rawHeaders) {
          if (++interims > MAX_INTERIM)
            attempt?.fail({ code: 'RESPONSE_INVALID', detail: 'UPSTREAM_INTERIM_FLOOD' });
          else if (status === 103 && head.minorVersion === 1 && !response.headersSent)
            passHints(response, rawHeaders);
        },
        onResponse(answer) {
          relay(endpoint, answer);
        },
        onUpgrade(answer, gear, first) {
          join(endpoint, answer, gear, first);
        },
        onFailure: failed,
      },
    });
  }

  function relay(endpoint: PublishedEndpoint, answer: IncomingMessage): void {
    const head = readResponseHead(responseText(answer), means.http.maxHeaders);
    if ('reason' in head) {
      broken(endpoint, answer, 'RESPONSE_INVALID', head.code);
      return;
    }
    means.observe(endpoint, null);
    context.status = head.status;
    context.upstreamFirstByteUs = Math.max(1, elapsedUs());
    closeUnlessRead();
    response.sendDate = false;
    const bodyless = incoming.method === 'HEAD' || head.status === 204 || head.status === 304;
    const lengthKnown = bodyless || head.contentLength >= 0;
    response.writeHead(head.status, head.statusLine.slice(13), [
      ...flatFields(means.answerHead(context, head).kept, CONNECTION_FIELDS),
      ...connectionField(lengthKnown),
    ]);
    connection.endHasMeaning = !lengthKnown && incoming.httpVersionMinor === 0;
    answer.on('data', (chunk: Buffer) => {
      context.bytesOut += chunk.length;
    });
    answer.on('error', () => {
      if (context.failure === '') context.failure = 'RESPONSE_CUT_SHORT';
    });
    answer.once('end', () => {
      const trailers = passableTrailer(fieldText(answer.rawTrailers));
      if (trailers !== '' && !lengthKnown) response.addTrailers(pairsOf(flatFields(trailers)));
    });
    answer.setTimeout(means.upstream.responseTimeoutMs, () => {
      // A client that takes nothing makes the gear wait, not the other way round.
      if (!response.writableNeedDrain) answer.destroy(new Error('silent'));
    });
    // pipeline, not pipe: when either side breaks off the other must go, or a download leaks a socket and a cut answer hangs.
    pipeline(answer, response, (error) => {
      if (error) connection.destroy();
    });
  }
  function broken(
    endpoint: PublishedEndpoint,
    answer: IncomingMessage,
    code: UpstreamFailureCode,
    detail: string,
  ) {
    answer.destroy();
    const failure = { code, detail };
    means.observe(endpoint, failure);
    failWith(failure);
  }
  function join(endpoint: PublishedEndpoint, answer: IncomingMessage, gear: Socket, first: Buffer): void {
    const head = readResponseHead(responseText(answer), means.http.maxHeaders);
    if (!upgrade || 'reason' in head || head.status !== 101) {
      gear.destroy();
      broken(endpoint, answer, upgrade ? 'RESPONSE_INVALID' : 'UNASKED_UPGRADE', '');
      return;
    }
    means.observe(endpoint, null);
    context.status = 101;
    context.upstreamFirstByteUs = Math.max(1, elapsedUs());
    response.detachSocket(incoming.socket);
    const { socket, early } = connection.release();
    socket.write(
      `${head.statusLine}\r\n${head.kept}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`,
      'latin1',
    );
    const leave = parts.loads.addTunnel(endpoint.id, () => gear.destroy());
    joinSockets(
      { client: socket, gear, early, first, idleTimeoutMs: means.http.tunnelIdleTimeoutMs },
      (bytesIn, bytesOut) => {
        context.bytesIn = bytesIn;
        context.bytesOut = bytesOut;
        leave();
        release?.();
        record();
      },
    );
  }

  const served: ServedRequest<BodyFailureCode> = {
    failBody(code, detail) {
      attempt?.abort();
      answerOwn(means.answerFor(code), detail === '' ? code : `${code}:${detail}`);
    },
    drain() {
      if (!response.headersSent) response.shouldKeepAlive = false;
    },
  };
  response.on('error', () => {});
  response.once('close', () => {
    if (!response.writableFinished && context.failure === '') context.failure = 'CLIENT_GONE';
    // Also after a whole answer: an upload that the gear did not wait for goes no further.
    if (!response.writableFinished || !incoming.complete) attempt?.abort();
    if (context.status === 101) return;
    release?.();
    record();
  });

  const head = readRequestHead(requestText(incoming), means.http);
  if (isHeadError(head)) {
    refuse(head.status, head.code, head.reason);
    return served;
  }
  means.describeRequest(context, head);
  const destination = means.routeRequest(facts, context, head);
  if ('answer' in destination) {
    answerOwn(destination.answer, destination.failure);
    return served;
  }
  if (isHeadError(destination)) {
    refuse(destination.status, destination.code, destination.reason);
    return served;
  }
  const { peerAddress, scheme, port, client } = facts;
  const trusted = means.trust(peerAddress);
  const downstream = { peerAddress, scheme, port, trusted, certificateLines: client?.lines ?? '' };
  const forwarding = new Forwarder(downstream, means.trust).of(head, context.startedAtUs);
  context.clientAddress = forwarding.clientAddress;
  const request = means.upstreamRequest(head, forwarding, context.host);
  endpoints = means.endpointsOf(destination, scheme, request.asksUpgrade);
  const lines = request.head.slice(request.head.indexOf('\r\n') + 2);
  tryNext(
    {
      target: head.target,
      // The gear must not wait with us for a 100 that we gave already.
      fields: flatFields(lines, EXPECT),
      servername: request.servername,
      hasBody: request.body !== 'none',
    },
    head,
  );
  return served;
}

/** As many interim answers as the native engine takes. */
const MAX_INTERIM = 16;
const EXPECT: ReadonlySet<string> = new Set(['expect']);

/** 103 as the gear sent it; of other interim answers Node's server knows nothing. */
function passHints(response: ServerResponse, rawHeaders: readonly string[]): void {
  const links = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === 'link');
  try {
    if (links.length > 0) response.writeEarlyHints({ link: links });
  } catch {
    // A hint that Node will not write is only a hint.
  }
}
