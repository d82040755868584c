/** Which engine speaks HTTP on a connection: the native hop, or http-proxy behind the same contract. */
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import { createHttpProxyEngine } from '../engine-http-proxy/engine.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { Http1Connection } from './http1-connection.ts';
import { answerFor, type EdgeFailureCode, ownAnswer } from './respond.ts';
import { endpointsOf, type Serving } from './serving.ts';
import { describeRequest, newContext, routeRequest, upstreamRequest } from './start-request.ts';

export interface ConnectionHandler {
  /** Takes a connection over: plain, or with TLS up. */
  handle(socket: Socket, facts: ConnectionFacts): void;
  stop(): void;
}

export function createConnectionHandler(config: Config, serving: Serving): ConnectionHandler {
  if (config.http.engine === 'native') {
    return {
      handle: (socket, facts) => void new Http1Connection(socket, serving, facts),
      stop: () => {},
    };
  }
  const engine = createHttpProxyEngine<EdgeFailureCode>({
    http: config.http,
    upstream: config.upstream,
    trust: serving.trust,
    pick: serving.pick,
    observe: serving.observe,
    record: serving.record,
    newContext,
    describeRequest,
    routeRequest: (context, head) => routeRequest(serving, context, head),
    endpointsOf,
    upstreamRequest,
    answerFor,
    ownAnswer,
  });
  return {
    handle(socket, facts) {
      const connection = engine.handleConnection(socket, facts);
      serving.connections.add(connection);
      socket.once('close', () => serving.connections.delete(connection));
    },
    stop: engine.stop,
  };
}
