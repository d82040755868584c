/** The `tls` section: certificates of the platform and how TLS is spoken to clients. */
import { z } from 'zod';

const ms = z.int().min(1);
const count = z.int().min(1);

const certificateFile = z.strictObject({
  certFile: z.string().min(1),
  keyFile: z.string().min(1),
  passPhraseFile: z.string().optional(),
  /** One of the certificates for clients that name no server, or one that nobody has; see `defaultsAmong`. */
  default: z.boolean().default(false),
});

/** A day: browsers forget sessions sooner, and TLS 1.3 allows a week (RFC 8446 section 4.6.1). */
const MAX_SESSION_MS = 86_400_000;

const tickets = z.strictObject({
  enabled: z.boolean().default(true),
  /** How long after its handshake a session may resume. */
  lifetimeMs: ms.max(MAX_SESSION_MS).default(3_600_000),
  /** Without a file: how often a new key of our own is made; former ones decrypt as long as tickets under them live. */
  rotateMs: ms.min(1_000).max(MAX_SESSION_MS).default(3_600_000),
  /** Keys that instances share; see `ticket-key-file.ts` for the format. Read again when it changes. */
  keysFile: z.string().optional(),
});

const ocsp = z.strictObject({
  /** Staple OCSP responses where a certificate names a responder. */
  enabled: z.boolean().default(true),
  timeoutMs: ms.default(5_000),
  /** CIDRs of responders that may be asked besides public addresses on port 80: an internal CA's. */
  allowedAddresses: z.array(z.string()).default([]),
});

export const tlsSection = z.strictObject({
  /**
   * Wildcard and other certificates of the platform itself. Several may stand for one name, RSA and ECDSA say: a client gets the first
   * that it can verify, ECDSA before RSA. Without any marked `default` the first is.
   */
  certificates: z.array(certificateFile).default([]),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
  /** In OpenSSL's notation, TLS 1.3 suites by their own names; looked at before anything starts. */
  ciphers: z.string().optional(),
  /** A server name that neither a certificate nor a route knows: the default certificate, or the alert `unrecognized_name`. */
  unknownName: z.enum(['default', 'refuse']).default('default'),
  /** A client that sends no server name at all. */
  withoutName: z.enum(['default', 'refuse']).default('default'),
  /** A request for a host with another certificate than the name of its handshake: refuse with 421, or route by Host alone. */
  misdirected: z.enum(['refuse', 'route']).default('refuse'),
  /** Session resumption. */
  tickets: tickets.prefault({}),
  ocsp: ocsp.prefault({}),
  handshakeTimeoutMs: ms.default(10_000),
  maxCachedContexts: count.default(2_000),
});
