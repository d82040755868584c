/**
 * The data plane's root, one a thread: takes change batches, prepares, swaps, confirms the generation, retires what is gone.
 * Never waits for the control plane.
 */
import type net from 'node:net';
import { createEjections } from '../balancer/ejection.ts';
import { pickLeastLoaded } from '../balancer/pick.ts';
import { createCertificateBook, type ListedCertificate } from '../certificates/certificate-book.ts';
import { createClientDemands, type LoadedClientRule } from '../certificates/client-demands.ts';
import type { Unseal } from '../certificates/contexts.ts';
import type { PlatformCertificate } from '../certificates/load-platform.ts';
import type { Staple } from '../certificates/staples.ts';
import type { TicketSecret } from '../certificates/ticket-keys.ts';
import type { Config } from '../config/schema.ts';
import { createAddressLimit } from '../edge/address-limit.ts';
import { type ConnectionFacts, trustFrom } from '../edge/connection-facts.ts';
import { createConnectionHandler } from '../edge/connection-handler.ts';
import { createHttpsPolicy } from '../edge/https-policy.ts';
import { type Listener, startListener } from '../edge/listener.ts';
import { misdirectionBy } from '../edge/misdirection.ts';
import { createPassThroughRules } from '../edge/pass-through-target.ts';
import type { LiveConnection, Serving } from '../edge/serving.ts';
import { createRouter } from '../router/router.ts';
import type { AppRoute, PublishedEndpoint, TableChanges } from '../table/routing-table.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { blamesEndpoint } from '../upstream/failure.ts';
import { createPools } from '../upstream/pools.ts';
import { startSweep } from '../upstream/sweep.ts';
import { createUpstreamTls } from '../upstream/tls-policy.ts';
import { createTlsReport } from '../upstream/tls-report.ts';
import { createTlsFront } from './tls-front.ts';

export interface PlaneOptions {
  readonly config: Config;
  readonly platformCertificates: readonly PlatformCertificate[];
  /** Default: no host asks for client certificates. */
  readonly clientRules?: readonly LoadedClientRule[];
  /** Keys of session tickets, newest first; default: a random one. */
  readonly ticketSecrets?: readonly TicketSecret[];
  /** Called when a handshake gets a certificate that none had lately. Plain data. */
  readonly onCertificateUse?: (certificate: { readonly id: string; readonly chainPem: string }) => void;
  /** Opens the certificates of aliases; default: they cannot be opened. */
  readonly unseal?: Unseal;
  readonly log: Log;
  readonly metrics: Metrics;
  record(context: RequestContext, durationUs: number): void;
  /** A connection that was not decrypted is over. */
  recordConnection(context: RequestContext, durationUs: number): void;
}

/** Plain numbers and lists for admin. */
export interface PlaneStatus {
  readonly generation: number;
  readonly hosts: number;
  readonly applications: number;
  readonly connections: number;
  readonly pools: number;
  readonly idleUpstreamConnections: number;
  readonly ejected: readonly string[];
  readonly certificates: number;
}

export interface Plane {
  /** Binds every listener of the configuration; rejects with the system's error, whose `address` and `port` say which. */
  listen(): Promise<void>;
  readonly http: readonly net.AddressInfo[];
  readonly https: readonly net.AddressInfo[];
  /** Applies a batch as one step; resolves with the generation that now serves. */
  apply(changes: TableChanges): Promise<number>;
  status(): PlaneStatus;
  certificates(): readonly ListedCertificate[];
  setPlatformCertificates(certificates: readonly PlatformCertificate[]): void;
  setTicketSecrets(secrets: readonly TicketSecret[]): void;
  /** The OCSP response of a certificate; null: none any more. */
  setStaple(id: string, staple: Staple | null): void;
  /** Whether handshakes get this certificate. */
  usesCertificate(id: string): boolean;
  /** What clients' certificates are verified against from now on. Connections made under what no longer holds end after their request. */
  setClientRules(rules: readonly LoadedClientRule[]): void;
  /** Stops accepting, lets open requests finish up to `timeoutMs`, then ends what is left. */
  drain(timeoutMs: number): Promise<void>;
}

