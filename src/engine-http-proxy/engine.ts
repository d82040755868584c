/**
 * The second engine: Node's own HTTP parser and http-proxy behind the same contract as the native hop, for operators who want them
 * (`http.engine: http-proxy`), and as the other's oracle in tests. What reaches Node's parser has passed our strict reader first
 * (screened-connection.ts); what differs from the native engine all the same stands in one table, `test/contract/exceptions.ts`.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { HeadError } from '../http/request-head.ts';
import { createEndpointAgents } from './endpoint-agents.ts';
import { createEndpointLoads } from './endpoint-loads.ts';
import type { EngineConnectionFacts, EngineMeans } from './means.ts';
import { ScreenedConnection } from './screened-connection.ts';
import { type ServedRequest, serveRequest } from './served-request.ts';

/** A connection as the caller's sweep and drain see it. */
export interface EngineConnection {
  /** Ends what has been silent for too long; `now` of performance.now(). */
  sweep(now: number): void;
  /** No further requests: closes when the one under way is answered. */
  drain(): void;
  destroy(): void;
}

export interface HttpProxyEngine {
  /** Takes the connection over. The caller may forget the handle once the socket is closed. */
  handleConnection(socket: Socket | TLSSocket, facts: EngineConnectionFacts): EngineConnection;
  /** Requests under way at an endpoint: what the balancer calls load. */
  load(endpointId: string): number;
  /** The endpoint is gone from the table: its connections end as they fall idle, its tunnels after `upstream.tunnelDrainMs`. */
  retire(endpointId: string): void;
  /** Ends the idle upstream connections; connections still open go down with their sockets. */
  stop(): void;
}

interface ConnectionState {
  readonly facts: EngineConnectionFacts;
  readonly connection: ScreenedConnection;
  request: ServedRequest<'BODY_INVALID' | 'CLIENT_TIMEOUT'> | null;
}

const require = createRequire(import.meta.url);

/** Node's own limit lies above ours: our reader says it first, with its own page. */
const HEAD_ROOM_BYTES = 16_384;

export function createHttpProxyEngine<Code extends string>(means: EngineMeans<Code>): HttpProxyEngine {
  const states = new WeakMap<object, ConnectionState>();
  const agents = createEndpointAgents(means.upstream);
  // With the first engine: hardly anybody chooses it, and it is loaded with every start otherwise.
  const { createProxyServer } = require('http-proxy') as typeof import('http-proxy');
  const proxy = createProxyServer({});
  // Attempts have callbacks; without a listener any other error would end the process.
  proxy.on('error', () => {});
  const loads = createEndpointLoads(means.upstream);
  const parts = { means, proxy, agents, loads };
  const server = createEngineServer(means);

  function serve(incoming: IncomingMessage, response: ServerResponse, upgrade: boolean): void {
    const state = states.get(incoming.socket);
    if (!state) {
      incoming.socket.destroy();
      return;
    }
    const { connection } = state;
    if (connection.last) response.shouldKeepAlive = false;
    response.once('close', () => {
      state.request = null;
      connection.requestOver();
    });
    state.request = serveRequest(parts, state.facts, { incoming, response, connection, upgrade });
  }
  function refuse(state: Omit<ConnectionState, 'request'>, { status, code, reason }: HeadError): void {
    const answer = means.ownAnswer(status, code, `The request was refused: ${reason}.`);
    const { facts, connection } = state;
    const context = means.newContext(facts, connection.startedAt);
    Object.assign(context, { status, failure: code, bytesOut: answer.page.length });
    means.record(context, Math.round((performance.now() - connection.startedAt) * 1_000));
    connection.end(
      `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${answer.fields}Connection: close\r\n\r\n${answer.page}`,
    );
  }
  const plain = (incoming: IncomingMessage, response: ServerResponse) => serve(incoming, response, false);
  server.on('request', plain);
  // Without these two listeners Node would say 100, or 417, before the request has a route.
  server.on('checkContinue', plain);
  server.on('checkExpectation', plain);
  server.on('upgrade', (incoming: IncomingMessage, carrier: Socket) => {
    const response = new ServerResponse(incoming);
    response.shouldKeepAlive = false;
    response.assignSocket(carrier);
    response.once('finish', () => carrier.end());
    serve(incoming, response, true);
  });
  server.on('clientError', (_error: NodeJS.ErrnoException, carrier: Socket) => {
    const state = states.get(carrier);
    // In the middle of an answer an error page would be taken for a part of it.
    if (!carrier.writable || state === undefined || state.request !== null) carrier.destroy();
    else refuse(state, NOT_FOR_NODE);
  });

  return {
    handleConnection(socket, facts) {
      const connection: ScreenedConnection = new ScreenedConnection(socket, means, {
        onRefused: (error) => refuse(state, error),
        onBodyFailure: (code, detail) => state.request?.failBody(code, detail),
      });
      const state: ConnectionState = { facts, connection, request: null };
      states.set(connection, state);
      server.emit('connection', connection);
      return {
        sweep: (now) => connection.sweep(now),
        drain() {
          connection.drain();
          state.request?.drain();
        },
        destroy: () => void socket.destroy(),
      };
    },
    load: loads.load,
    retire(endpointId) {
      agents.retire(endpointId);
      loads.retire(endpointId);
    },
    stop() {
      server.close();
      proxy.close();
      agents.destroy();
    },
  };
}

/** What our reader takes and Node's parser does not: a method that it has no name for. */
const NOT_FOR_NODE: HeadError = {
  code: 'HTTP_PARSE',
  status: 501,
  reason: 'its method is not known here',
};

function createEngineServer<Code extends string>({ http }: EngineMeans<Code>): Server {
  const server = createServer({
    maxHeaderSize: http.maxHeadBytes + HEAD_ROOM_BYTES,
    // All times are watched where the bytes come in.
    headersTimeout: 0,
    requestTimeout: 0,
    keepAliveTimeout: 0,
    requireHostHeader: false,
  });
  // 0 is "no limit": Node would cut the list off without a word; our reader counts.
  server.maxHeadersCount = 0;
  server.timeout = 0;
  return server;
}
