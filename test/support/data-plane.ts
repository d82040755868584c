/** A data plane under test, without the control plane: routes are given as they would be published. */
import type { AddressInfo } from 'node:net';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { createPlane, type Plane } from '../../src/plane/create-plane.ts';
import type {
  AppRoute,
  HostRoute,
  PublishedCertificate,
  PublishedEndpoint,
} from '../../src/table/routing-table.ts';
import type { RequestContext } from '../../src/telemetry/request-context.ts';
import { platformCertificate, publishedCertificate } from './certificates.ts';
import { type MemoryLog, type MemoryMetrics, memoryLog, memoryMetrics } from './memory-telemetry.ts';

export const HOST = 'app-ns.apps.example.test';

export interface DataPlane {
  readonly port: number;
  readonly httpsPort: number;
  readonly plane: Plane;
  readonly metrics: MemoryMetrics;
  readonly log: MemoryLog;
  /** Finished requests, in order. */
  readonly finished: readonly Readonly<RequestContext>[];
  /** Connections that were not decrypted and are over, in order. */
  readonly passed: readonly Readonly<RequestContext>[];
  /** Publishes the application `ns/app` at HOST (or `host`) with these gears. */
  route(
    endpoints: readonly PublishedEndpoint[],
    more?: Partial<AppRoute> & { host?: string; hostRoute?: Partial<HostRoute> },
  ): Promise<void>;
  certificate(host: string, certificate: PublishedCertificate | null): Promise<void>;
  stop(): Promise<void>;
}

/** An endpoint of `ns/app` on loopback. */
export function endpointAt(port: number, more: Partial<PublishedEndpoint> = {}): PublishedEndpoint {
  const address = more.address ?? '127.0.0.1';
  return {
    id: `ns/app ${address}:${port}`,
    gearId: `gear-${port}`,
    address,
    port,
    tls: false,
    versions: 'http1',
    verifyTls: false,
    ...more,
  };
}

type Overrides = {
  readonly [K in 'http' | 'http2' | 'upstream' | 'tls' | 'passThrough' | 'https']?: Partial<Config[K]>;
};

/** Starts on free ports. HTTPS listens when there is a platform certificate: one for each of `platformNames`. */
export async function startDataPlane(
  overrides: Overrides = {},
  platformNames: readonly string[] = [],
  proxyProtocolFrom: readonly string[] = [],
): Promise<DataPlane> {
  const listener = { host: '127.0.0.1', port: 0, proxyProtocolFrom };
  const config = configSchema.parse({
    cloudDomain: 'apps.example.test',
    listeners: { http: [listener], https: platformNames.length > 0 ? [listener] : [] },
    ...overrides,
  });
  const finished: RequestContext[] = [];
  const passed: RequestContext[] = [];
  const metrics = memoryMetrics();
  const log = memoryLog();
  const plane = createPlane({
    config,
    platformCertificates: platformNames.map((name) => platformCertificate(publishedCertificate([name]))),
    log,
    metrics,
    record: (context) => void finished.push(context),
    recordConnection: (context) => void passed.push(context),
  });
  await plane.listen();
  let generation = 0;
  return {
    port: (plane.http[0] as AddressInfo).port,
    httpsPort: plane.https[0]?.port ?? 0,
    plane,
    metrics,
    log,
    finished,
    passed,
    async route(endpoints, more = {}) {
      const { host = HOST, hostRoute = {}, ...route } = more;
      const app = route.app ?? 'ns/app';
      await plane.apply({
        generation: ++generation,
        apps: [
          [
            app,
            {
              app,
              name: host,
              endpoints,
              nodeFrontendsHttp: [],
              nodeFrontendsHttps: [],
              passThrough: [],
              ...route,
            },
          ],
        ],
        hosts: [[host, { app, kind: 'plain', viaNodeFrontend: false, ...hostRoute }]],
        certificates: [],
      });
    },
    async certificate(host, certificate) {
      await plane.apply({
        generation: ++generation,
        apps: [],
        hosts: [],
        certificates: [[host, certificate]],
      });
    },
    stop: () => plane.drain(0),
  };
}
