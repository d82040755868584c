/** Every certificate that this thread serves, and the one context that a handshake under a given name gets. */
import { randomBytes } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { Config } from '../config/schema.ts';
import type { PublishedCertificate, TableChanges } from '../table/routing-table.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { type ClientOffer, canVerify } from './client-ability.ts';
import type { ClientDemand, ClientDemands } from './client-demands.ts';
import { createContexts, type Unseal } from './contexts.ts';
import type { PlatformCertificate } from './load-platform.ts';
import { byPreference, defaultsAmong, successorOf } from './platform-order.ts';
import { createPrewarm } from './prewarm.ts';
import { type CertificateSource, createSniIndex, type Match, normalise } from './sni-index.ts';
import { createStaples, type Staple } from './staples.ts';
import { createTicketKeys, type TicketSecret } from './ticket-keys.ts';
import { tlsSettingsOf } from './tls-settings.ts';

export interface ChosenContext {
  readonly context: SecureContext;
  /** What the context's sessions are bound to: the host name, or the pattern (`*.apps.example.com`, '') for hosts that are not served. */
  readonly name: string;
  readonly source: CertificateSource;
  readonly certificateId: string;
  /** The certificate's OCSP response, to be stapled where the client asks for it. */
  readonly staple: Buffer | null;
  /** What was asked of the client; null: no certificate. */
  readonly demand: ClientDemand | null;
}

/** Plain data for admin. */
export interface ListedCertificate {
  /** Host of an alias; the first name of a platform certificate. */
  readonly name: string;
  readonly id: string;
  readonly source: 'alias' | 'platform';
}

export interface CertificateBook {
  /** Takes changes of aliases' certificates; the next handshake under those names gets the new ones. Costs what it changes. */
  apply(certificates: TableChanges['certificates']): void;
  /**
   * The context for a client: of the certificates for its server name the first that it can verify, else the first. Null where the policy
   * refuses the name, or there is no certificate that OpenSSL takes. Never throws.
   */
  contextFor(offer: ClientOffer): ChosenContext | null;
  /** Whether a handshake under either name would get one and the same certificate. Builds no context. */
  sameCertificate(one: string | null, other: string | null): boolean;
  /** Whether a handshake for this host gets a certificate that stands for it and is not out of date. Builds no context. */
  hasGoodFor(host: string): boolean;
  /** Puts the platform's certificates in the place of the former ones. Costs what is cached of those that are gone. */
  setPlatform(certificates: readonly PlatformCertificate[]): void;
  /** These demands no longer hold: their contexts go. */
  forgetDemands(ids: ReadonlySet<string>): void;
  /** Keys of session tickets, newest first. */
  setTicketSecrets(secrets: readonly TicketSecret[]): void;
  /** The OCSP response of a certificate; null: none any more. */
  setStaple(id: string, staple: Staple | null): void;
  /** Whether handshakes get this certificate: one of the platform, or one that a handshake had lately. */
  isInUse(id: string): boolean;
  list(): readonly ListedCertificate[];
  /** Number of aliases with a certificate. */
  size(): number;
  stop(): void;
}

