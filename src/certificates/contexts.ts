/**
 * Secure contexts, made on demand and kept in a bounded cache (making one costs about 2 ms and 25 KiB).
 *
 * Each name has a context of its own, and with it ticket keys of its own: a session ticket opens only under the name and the
 * certificate that it was given for (the class of CVE-2025-23419). The keys are derived from one secret and (name, certificate id)
 * rather than drawn at random: so an evicted context that is made again still resumes its sessions, nothing has to be remembered for it, and
 * worker threads that share the secret resume each other's sessions. A new certificate has a new id, hence new keys.
 */
import { createHash, hkdfSync } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { PublishedCertificate } from '../table/routing-table.ts';
import type { Log } from '../telemetry/types.ts';
import { SECURE_OPTIONS, type TlsSettings } from './tls-settings.ts';

export interface Contexts {
  /** The context of `name` for this certificate, or null where OpenSSL will not have it (logged once). */
  get(name: string, certificate: PublishedCertificate): SecureContext | null;
  /** Drops the context of one name for one certificate. */
  forget(name: string, certificateId: string): void;
  /** Drops every context that was made of a certificate. Looks at all that are cached. */
  forgetCertificate(id: string): void;
  readonly size: number;
  readonly built: number;
  readonly failed: number;
}

/** `ticketSecret`: at least 32 random bytes; whoever has it can read recorded sessions, so it is never logged or written. */
export function createContexts(options: {
  readonly settings: TlsSettings;
  readonly ticketSecret: Buffer;
  readonly log: Log;
}): Contexts {
  const { settings, ticketSecret, log } = options;
  const cache = new LRUCache<string, SecureContext>({ max: settings.maxCachedContexts });
  // Ids, not names: a name whose own certificate is of no use has the wildcard's context in the cache.
  const unservable = new LRUCache<string, true>({ max: settings.maxCachedContexts });
  let built = 0;
  let failed = 0;

  function build(name: string, certificate: PublishedCertificate): SecureContext | null {
    try {
      const context = createSecureContext({
        cert: certificate.chainPem,
        key: certificate.keyPem,
        // Without it Node hangs its root certificates on every context, and OpenSSL looks for the leaf's issuer among them at each handshake.
        ca: [],
        minVersion: settings.minVersion,
        ciphers: settings.ciphers,
        honorCipherOrder: true,
        secureOptions: SECURE_OPTIONS,
        ...bindingOf(ticketSecret, name, certificate.id),
      });
      built += 1;
      return context;
    } catch (error) {
      failed += 1;
      // Remembered, so that it costs its 2 ms and its line in the log once and not at each handshake.
      unservable.set(certificate.id, true);
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      log.error('a certificate cannot be served', { name, certificateId: certificate.id, reason });
      return null;
    }
  }

  return {
    get(name, certificate) {
      const key = keyOf(name, certificate.id);
      const held = cache.get(key);
      if (held !== undefined) return held;
      if (unservable.has(certificate.id)) return null;
      const context = build(name, certificate);
      if (context !== null) cache.set(key, context);
      return context;
    },
    forget(name, certificateId) {
      cache.delete(keyOf(name, certificateId));
    },
    forgetCertificate(id) {
      for (const key of cache.keys()) if (key.startsWith(id)) cache.delete(key);
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

/** One name may be served with several certificates, by what its clients can verify. The id, of fixed length, comes first. */
function keyOf(name: string, certificateId: string): string {
  return `${certificateId} ${name}`;
}

/** Ticket keys (48 bytes) and session id context (at most 32 characters), both of this name and certificate alone. */
function bindingOf(
  secret: Buffer,
  name: string,
  certificateId: string,
): { ticketKeys: Buffer; sessionIdContext: string } {
  const identity = `${name}\0${certificateId}`;
  return {
    ticketKeys: Buffer.from(hkdfSync('sha256', secret, '', `headgear tickets\0${identity}`, 48)),
    sessionIdContext: createHash('sha256').update(identity).digest('hex').slice(0, 32),
  };
}
