/**
 * The configuration: every key, its unit, its default. `validate.ts` turns a parsed file into this or into the list of all
 * problems; nothing else in the house reads raw configuration. Times are milliseconds (`...Ms`), sizes bytes (`...Bytes`).
 */

import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { DEFAULT_STATE_DIR } from './default-state-dir.ts';
import { certificatesSection } from './schema-certificates.ts';
import { clientCertificatesSection } from './schema-client-certificates.ts';
import { httpsSection } from './schema-https.ts';
import { journalSchema } from './schema-journal.ts';
import { masterKeySection } from './schema-master-key.ts';
import { passThrough } from './schema-pass-through.ts';
import { shadowSection } from './schema-shadow.ts';
import { storeSection } from './schema-store.ts';
import { tableSchema } from './schema-table.ts';
import { tlsSection } from './schema-tls.ts';
import { upstreamHttp2, upstreamTls } from './schema-upstream.ts';

const port = z.int().min(0).max(65535);
const ms = z.int().min(1);
const bytes = z.int().min(1);
const count = z.int().min(1);

/** Where a listener binds. `advertisedPort` is what clients see (behind a NAT) and goes into X-Forwarded-Port; default: `port`. */
const listener = z.strictObject({
  host: z.string().default('::'),
  port,
  advertisedPort: port.optional(),
  /** CIDRs of load balancers in front of us that begin each connection with a PROXY header (version 1 or 2); they must. */
  proxyProtocolFrom: z.array(z.string()).default([]),
});

const tlsClient = z.strictObject({
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  servername: z.string().optional(),
  verify: z.boolean().default(true),
});

/** The message bus (ActiveMQ over STOMP). `destination` is `/queue/...` or `/topic/...`; a topic wants `clientId` and `subscriptionName` to be durable. */
const bus = z.strictObject({
  hosts: z
    .array(z.strictObject({ host: z.string().min(1), port: port.default(61613), tls: tlsClient.optional() }))
    .min(1),
  login: z.string().optional(),
  passcode: z.string().optional(),
  passcodeFile: z.string().optional(),
  vhost: z.string().optional(),
  destination: z.string().regex(/^\/(queue|topic)\/.+/, 'must begin with /queue/ or /topic/'),
  clientId: z.string().optional(),
  subscriptionName: z.string().optional(),
  // Several batches: the next ones are here while one is made durable.
  prefetch: count.default(2_000),
  heartbeatMs: ms.default(10_000),
  connectTimeoutMs: ms.default(10_000),
  reconnectMinMs: ms.default(250),
  reconnectMaxMs: ms.default(10_000),
});

/** The embedded STOMP intake, for platforms that have no message bus of their own. */
const intake = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port,
  login: z.string().optional(),
  passcode: z.string().optional(),
  passcodeFile: z.string().optional(),
  maxConnections: count.default(256),
  idleTimeoutMs: ms.default(60_000),
});

