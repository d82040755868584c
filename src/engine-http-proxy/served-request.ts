/**
 * One request on the second engine, from Node's parsed message to the recorded context. The same walk as the native engine's,
 * in one file because its steps share one request's variables.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type ProxyServer from 'http-proxy';
import { createForwarding } from '../http/forwarding.ts';
import { isHeadError, type RequestHead, readRequestHead } from '../http/request-head.ts';
import { readResponseHead } from '../http/response-head.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { mayRetry, type UpstreamFailure, type UpstreamFailureCode } from '../upstream/failure.ts';
import { type Attempt, type AttemptRequest, startAttempt } from './attempt.ts';
import type { EndpointAgents } from './endpoint-agents.ts';
import { flatFields, requestText, responseText } from './head-text.ts';
import { joinSockets } from './join-sockets.ts';
import type { EngineAnswer, EngineConnectionFacts, EngineMeans } from './means.ts';

/** What an engine gives each of its requests. */
export interface EngineParts<Code extends string> {
  readonly means: EngineMeans<Code>;
  readonly proxy: ProxyServer;
  readonly agents: EndpointAgents;
}

export interface UpgradeRequest {
  readonly socket: Socket;
  /** What the client sent after the head. */
  readonly early: Buffer;
}

const FAILED_UPGRADE_BODY = 'a request that asks for an upgrade must not have a body here';
/** Ours to set: Node writes them from what it knows of the connection. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set(['connection', 'transfer-encoding']);

/** Serves the request; `upgrade` is set when Node handed over the bare socket. */
export function serveRequest<Code extends string>(
  parts: EngineParts<Code>,
  facts: EngineConnectionFacts,
  incoming: IncomingMessage,
  response: ServerResponse,
  upgrade: UpgradeRequest | null,
): void {
  const { means } = parts;
  const startedAt = performance.now();
  const context = means.newContext(facts, startedAt);
  const tried: PublishedEndpoint[] = [];
  let endpoints: readonly PublishedEndpoint[] = [];
  let attempt: Attempt | null = null;
  let bodySent = false;
  let recorded = false;
  const elapsedUs = () => Math.round((performance.now() - startedAt) * 1_000);

  function record(): void {
    if (recorded) return;
    recorded = true;
    means.record(context, elapsedUs());
  }
  function answerOwn(answer: EngineAnswer, failure: string): void {
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
    response.writeHead(answer.status, answer.reason, flatFields(answer.fields));
    response.end(withPage ? answer.page : undefined);
  }
  /** What is left of a body cannot be told from the next request safely. */
  function closeUnlessRead(): void {
    if (!incoming.complete && upgrade === null) response.shouldKeepAlive = false;
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
          if (status === 103 && head.minorVersion === 1 && !response.headersSent)
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
    response.writeHead(head.status, head.statusLine.slice(13), flatFields(head.kept, CONNECTION_FIELDS));
    answer.on('data', (chunk: Buffer) => {
      context.bytesOut += chunk.length;
    });
    answer.on('error', () => {
      if (context.failure === '') context.failure = 'RESPONSE_CUT_SHORT';
    });
    // pipeline, not pipe: when either side breaks off the other must go, or a download leaks a socket and a cut answer hangs.
    pipeline(answer, response, (error) => {
      if (error) incoming.socket.destroy();
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
    if (upgrade === null || 'reason' in head || head.status !== 101) {
      gear.destroy();
      broken(endpoint, answer, upgrade === null ? 'UNASKED_UPGRADE' : 'RESPONSE_INVALID', '');
      return;
    }
    means.observe(endpoint, null);
    const { socket, early } = upgrade;
    context.status = 101;
    context.upstreamFirstByteUs = Math.max(1, elapsedUs());
    response.detachSocket(socket);
    socket.write(
      `${head.statusLine}\r\n${head.kept}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`,
      'latin1',
    );
    joinSockets(
      { client: socket, gear, early, first, idleTimeoutMs: means.http.tunnelIdleTimeoutMs },
      (bytesIn, bytesOut) => {
        context.bytesIn = bytesIn;
        context.bytesOut = bytesOut;
        record();
      },
    );
  }

  response.on('error', () => {});
  response.once('close', () => {
    if (!response.writableFinished) {
      if (context.failure === '') context.failure = 'CLIENT_GONE';
      attempt?.abort();
    }
    if (context.status !== 101) record();
  });

  const head = readRequestHead(requestText(incoming), means.http);
  if (isHeadError(head)) {
    refuse(head.status, head.code, head.reason);
    return;
  }
  means.describeRequest(context, head);
  const destination = means.routeRequest(context, head);
  if (typeof destination === 'string') {
    answerOwn(means.answerFor(destination), destination);
    return;
  }
  if (isHeadError(destination)) {
    refuse(destination.status, destination.code, destination.reason);
    return;
  }
  const { peerAddress, scheme, port } = facts;
  const downstream = { peerAddress, scheme, port, trusted: means.trust(peerAddress) };
  const forwarding = createForwarding(downstream, means.trust)(head, context.startedAtUs);
  context.clientAddress = forwarding.clientAddress;
  const request = means.upstreamRequest(head, forwarding, context.host);
  if (upgrade !== null && request.body !== 'none') {
    refuse(400, 'HTTP_UPGRADE_WITH_BODY', FAILED_UPGRADE_BODY);
    return;
  }
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
}

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