/** Builds the data plane; nothing is bound before `listen`. */
export function createPlane(options: PlaneOptions): Plane {
  const { config, log, metrics } = options;
  const router = createRouter();
  const pools = createPools(config.upstream, createUpstreamTls(config.upstream.tls, metrics));
  const tlsReport = createTlsReport(config, log, metrics);
  const ejections = createEjections();
  const connections = new Set<LiveConnection>();
  const undecrypted = createPassThroughRules(config.passThrough);
  const demands = createClientDemands(options.clientRules ?? []);
  const certificates = createCertificateBook({
    config: config.tls,
    platform: options.platformCertificates,
    ...(options.unseal === undefined ? {} : { unseal: options.unseal }),
    log,
    metrics,
    isServed: (host) => router.route(host) !== null,
    demandOf: demands.of,
    ...(options.ticketSecrets === undefined ? {} : { ticketSecrets: options.ticketSecrets }),
    ...(options.onCertificateUse === undefined ? {} : { onUse: options.onCertificateUse }),
  });
  const listeners: Listener[] = [];
  const bound = { http: [] as net.AddressInfo[], https: [] as net.AddressInfo[] };
  let turn = 0;
  const facts = { load: (id: string) => handler.load(id), ejected: ejections.ejected };

  const trust = trustFrom(config.http);
  const httpsPort = (): number | null => {
    const ports = config.listeners.https.map(
      ({ advertisedPort }, n) => advertisedPort ?? bound.https[n]?.port ?? 0,
    );
    return ports.includes(443) ? 443 : (ports[0] ?? null);
  };

  const misdirection = misdirectionBy({
    policy: config.tls.misdirected,
    sameCertificate: certificates.sameCertificate,
    // A name that is never decrypted: no connection that was may stand for it.
    clientDemandOf: (host) =>
      host !== null && undecrypted(host) !== null ? 'undecrypted' : (demands.of(host)?.id ?? ''),
  });

  // Plain properties, set where they change: with a getter in it V8 makes a slow dictionary of an object literal, for every request.
  const serving: Serving & { generation: number; draining: boolean } = {
    http: config.http,
    http2: config.http2,
    maxAttempts: config.upstream.maxAttempts,
    trust,
    pools,
    connections,
    route: router.route,
    isMisdirected: misdirection.isMisdirected,
    httpsPolicy: createHttpsPolicy({
      config: config.https,
      trust,
      hasCertificate: certificates.hasGoodFor,
      httpsPort,
    }),
    requiresClientCertificate: (host) => demands.of(host)?.mode === 'require',
    record: options.record,
    generation: 0,
    draining: false,
    pick: (endpoints, tried) => pickLeastLoaded(endpoints, tried, facts, turn++),
    observe(endpoint, failure) {
      if (failure === null) {
        ejections.observe(endpoint.id, 'answered');
        return;
      }
      if (blamesEndpoint(failure.code)) ejections.observe(endpoint.id, 'unconnected');
      if (endpoint.tls) tlsReport.failed(endpoint, failure, performance.now());
    },
  };

  const stopSweep = startSweep((now) => {
    // Certificates come and go with time too.
    misdirection.forget();
    for (const connection of connections) connection.sweep(now);
  });

  const handler = createConnectionHandler(config, serving);
  const proxyHeaderFailures = metrics.counter(
    'proxy_header_failures_total',
    'Connections without the PROXY header that they must send',
  );
  const onHttps = createTlsFront({
    config,
    serving,
    handler,
    certificates,
    demands,
    log,
    metrics,
    recordConnection: options.recordConnection,
  });
  const withinLimit = createAddressLimit({
    maxPerAddress: config.http.maxConnectionsPerAddress,
    trusted: trust,
    metrics,
  });

  const open = async (
    scheme: 'http' | 'https',
    onConnection: (socket: net.Socket, facts: ConnectionFacts) => void,
  ): Promise<void> => {
    for (const listenerConfig of config.listeners[scheme]) {
      const listener = await startListener(listenerConfig, scheme, {
        maxConnections: config.http.maxConnections,
        onConnection: withinLimit(onConnection),
        onProxyHeaderFailure: () => proxyHeaderFailures.inc(),
        onError: (error) =>
          log.error('a listener has trouble accepting connections', { scheme, error: error.message }),
      });
      listeners.push(listener);
      bound[scheme].push(listener.address);
      log.info('listening', { scheme, address: listener.address.address, port: listener.address.port });
    }
  };

  return {
    http: bound.http,
    https: bound.https,
    async listen() {
      await open('http', handler.handle);
      await open('https', onHttps);
    },
    async apply(changes) {
      certificates.apply(changes.certificates);
      for (const { before, after } of router.apply(changes)) {
        for (const id of goneEndpoints(before, after)) {
          pools.retire(id);
          handler.retire(id);
          ejections.forget(id);
          tlsReport.forget(id);
        }
      }
      misdirection.forget();
      serving.generation = changes.generation;
      return changes.generation;
    },
    status: () => ({
      generation: router.generation(),
      hosts: router.hosts(),
      applications: router.applications(),
      connections: connections.size,
      pools: pools.size(),
      idleUpstreamConnections: pools.idle(),
      ejected: ejections.list(),
      certificates: certificates.size(),
    }),
    certificates: certificates.list,
    setPlatformCertificates(renewed) {
      certificates.setPlatform(renewed);
      misdirection.forget();
    },
    setClientRules(rules) {
      const gone = demands.replace(rules);
      misdirection.forget();
      certificates.forgetDemands(gone);
      for (const connection of connections) {
        const demandId = connection.facts?.client?.demandId;
        if (demandId !== undefined && gone.has(demandId)) connection.drain();
      }
    },
    setTicketSecrets: certificates.setTicketSecrets,
    setStaple: certificates.setStaple,
    usesCertificate: certificates.isInUse,
    async drain(timeoutMs) {
      serving.draining = true;
      await Promise.race([
        Promise.all(listeners.map((listener) => listener.close())),
        drained(connections, timeoutMs),
      ]);
      for (const connection of connections) connection.destroy();
      stopSweep();
      handler.stop();
      certificates.stop();
      pools.close();
    },
  };
}

function goneEndpoints(before: AppRoute | null, after: AppRoute | null): readonly string[] {
  if (before === null) return [];
  const kept = new Set(after === null ? [] : allEndpoints(after).map((endpoint) => endpoint.id));
  return allEndpoints(before)
    .map((endpoint) => endpoint.id)
    .filter((id) => !kept.has(id));
}

function allEndpoints(route: AppRoute): readonly PublishedEndpoint[] {
  return [...route.endpoints, ...route.nodeFrontendsHttp, ...route.nodeFrontendsHttps, ...route.passThrough];
}

/** Asks every connection to end after its request; resolves when none is left or time is up. */
function drained(connections: ReadonlySet<LiveConnection>, timeoutMs: number): Promise<void> {
  for (const connection of connections) connection.drain();
  const end = performance.now() + timeoutMs;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (connections.size > 0 && performance.now() < end) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
}