export const configSchema = z.strictObject({
  /** Domain of the application names, e.g. `apps.example.com` (CLOUD_DOMAIN of the broker). */
  cloudDomain: z
    .string()
    // Letters of all scripts: an internationalised domain may be written as people read it (RFC 5890, U-labels).
    .regex(/^[\p{L}\p{M}\p{N}.-]+$/u, 'must be a DNS name')
    .transform((name) => domainToASCII(name))
    .pipe(z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a DNS name')),
  names: z
    .strictObject({
      haPrefix: z
        .string()
        .regex(/^[a-z0-9-]*$/i)
        .default('ha-'),
      haSuffix: z
        .string()
        .regex(/^[a-z0-9.-]*$/i)
        .default(''),
    })
    .prefault({}),
  listeners: z.strictObject({ http: z.array(listener).default([]), https: z.array(listener).default([]) }),
  admin: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(9090),
      /** Further Host values that the admin listener answers to; its own address and `localhost` always are. */
      allowedHosts: z.array(z.string()).default([]),
    })
    .prefault({}),
  bus: bus.optional(),
  intake: intake.optional(),
  /** Limits of one event body, whatever way it came. */
  events: z
    .strictObject({
      maxBodyBytes: bytes.default(1_048_576),
      maxDepth: count.default(16),
      maxAliases: z.int().min(0).default(16),
      maxBatch: count.default(1_024),
      /** Messages kept in quarantine: how many, how large all together, how long. */
      maxQuarantined: count.default(1_000),
      maxQuarantineBytes: bytes.default(67_108_864),
      maxQuarantineAgeMs: ms.default(2_592_000_000),
    })
    .prefault({}),
  table: tableSchema,
  journal: journalSchema,
  stateDir: z.string().min(1).default(DEFAULT_STATE_DIR),
  store: storeSection,
  shadow: shadowSection,
  tls: tlsSection.prefault({}),
  certificates: certificatesSection,
  passThrough,
  https: httpsSection,
  masterKey: masterKeySection,
  clientCertificates: clientCertificatesSection,
  endpoints: z
    .strictObject({
      /** Endpoint types that traffic may be sent to (ENDPOINT_TYPES of the routing daemon). */
      types: z.array(z.string()).min(1).default(['load_balancer']),
      allowLoopbackEndpoints: z.boolean().default(false),
      /** public_address -> address to dial, for clouds whose public addresses cannot be reached from here. */
      addressMap: z.record(z.string(), z.string()).default({}),
      /** Verify the certificates of https/wss gears. Gears present self-signed ones as a rule, hence off. */
      verifyTls: z.boolean().default(false),
    })
    .prefault({}),
  http: z
    .strictObject({
      engine: z.enum(['native', 'http-proxy']).default('native'),
      /** CIDRs of proxies in front of us whose forwarding headers are believed. */
      trustedProxies: z.array(z.string()).default([]),
      maxHeadBytes: bytes.default(32_768),
      maxTargetBytes: bytes.default(16_384),
      maxHeaders: count.default(128),
      headTimeoutMs: ms.default(15_000),
      /** What a head that is not whole after 5 s has to bring in each further second; 0: any speed. */
      minHeadBytesPerSecond: z.int().min(0).default(100),
      keepAliveTimeoutMs: ms.default(65_000),
      bodyIdleTimeoutMs: ms.default(60_000),
      /** What a body has to bring in each second, over a window, while the gear takes it and has not begun to answer; 0: any speed. */
      minBodyBytesPerSecond: z.int().min(0).default(100),
      bodyRateWindowMs: ms.default(30_000),
      tunnelIdleTimeoutMs: ms.default(3_600_000),
      maxConnections: count.default(50_000),
      /** Open connections of one client address (of IPv6: of one /64), trusted proxies apart; 0: no limit. */
      maxConnectionsPerAddress: z.int().min(0).default(0),
      maxRequestsPerConnection: count.default(1_000_000),
    })
    .prefault({}),
  /** HTTP/2 on the HTTPS listeners, with the native engine; the time-outs and head limits of `http` hold here too. */
  http2: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** Requests under way on one connection. */
      maxConcurrentStreams: count.default(100),
      /** How much of a request's body a client may send before the gear takes some of it. */
      streamWindowBytes: z
        .int()
        .min(65_535)
        .max(2 ** 31 - 1)
        .default(131_072),
      /** WebSockets by extended CONNECT (RFC 8441). */
      webSockets: z.boolean().default(true),
      /** Requests that a client may break off, and PING, SETTINGS and PRIORITY frames that it may send, within `floodWindowMs`. */
      maxResets: count.default(200),
      maxControlFrames: count.default(1_000),
      floodWindowMs: ms.default(10_000),
    })
    .prefault({}),
  upstream: z
    .strictObject({
      connectTimeoutMs: ms.default(5_000),
      /** Longest silence of a gear before and within its answer. */
      responseTimeoutMs: ms.default(60_000),
      /** Below the 10 s after which a gear's haproxy closes idle connections. */
      idleTimeoutMs: ms
        .max(9_500, 'must stay below 9500: the gear haproxy closes idle connections at 10 s')
        .default(8_000),
      maxIdlePerEndpoint: z.int().min(0).default(64),
      /**
       * Requests and tunnels under way at one endpoint, above which it gets no more; 0: no limit. It keeps one slow application from
       * taking all descriptors. Not the gear haproxy's own 128: what is above that waits in its backlog, which beats a refusal.
       */
      maxInFlightPerEndpoint: z.int().min(0).default(1_024),
      maxAttempts: count.default(3),
      /** How long a tunnel may go on after its endpoint left the table. */
      tunnelDrainMs: ms.default(30_000),
      tls: upstreamTls,
      http2: upstreamHttp2,
    })
    .prefault({}),
  keepAwake: z
    .strictObject({
      enabled: z.boolean().default(true),
      intervalMs: ms.default(900_000),
      timeoutMs: ms.default(10_000),
      port: port.default(80),
      path: z.string().startsWith('/').default('/health'),
      maxPerSecondPerNode: count.default(10),
    })
    .prefault({}),
  nodeFrontend: z
    .strictObject({
      /** Send requests whose Host is an alias to the node frontend instead of the port proxy. */
      aliases: z.boolean().default(false),
      /** The same switch for single applications: `namespace/app` -> true or false. */
      applications: z.record(z.string(), z.boolean()).default({}),
      httpPort: port.default(80),
      httpsPort: port.default(443),
      verifyTls: z.boolean().default(false),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      /** A path, or `stderr`. */
      file: z.string().default('stderr'),
    })
    .prefault({}),
  accessLog: z
    .strictObject({
      /** A path, `stdout`, or `off`. */
      file: z.string().default('stdout'),
    })
    .prefault({}),
  /** How long open requests may take to finish after a stop signal. */
  drainTimeoutMs: ms.default(30_000),
});

/** The whole configuration with every default filled in. */
export type Config = Readonly<z.output<typeof configSchema>>;
export type BusConfig = NonNullable<Config['bus']>;
export type IntakeConfig = NonNullable<Config['intake']>;
export type ListenerConfig = Config['listeners']['http'][number];
