/**
 * One attempt at one endpoint by http-proxy. The package dials, writes and parses; every decision is taken from it: we hand it the
 * fields and the target as they shall be (it would join slashes, lower-case names and, for a chunked DELETE, drop the framing:
 * CVE-2026-29057), the body only once the connection is open, and let it handle no answer.
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Stream } from 'node:stream';
import type ProxyServer from 'http-proxy';
import type { Config } from '../config/schema.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { dialFailure, type UpstreamFailure } from '../upstream/failure.ts';
import type { EndpointAgents } from './endpoint-agents.ts';
import { groupedFields, pairsOf } from './head-text.ts';

export interface AttemptRequest {
  readonly target: string;
  /** Flat; all of them, Host and framing included. */
  readonly fields: readonly string[];
  readonly servername: string;
  readonly hasBody: boolean;
}

export interface AttemptEvents {
  /** The connection is open, the body is about to be read. */
  onOpen(): void;
  onResponse(response: IncomingMessage): void;
  onInterim(status: number, rawHeaders: readonly string[]): void;
  onUpgrade(response: IncomingMessage, gear: Socket, first: Buffer): void;
  /** Before any answer; `reused`: on a connection from before. Called at most once, and not after `abort`. */
  onFailure(failure: UpstreamFailure, reused: boolean): void;
}

export interface Attempt {
  /** No further event comes; the connection goes. */
  abort(): void;
  /** What came from the gear is no answer. */
  fail(failure: UpstreamFailure): void;
}

export function startAttempt(options: {
  readonly proxy: ProxyServer;
  readonly agents: EndpointAgents;
  readonly upstream: Config['upstream'];
  readonly endpoint: PublishedEndpoint;
  /** A connection of its own instead of one from before. */
  readonly fresh: boolean;
  readonly request: AttemptRequest;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly events: AttemptEvents;
}): Attempt {
  const { endpoint, request, incoming, events, upstream } = options;
  let outgoing: ClientRequest | null = null;
  let open = false;
  let over = false;
  const dialTimer = setTimeout(
    () => fail({ code: 'CONNECT_TIMEOUT', detail: `${upstream.connectTimeoutMs} ms` }),
    upstream.connectTimeoutMs,
  );

  function end(): boolean {
    const first = !over;
    over = true;
    clearTimeout(dialTimer);
    return first;
  }
  function fail(failure: UpstreamFailure): void {
    if (!end()) return;
    const reused = outgoing?.reusedSocket ?? false;
    outgoing?.destroy();
    events.onFailure(failure, reused);
  }
  /** http-proxy calls this in place of piping the request: here begins what it would do too early. */
  function begin(client: ClientRequest): void {
    outgoing = client;
    client.path = request.target;
    for (const name of client.getHeaderNames()) client.removeHeader(name);
    // Said even when there is none: or Node would send a Connection field of its own.
    client.removeHeader('connection');
    for (const [name, value] of groupedFields(request.fields)) client.setHeader(name, value);
    client.once('socket', (socket: Socket) => {
      socket.setNoDelay(true);
      if (client.reusedSocket) send(client);
      else socket.once(endpoint.tls ? 'secureConnect' : 'connect', () => send(client));
    });
    client.on('information', ({ statusCode, rawHeaders }) => {
      if (!over) events.onInterim(statusCode, rawHeaders);
    });
    client.once('response', (response: IncomingMessage) => {
      if (end()) events.onResponse(response);
      else response.destroy();
    });
    client.once('upgrade', (response: IncomingMessage, gear: Socket, first: Buffer) => {
      gear.on('error', () => {});
      if (end()) events.onUpgrade(response, gear, first);
      else gear.destroy();
    });
  }
  function send(client: ClientRequest): void {
    if (over) return;
    open = true;
    clearTimeout(dialTimer);
    client.setTimeout(upstream.responseTimeoutMs, () => {
      fail({ code: 'RESPONSE_TIMEOUT', detail: `${upstream.responseTimeoutMs} ms` });
    });
    events.onOpen();
    if (!request.hasBody) {
      client.end();
      return;
    }
    // Not pipe's own end: the trailers, filtered where they came in, go before it.
    incoming.pipe(client, { end: false });
    incoming.once('end', () => {
      if (client.destroyed) return;
      if (incoming.rawTrailers.length > 0) client.addTrailers(pairsOf(incoming.rawTrailers));
      client.end();
    });
  }

  if (endpoint.versions === 'http2') {
    setImmediate(() => fail({ code: 'CONNECT_HTTP2', detail: 'the http-proxy engine speaks HTTP/1.1 only' }));
    return { fail, abort: () => void end() };
  }
  // What http-proxy would copy from the client: nothing.
  incoming.headers = {};
  options.proxy.web(
    incoming,
    options.response,
    {
      target: {
        protocol: endpoint.tls ? 'https:' : 'http:',
        host: endpoint.address,
        hostname: endpoint.address,
        port: String(endpoint.port),
      },
      agent: options.fresh ? false : endpoint.tls ? options.agents.https : options.agents.http,
      secure: endpoint.verifyTls,
      // The object that http-proxy starts the outgoing options from.
      ssl: { endpointId: endpoint.id, servername: request.servername },
      selfHandleResponse: true,
      toProxy: true,
      ignorePath: true,
      // Only its `pipe` is ever called.
      buffer: { pipe: begin } as unknown as Stream,
    },
    (error: NodeJS.ErrnoException) => fail(open ? exchangeFailure(error) : dialFailure(error, endpoint.tls)),
  );
  return {
    fail,
    abort() {
      end();
      outgoing?.destroy();
    },
  };
}

/** Classifies what happened on an open connection before any answer. */
function exchangeFailure(error: NodeJS.ErrnoException): UpstreamFailure {
  const detail = error.code ?? error.message;
  if (detail.startsWith('HPE_')) return { code: 'RESPONSE_INVALID', detail };
  // Node has one error for an orderly close and invents ECONNRESET for it.
  if (error.message === 'socket hang up') return { code: 'CLOSED_BEFORE_RESPONSE', detail: '' };
  return { code: 'RESET_BEFORE_RESPONSE', detail };
}
