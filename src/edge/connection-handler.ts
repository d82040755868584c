/** Who speaks HTTP on a connection: the native hop with HTTP/1.1 or HTTP/2, or http-proxy behind the same contract. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../config/schema.ts';
import { createHttpProxyEngine } from '../engine-http-proxy/engine.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { upstreamRequest } from './forwarded-request.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http1Input } from './http1-input.ts';
import { Http1Clock } from './http1-timeouts.ts';
import { Http2Connection } from './http2-connection.ts';
import { http2IsAvailable, http2Options } from './http2-options.ts';
import { RequestBody } from './request-body.ts';
import { answerFor, type EdgeFailureCode, ownAnswer } from './respond.ts';
import { endpointsOf, type Serving } from './serving.ts';
import { describeRequest, newContext, ownAnswerTo, routeRequest } from './start-request.ts';

export interface ConnectionHandler {
  /** Takes a connection over: plain, or with TLS up. */
  handle(socket: Socket, facts: ConnectionFacts): void;
  /** Takes over a connection that agreed on `h2`. */
  handleHttp2(socket: TLSSocket, facts: ConnectionFacts): void;
  /** What TLS clients are offered, best first. */
  readonly alpnProtocols: readonly string[];
  /** Requests under way at an endpoint. */
  load(endpointId: string): number;
  /** An endpoint is gone from the table: connections to it that are not in `serving.pools` end as they fall idle. */
  retire(endpointId: string): void;
  stop(): void;
}

export function createConnectionHandler(config: Config, serving: Serving): ConnectionHandler {
  if (config.http.engine === 'native') {
    const options = http2Options(config);
    return {
      handle: (socket, facts) => void new Http1Connection(socket, serving, facts),
      handleHttp2: (socket, facts) => void new Http2Connection(socket, { serving, facts, options }),
      alpnProtocols: config.http2.enabled && http2IsAvailable ? ['h2', 'http/1.1'] : ['http/1.1'],
      load: serving.pools.load,
      retire: () => {},
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
    routeRequest: (facts, context, head) => routeRequest(serving, facts, context, head),
    answerHead({ scheme, host, app }, head) {
      const { httpsPolicy } = serving;
      return httpsPolicy === null || scheme === 'http' ? head : httpsPolicy.answerHead(host, app, head);
    },
    ownAnswerTo: (context, answer) => ownAnswerTo(serving, context, answer),
    endpointsOf,
    upstreamRequest,
    newHeadFinder: () => new Http1Input(),
    bodyAfter: RequestBody.after,
    newClock: () => new Http1Clock(),
    answerFor,
    ownAnswer,
  });
  return {
    handle(socket, facts) {
      const connection = { ...engine.handleConnection(socket, facts), facts };
      serving.connections.add(connection);
      socket.once('close', () => serving.connections.delete(connection));
    },
    // Never agreed on: whoever chooses Node's own parser gets it for every request.
    handleHttp2: (socket) => void socket.destroy(),
    alpnProtocols: ['http/1.1'],
    // Connections that are not decrypted are in the pools, whatever the engine.
    load: (endpointId) => engine.load(endpointId) + serving.pools.load(endpointId),
    retire: engine.retire,
    stop: engine.stop,
  };
}
