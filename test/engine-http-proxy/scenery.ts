/** The second engine behind a listening socket, wired as `edge` wires it. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { TLSSocket } from 'node:tls';
import { configSchema } from '../../src/config/schema.ts';
import { upstreamRequest } from '../../src/edge/forwarded-request.ts';
import { Http1Input } from '../../src/edge/http1-input.ts';
import { Http1Clock } from '../../src/edge/http1-timeouts.ts';
import { RequestBody } from '../../src/edge/request-body.ts';
import { answerFor, ownAnswer } from '../../src/edge/respond.ts';
import { endpointsOf } from '../../src/edge/serving.ts';
import { describeRequest, newContext, routeRequest } from '../../src/edge/start-request.ts';
import {
  createHttpProxyEngine,
  type EngineConnection,
  type HttpProxyEngine,
} from '../../src/engine-http-proxy/engine.ts';
import type { EngineMeans } from '../../src/engine-http-proxy/means.ts';
import { trustOf } from '../../src/http/trusted-proxies.ts';
import type { AppRoute, HostKind, PublishedEndpoint } from '../../src/table/routing-table.ts';
import type { RequestContext } from '../../src/telemetry/request-context.ts';
import type { UpstreamFailure } from '../../src/upstream/failure.ts';
import { type Echo, startGear, startRawGear } from '../support/gear.ts';

export const host = 'demo-ns.apps.test';

export function endpointAt(port: number, over: Partial<PublishedEndpoint> = {}): PublishedEndpoint {
  return {
    id: `ns/demo|127.0.0.1:${port}|plain`,
    gearId: `gear-${port}`,
    address: '127.0.0.1',
    port,
    tls: false,
    versions: 'http1',
    verifyTls: false,
    ...over,
  };
}

export interface Scene {
  readonly port: number;
  readonly contexts: RequestContext[];
  readonly observed: { port: number; failure: UpstreamFailure | null }[];
  readonly connections: Set<EngineConnection>;
  readonly engine: HttpProxyEngine;
  /** May be changed while requests run. */
  endpoints: PublishedEndpoint[];
  aliasEndpoints: PublishedEndpoint[];
}

export async function startScene(
  t: TestContext,
  endpoints: readonly PublishedEndpoint[],
  options: {
    readonly http?: Record<string, unknown>;
    readonly upstream?: Record<string, unknown>;
    readonly tls?: { cert: string; key: string };
  } = {},
): Promise<Scene> {
  const config = configSchema.parse({
    cloudDomain: 'apps.test',
    listeners: {},
    http: options.http ?? {},
    upstream: options.upstream ?? {},
  });
  const connections = new Set<EngineConnection>();
  const scene: Omit<Scene, 'port' | 'engine'> = {
    contexts: [],
    observed: [],
    connections,
    endpoints: [...endpoints],
    aliasEndpoints: [],
  };
  const route = (name: string) => {
    const kind: HostKind | null = name === host ? 'plain' : name === 'www.example.test' ? 'alias' : null;
    if (kind === null) return null;
    const app: AppRoute = {
      app: 'ns/demo',
      name: host,
      endpoints: scene.endpoints,
      nodeFrontendsHttp: scene.aliasEndpoints,
      nodeFrontendsHttps: scene.aliasEndpoints,
      passThrough: [],
    };
    return {
      name,
      host: { app: 'ns/demo', kind, viaNodeFrontend: scene.aliasEndpoints.length > 0 },
      route: app,
    };
  };
  const means: EngineMeans<Parameters<typeof answerFor>[0]> = {
    http: config.http,
    upstream: config.upstream,
    trust: trustOf(config.http.trustedProxies),
    newContext,
    describeRequest,
    routeRequest: (facts, context, head) =>
      routeRequest(
        {
          route,
          generation: 7,
          isMisdirected: () => false,
          requiresClientCertificate: () => false,
          httpsPolicy: null,
        } as unknown as Parameters<typeof routeRequest>[0],
        facts,
        context,
        head,
      ),
    answerHead: (_context, head) => head,
    ownAnswerTo: (_context, answer) => answer,
    endpointsOf,
    upstreamRequest,
    pick: (all, tried) => all.find((endpoint) => !tried.includes(endpoint)) ?? null,
    observe: ({ port }, failure) => void scene.observed.push({ port, failure }),
    record: (context) => void scene.contexts.push(context),
    newHeadFinder: () => new Http1Input(),
    bodyAfter: RequestBody.after,
    newClock: () => new Http1Clock(),
    answerFor,
    ownAnswer,
  };
  const engine = createHttpProxyEngine(means);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const facts = {
      scheme: options.tls ? ('https' as const) : ('http' as const),
      peerAddress: socket.remoteAddress ?? '',
      peerPort: socket.remotePort ?? 0,
      port: options.tls ? 443 : 80,
      serverName: null,
      client: null,
    };
    const carrier = options.tls ? new TLSSocket(socket, { isServer: true, ...options.tls }) : socket;
    carrier.on('error', () => {});
    const connection = engine.handleConnection(carrier, facts);
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    engine.stop();
    await closed;
  });
  return Object.assign(scene, { engine, port: (server.address() as AddressInfo).port });
}

export async function gearFor(t: TestContext, options: Parameters<typeof startGear>[0] = {}) {
  const gear = await startGear(options);
  t.after(() => gear.stop());
  return gear;
}
export async function rawGearFor(t: TestContext, ...script: Parameters<typeof startRawGear>) {
  const gear = await startRawGear(...script);
  t.after(() => gear.stop());
  return gear;
}
/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const gear = await startGear();
  await gear.stop();
  return gear.port;
}
export const echoOf = (body: Buffer) => JSON.parse(body.toString()) as Echo;
