/**
 * TLS towards gears and node frontends: one secure context for all of them, and the judgement of what certificate they show. The handshake
 * goes through in any case and is judged before a byte of a request is sent: OpenSSL's own refusal knows no pinned certificates.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import type { Config } from '../config/schema.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { Counter, Metrics } from '../telemetry/types.ts';
import { certificateFailure, type UpstreamFailure } from './failure.ts';

export type UpstreamTlsConfig = Config['upstream']['tls'];

export interface UpstreamTls {
  /** From the TCP connection to the end of the handshake. */
  readonly handshakeTimeoutMs: number;
  /** `servername`: SNI. `protocols`: for ALPN. `session`: an earlier one of this name with this endpoint. */
  optionsOf(
    endpoint: PublishedEndpoint,
    servername: string,
    protocols: readonly string[],
    session: Buffer | undefined,
  ): tls.ConnectionOptions;
  /** Null: the gear may have the request. Call it when the handshake is done. */
  judge(socket: tls.TLSSocket, endpoint: PublishedEndpoint): UpstreamFailure | null;
}

/** Options of the secure context; throws the system's error when the CA bundle cannot be read. */
export function upstreamTlsContext(config: UpstreamTlsConfig): tls.SecureContextOptions {
  return {
    ...(config.caFile === undefined ? {} : { ca: readFileSync(config.caFile, 'utf8') }),
    ...(config.ciphers === undefined ? {} : { ciphers: config.ciphers }),
    minVersion: config.minVersion,
  };
}

/** What is wrong with the files and the ciphers of a configuration, with the paths of their keys. Files that are missing are told elsewhere. */
export function upstreamTlsProblems(config: UpstreamTlsConfig): { path: string; message: string }[] {
  try {
    const { ca, ...rest } = upstreamTlsContext(config);
    // OpenSSL takes a file without any certificate for a list of none, with which nothing could be verified.
    if (typeof ca === 'string' && !holdsCertificate(ca)) {
      return [{ path: 'upstream.tls.caFile', message: `${config.caFile} holds no certificate in PEM` }];
    }
    tls.createSecureContext(rest);
    return [];
  } catch (error) {
    const path = config.ciphers === undefined ? 'upstream.tls' : 'upstream.tls.ciphers';
    return [{ path, message: (error as Error).message }];
  }
}

function holdsCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Reads the CA bundle at once (throws the system's error), makes the context with the first connection. */
export function createUpstreamTls(config: UpstreamTlsConfig, metrics: Metrics): UpstreamTls {
  const contextOptions = upstreamTlsContext(config);
  const pinned = new Set(config.pinnedSha256.map(plainFingerprint));
  const handshakes = metrics.counter(
    'upstream_tls_handshakes_total',
    'TLS handshakes with gears and node frontends that were accepted',
    ['verified', 'resumed'],
  );
  let context: tls.SecureContext | null = null;
  return {
    handshakeTimeoutMs: config.handshakeTimeoutMs,
    optionsOf(endpoint, servername, protocols, session) {
      context ??= tls.createSecureContext(contextOptions);
      return {
        host: endpoint.address,
        port: endpoint.port,
        secureContext: context,
        rejectUnauthorized: false,
        ALPNProtocols: [...protocols],
        // RFC 6066 3: a literal address is no server name.
        ...(servername !== '' && net.isIP(servername) === 0 ? { servername } : {}),
        ...(session === undefined ? {} : { session }),
      };
    },
    judge(socket, endpoint) {
      const verdict = endpoint.verifyTls ? verify(socket, pinned) : 'off';
      if (typeof verdict !== 'string') return verdict;
      count(handshakes, verdict, socket.isSessionReused());
      return null;
    },
  };
}

function count(handshakes: Counter, verified: string, resumed: boolean): void {
  handshakes.inc({ verified, resumed: resumed ? 'yes' : 'no' });
}

/** How the gear's certificate was found good, or what is wrong with it. */
function verify(socket: tls.TLSSocket, pinned: ReadonlySet<string>): 'ca' | 'pinned' | UpstreamFailure {
  if (socket.authorized) return 'ca';
  // Of a resumed session it is the certificate of the handshake that the session began with.
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  if (fingerprint !== undefined && pinned.has(plainFingerprint(fingerprint))) return 'pinned';
  // Declared as an Error, but it is OpenSSL's or Node's code.
  return certificateFailure(String(socket.authorizationError));
}

/** `AB:cd:...` and `abcd...` are one. */
function plainFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}
