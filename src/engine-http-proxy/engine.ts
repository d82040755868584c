/**
 * The second engine, EXPERIMENTAL: Node's own HTTP parser and http-proxy behind the same contract as the native hop, for operators who
 * want them (`http.engine: http-proxy`), and as the oracle of differential tests. What Node's parser accepts and ours would not
 * (bare LF, other protocols' names) is known and not closed here yet.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import httpProxy from 'http-proxy';
import { createEndpointAgents } from './endpoint-agents.ts';
import type { EngineConnectionFacts, EngineMeans } from './means.ts';
import { serveRequest, type UpgradeRequest } from './served-request.ts';

/** A connection as the caller's sweep and drain see it. */
export interface EngineConnection {
  /** Node's server looks after its time-outs by itself. */
  sweep(now: number): void;
  /** No further requests: closes when the one under way is answered. */
  drain(): void;
  destroy(): void;
}

export interface HttpProxyEngine {
  /** Takes the connection over. The caller may forget the handle once the socket is closed. */
  handleConnection(socket: Socket | TLSSocket, facts: EngineConnectionFacts): EngineConnection;
  /** Ends the idle upstream connections and the timers; connections still open go down with their sockets. */
  stop(): void;
}

interface ConnectionState {
  readonly facts: EngineConnectionFacts;
  /** A request is under way; further ones wait for its answer. */
  busy: boolean;
  readonly pipelined: (() => void)[];
  draining: boolean;
}

/** How often Node looks for heads that take too long. */
const CHECK_INTERVAL_MS = 1_000;
/** Requests a client may send ahead of an answer. */
const MAX_PIPELINED = 64;

export function createHttpProxyEngine<Code extends string>(means: EngineMeans<Code>): HttpProxyEngine {
  const states = new WeakMap<Socket, ConnectionState>();
  const agents = createEndpointAgents(means.upstream);
  const proxy = httpProxy.createProxyServer({});
  // Attempts have callbacks; without a listener any other error would end the process.
  proxy.on('error', () => {});
  const parts = { means, proxy, agents };
  const server = createEngineServer(means);

  const serve = (incoming: IncomingMessage, response: ServerResponse, upgrade: UpgradeRequest | null) => {
    const { socket } = incoming;
    const state = states.get(socket);
    if (!state) {
      socket.destroy();
      return;
    }
    if (state.busy) {
      // Node starts pipelined requests all at once: one client could open any number of upstream connections.
      if (
        upgrade !== null ||
        state.pipelined.push(() => begin(state, incoming, response, null)) > MAX_PIPELINED
      )
        socket.destroy();
      return;
    }
    begin(state, incoming, response, upgrade);
  };
  function begin(
    state: ConnectionState,
    incoming: IncomingMessage,
    response: ServerResponse,
    upgrade: UpgradeRequest | null,
  ): void {
    const { socket } = incoming;
    state.busy = true;
    if (state.draining) response.shouldKeepAlive = false;
    response.once('close', () => {
      state.busy = false;
      if (socket.destroyed) return;
      const next = state.pipelined.shift();
      if (next) next();
      else if (state.draining && upgrade === null) socket.end();
    });
    serveRequest(parts, state.facts, incoming, response, upgrade);
  }
  const plain = (incoming: IncomingMessage, response: ServerResponse) => serve(incoming, response, null);
  server.on('request', plain);
  // Without these two listeners Node would say 100, or 417, before the request has a route.
  server.on('checkContinue', plain);
  server.on('checkExpectation', plain);
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket, early: Buffer) => {
    socket.on('error', () => {});
    const response = new ServerResponse(incoming);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.destroySoon());
    serve(incoming, response, { socket, early });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const state = states.get(socket);
    if (!socket.writable || state === undefined || state.busy) {
      // In the middle of an answer an error page would be taken for a part of it.
      socket.destroy();
      return;
    }
    const [status, code, sentence] = parseFailure(error);
    const answer = means.ownAnswer(status, code, sentence);
    const context = means.newContext(state.facts, performance.now());
    Object.assign(context, { status, failure: code, bytesOut: answer.page.length });
    means.record(context, 0);
    socket.end(
      `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${answer.fields}Connection: close\r\n\r\n${answer.page}`,
    );
  });

  return {
    handleConnection(socket, facts) {
      const state: ConnectionState = { facts, busy: false, pipelined: [], draining: false };
      states.set(socket, state);
      server.emit('connection', socket);
      return {
        sweep: () => {},
        drain() {
          state.draining = true;
          if (!state.busy) socket.end();
        },
        destroy: () => {
          socket.destroy();
        },
      };
    },
    stop() {
      server.close();
      proxy.close();
      agents.destroy();
    },
  };
}

function createEngineServer<Code extends string>({ http, upstream }: EngineMeans<Code>): Server {
  const server = createServer({
    maxHeaderSize: http.maxHeadBytes,
    headersTimeout: http.headTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: http.keepAliveTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Our own reader of heads says so, with our own page.
    requireHostHeader: false,
  });
  // 0 is "no limit": Node would cut the list off without a word; the size is bounded and our reader counts.
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = http.maxRequestsPerConnection;
  // Silence in both directions, while the client is to send as while the gear is to answer.
  server.timeout = Math.max(
    http.bodyIdleTimeoutMs,
    upstream.responseTimeoutMs + upstream.connectTimeoutMs * upstream.maxAttempts,
  );
  // A client that has ended its side still gets the answer it waits for.
  Object.assign(server, { httpAllowHalfOpen: true });
  // It never listens; this is what makes Node watch over the times of the connections it is given.
  server.emit('listening');
  return server;
}

function parseFailure(error: NodeJS.ErrnoException): [number, string, string] {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'HTTP_HEAD_TOO_LARGE', 'The request was refused: its head is too large.'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'HTTP_HEAD_TIMEOUT', 'The request was refused: its head did not arrive in time.'];
    default:
      return [400, 'HTTP_PARSE', 'The request was refused: it is not valid HTTP.'];
  }
}
