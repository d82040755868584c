/** How TLS is spoken to clients, whatever the certificate. */
import { constants } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/schema.ts';

/**
 * The "intermediate" list of Mozilla's server-side TLS recommendations less its two DHE suites, which only clients without elliptic
 * curves want. Every suite has forward secrecy and authenticated encryption.
 */
export const DEFAULT_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/**
 * A TLS 1.2 client that renegotiates makes the server sign again and again on one connection; OpenSSL answers `no_renegotiation`.
 * Node's own CLIENT_RENEG_LIMIT would allow three in ten minutes and needs a tls.Server.
 */
export const SECURE_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION;

/** What OpenSSL is told besides versions and ciphers. */
export function secureOptionsOf({ tickets }: TlsSettings): number {
  return tickets ? SECURE_OPTIONS : SECURE_OPTIONS | constants.SSL_OP_NO_TICKET;
}

export interface TlsSettings {
  readonly minVersion: Config['tls']['minVersion'];
  readonly ciphers: string;
  /** Contexts kept; at most this many times 25 KiB. */
  readonly maxCachedContexts: number;
  /** Whether sessions may resume, and how long after they were made. */
  readonly tickets: boolean;
  readonly sessionSeconds: number;
}

export function tlsSettingsOf(config: Config['tls']): TlsSettings {
  return {
    minVersion: config.minVersion,
    ciphers: config.ciphers ?? DEFAULT_CIPHERS,
    maxCachedContexts: config.maxCachedContexts,
    tickets: config.tickets.enabled,
    sessionSeconds: Math.ceil(config.tickets.lifetimeMs / 1_000),
  };
}

/** Null when OpenSSL takes the cipher list, else its code: for start-up, where a wrong list would fail every certificate later. */
export function objectionToSettings(settings: TlsSettings): string | null {
  try {
    createSecureContext({ minVersion: settings.minVersion, ciphers: settings.ciphers, ca: [] });
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}
