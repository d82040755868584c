/**
 * Secure contexts, made on demand and kept in a bounded cache (making one costs 0.5 to 2 ms, by the version of OpenSSL, and up to 25 KiB).
 *
 * Each (name, certificate, demand of client certificates) has a context of its own, and with it ticket keys of its own: a session resumes only under the
 * name, the certificate and the demand that it was made with. Sessions are kept by clients alone, as tickets: there is no cache of session ids to share or to clear.
 */
import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { Pem } from '../seal/packed-pem.ts';
import type { PublishedCertificate, SealedPublishedCertificate } from '../table/routing-table.ts';
import type { Log } from '../telemetry/types.ts';
import type { ClientDemand } from './client-demands.ts';
import type { TicketKeys } from './ticket-keys.ts';
import { secureOptionsOf, type TlsSettings } from './tls-settings.ts';

/** Chain and key of an alias's certificate; null where they cannot be opened. Must not wait for anything. */
export type Unseal = (certificate: SealedPublishedCertificate) => Pem | null;

export interface Contexts {
  /** The context of `name` for this certificate, or null where OpenSSL will not have it (logged once). */
  get(name: string, certificate: PublishedCertificate, demand: ClientDemand | null): SecureContext | null;
  /** Drops the context of one name for one certificate and one demand. True where there was one. */
  forget(name: string, certificateId: string, demand: ClientDemand | null): boolean;
  /** Drops every context that was made of a certificate, and returns their names, the last used first. Looks at all that are cached. */
  forgetCertificate(id: string): string[];
  /** Drops every context of one of these demands. Looks at all that are cached. */
  forgetDemands(ids: ReadonlySet<string>): void;
  /** Whether a context made of this certificate is in the cache. Looks at all that are cached. */
  holds(id: string): boolean;
  readonly size: number;
  readonly built: number;
  readonly failed: number;
}

export function createContexts(options: {
  readonly settings: TlsSettings;
  readonly ticketKeys: TicketKeys;
  readonly unseal: Unseal;
  readonly log: Log;
  /** A context was made: handshakes get this certificate. */
  readonly onBuilt: (certificate: { readonly id: string; readonly chainPem: string }) => void;
}): Contexts {
  const { settings, ticketKeys, unseal, log, onBuilt } = options;
  const cache = new LRUCache<string, SecureContext>({ max: settings.maxCachedContexts });
  // Ids, not names: a name whose own certificate is of no use has the wildcard's context in the cache.
  const unservable = new LRUCache<string, true>({ max: settings.maxCachedContexts });
  let built = 0;
  let failed = 0;

  function build(
    name: string,
    certificate: PublishedCertificate,
    demand: ClientDemand | null,
  ): SecureContext | null {
    const identity = `${name}\0${certificate.id}\0${demand?.id ?? ''}`;
    const pem = 'sealed' in certificate ? unseal(certificate) : certificate;
    if (pem === null) return refuse(name, certificate, 'CERTIFICATES_SEALED');
    try {
      const context = createSecureContext({
        cert: pem.chainPem,
        key: pem.keyPem,
        // Without it Node hangs its root certificates on every context, and OpenSSL looks for the leaf's issuer among them at each handshake.
        ca: demand === null ? [] : [...demand.trust.ca],
        ...(demand === null || demand.trust.crl.length === 0 ? {} : { crl: [...demand.trust.crl] }),
        minVersion: settings.minVersion,
        ciphers: settings.ciphers,
        honorCipherOrder: true,
        secureOptions: secureOptionsOf(settings),
        sessionTimeout: settings.sessionSeconds,
        // At most 32 characters. OpenSSL compares it with the ticket's: a second lock behind the keys.
        sessionIdContext: createHash('sha256').update(identity).digest('hex').slice(0, 32),
      });
      if (settings.tickets) ticketKeys.attach(context, identity);
      built += 1;
      cache.set(keyOf(name, certificate.id, demand), context);
      onBuilt({ id: certificate.id, chainPem: pem.chainPem });
      return context;
    } catch (error) {
      return refuse(
        name,
        certificate,
        error instanceof Error && 'code' in error ? String(error.code) : 'unknown',
      );
    }
  }

  function refuse(name: string, certificate: PublishedCertificate, reason: string): null {
    failed += 1;
    // Remembered, so that it costs its 2 ms and its line in the log once and not at each handshake.
    unservable.set(certificate.id, true);
    log.error('a certificate cannot be served', { name, certificateId: certificate.id, reason });
    return null;
  }

  return {
    get(name, certificate, demand) {
      const held = cache.get(keyOf(name, certificate.id, demand));
      if (held !== undefined) return held;
      return unservable.has(certificate.id) ? null : build(name, certificate, demand);
    },
    forget: (name, certificateId, demand) => cache.delete(keyOf(name, certificateId, demand)),
    forgetCertificate(id) {
      const prefix = `${id} `;
      const keys = [...cache.keys()].filter((key) => key.startsWith(prefix));
      for (const key of keys) cache.delete(key);
      return keys.map((key) => key.slice(key.lastIndexOf(' ') + 1));
    },
    forgetDemands(ids) {
      for (const key of cache.keys()) if (ids.has(key.split(' ')[1] ?? '')) cache.delete(key);
    },
    holds(id) {
      const prefix = `${id} `;
      for (const key of cache.keys()) if (key.startsWith(prefix)) return true;
      return false;
    },
    get size() {
      return cache.size;
    },
    get built() {
      return built;
    },
    get failed() {
      return failed;
    },
  };
}

/** One name may be served with several certificates, by what its clients can verify. None of the three holds a blank. */
function keyOf(name: string, certificateId: string, demand: ClientDemand | null): string {
  return `${certificateId} ${demand?.id ?? ''} ${name}`;
}