export interface CertificateBookOptions {
  readonly config: Config['tls'];
  /** In the order of the configuration. */
  readonly platform: readonly PlatformCertificate[];
  readonly log: Log;
  readonly metrics: Metrics;
  /**
   * Whether requests for this host (lower-case, no trailing dot) would be routed. Names that nobody serves share one context for
   * each certificate: otherwise a client that makes up names under a wildcard would have a context built, at 2 ms, for each of them and drive
   * the good ones out of the cache. Default: every name is served.
   */
  readonly isServed?: (host: string) => boolean;
  /** Called when a handshake gets a certificate that none had lately. Default: nobody wants to know. */
  readonly onUse?: (certificate: { readonly id: string; readonly chainPem: string }) => void;
  /** Which hosts ask their clients for certificates. Default: none. */
  readonly demandOf?: ClientDemands['of'];
  /** Newest first; threads and instances that share them resume each other's sessions. Default: a random one. */
  readonly ticketSecrets?: readonly TicketSecret[];
  /** Default: sealed certificates cannot be opened. */
  readonly unseal?: Unseal;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

export function createCertificateBook(options: CertificateBookOptions): CertificateBook {
  const {
    config,
    log,
    metrics,
    isServed = () => true,
    demandOf = () => null,
    ticketSecrets = [randomBytes(32)],
    unseal = () => null,
    now = Date.now,
    onUse = () => {},
  } = options;
  let platform = options.platform;
  const index = createSniIndex<PublishedCertificate>(entriesOf(platform), defaultsAmong(platform));
  const ticketKeys = createTicketKeys(ticketSecrets);
  const contexts = createContexts({
    settings: tlsSettingsOf(config),
    ticketKeys,
    unseal,
    log,
    onBuilt: onUse,
  });
  const staples = createStaples(config.maxCachedContexts, now);
  const prewarm = createPrewarm();
  /** Unless it was replaced once more by then. */
  const warm = (name: string, certificate: PublishedCertificate): void =>
    prewarm.add(() => {
      index.find(name, ({ entry }) =>
        entry.id === certificate.id ? contexts.get(name, entry, demandOf(name)) : null,
      );
    });
  reportTo(metrics, index, contexts);
  const idFor = (serverName: string | null): string | null =>
    index.find(serverName, ({ entry }) => (isServedNow(entry, now) ? entry.id : null));

  return {
    sameCertificate: (one, other) => idFor(one) === idFor(other),
    hasGoodFor: (host) => {
      const match = index.find(host, (found) => (isServedNow(found.entry, now) ? found : null));
      if (match === null || match.source === 'default') return false;
      const { validUntil } = match.entry;
      return validUntil === undefined || now() < validUntil;
    },
    apply(certificates) {
      for (const [host, certificate] of certificates) {
        const former = index.set(host, certificate);
        if (former === null || former.id === certificate?.id) continue;
        // At once, although a context of another certificate is never handed out: the former key has no business in memory.
        const name = normalise(host);
        const isWildcard = name.startsWith('*.');
        const inUse = isWildcard
          ? contexts.forgetCertificate(former.id)
          : contexts.forget(name, former.id, demandOf(name))
            ? [name]
            : [];
        if (certificate !== null) for (const used of inUse) warm(used, certificate);
      }
    },
    setPlatform(certificates) {
      const kept = new Set(certificates.map(({ id }) => id));
      const gone = platform.filter(({ id }) => !kept.has(id));
      platform = certificates;
      index.setPlatform(entriesOf(platform), defaultsAmong(platform));
      for (const former of gone) {
        const inUse = contexts.forgetCertificate(former.id);
        const successor = successorOf(former, platform);
        if (successor !== undefined) for (const name of inUse) warm(name, successor);
      }
    },
    forgetDemands: contexts.forgetDemands,
    setTicketSecrets: ticketKeys.replace,
    setStaple: staples.set,
    isInUse: (id) => contexts.holds(id) || platform.some((certificate) => certificate.id === id),
    contextFor(offer) {
      const host = offer.serverName === null ? null : normalise(offer.serverName);
      const refused = host === null ? config.withoutName === 'refuse' : config.unknownName === 'refuse';
      const choose = ({ entry, source, pattern }: Match<PublishedCertificate>): ChosenContext | null => {
        if (!isServedNow(entry, now)) return null;
        if (source === 'default' && refused && (host === null || !isServed(host))) return null;
        // An exact match needs no question: an alias with a certificate has its own context even before its route is there.
        const name = host !== null && (pattern === host || isServed(host)) ? host : pattern;
        // By the host, also where the context is the pattern's: what is asked for belongs to the name that the client means.
        const demand = demandOf(host);
        const context = contexts.get(name, entry, demand);
        return context === null
          ? null
          : { context, name, source, certificateId: entry.id, staple: staples.get(entry.id), demand };
      };
      // Where nothing fits, the best one: OpenSSL then tells the client what is wrong.
      return (
        index.find(host, (match) => (canVerify(offer, match.entry) ? choose(match) : null)) ??
        index.find(host, choose)
      );
    },
    list() {
      const listed: ListedCertificate[] = platform.map(({ id, facts }) => ({
        name: facts.names[0] ?? '',
        id,
        source: 'platform',
      }));
      for (const [name, { id }] of index.aliases()) listed.push({ name, id, source: 'alias' });
      return listed;
    },
    size: () => index.size,
    stop: prewarm.stop,
  };
}

function entriesOf(platform: readonly PlatformCertificate[]): [string, PublishedCertificate][] {
  return byPreference(platform).flatMap((certificate) =>
    certificate.facts.names.map((name): [string, PublishedCertificate] => [name, certificate]),
  );
}

/** Looked at for each handshake, so that a certificate's end needs no event. The clock is asked only where the policy makes it matter. */
function isServedNow({ served }: PublishedCertificate, now: () => number): boolean {
  if (served === undefined) return true;
  const time = now();
  return time >= (served.from ?? time) && time <= (served.until ?? time);
}

function reportTo(
  metrics: Metrics,
  index: { readonly size: number },
  contexts: { readonly size: number; readonly built: number; readonly failed: number },
): void {
  const aliases = metrics.gauge('tls_alias_certificates', 'Aliases with a certificate of their own');
  const cached = metrics.gauge('tls_contexts_cached', 'Secure contexts in the cache');
  const built = metrics.counter('tls_contexts_built_total', 'Secure contexts built');
  const failed = metrics.counter('tls_context_failures_total', 'Certificates that OpenSSL would not serve');
  let reportedBuilt = 0;
  let reportedFailed = 0;
  metrics.onCollect(() => {
    aliases.set(index.size);
    cached.set(contexts.size);
    built.inc({}, contexts.built - reportedBuilt);
    failed.inc({}, contexts.failed - reportedFailed);
    reportedBuilt = contexts.built;
    reportedFailed = contexts.failed;
  });
}
