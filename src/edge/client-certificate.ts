/** What a handshake said of the client's certificate, once it is done. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClientDemand } from '../certificates/client-demands.ts';
import { clientCertificateLines } from '../http/client-certificate-fields.ts';
import type { Log, Metrics } from '../telemetry/types.ts';

export interface ClientIdentity {
  /** The demand that the handshake was made under. */
  readonly demandId: string;
  /** Why no request may be served on this connection, as a word for the log (OpenSSL's, or ours); '' where it may. */
  readonly fault: string;
  /** Field lines for the gear, each with its CRLF; '' where there is nothing to say. */
  readonly lines: string;
}

export interface ClientJudge {
  /** Once a handshake is done that asked for a certificate. `client` is the peer's address. */
  judge(socket: TLSSocket, demand: ClientDemand, client: string, serverName: string | null): ClientIdentity;
  /** A handshake failed for want of one. */
  noteMissing(client: string, serverName: string | null): void;
}

/** Refusals are told of at most this often, because anybody can make us do it; how many were not told of is said with the next. */
const LOG_INTERVAL_MS = 1_000;

/** Judges clients, counts them by verdict, and tells of refused ones. */
export function createClientJudge({
  log,
  metrics,
}: {
  readonly log: Log;
  readonly metrics: Metrics;
}): ClientJudge {
  const judged = metrics.counter(
    'client_certificates_total',
    'Handshakes that asked for a client certificate, by verdict',
    ['verdict'],
  );
  let lastSaid = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  const refuse = (verdict: string, client: string, serverName: string | null, subject: string): void => {
    judged.inc({ verdict });
    const now = performance.now();
    if (now - lastSaid < LOG_INTERVAL_MS) {
      unsaid++;
      return;
    }
    log.warn('a client certificate was refused', { serverName, verdict, subject, client, unsaid });
    lastSaid = now;
    unsaid = 0;
  };
  return {
    judge(socket, demand, client, serverName) {
      const certificate = socket.getPeerX509Certificate();
      const fault = faultOf(socket, certificate, demand);
      if (fault !== '') {
        refuse(fault, client, serverName, certificate?.subject?.replaceAll('\n', ', ') ?? '');
        return { demandId: demand.id, fault, lines: '' };
      }
      judged.inc({ verdict: certificate === undefined ? 'NONE' : 'GOOD' });
      const { forward, sslClientCert } = demand;
      const lines =
        certificate === undefined ? '' : clientCertificateLines(certificate, forward, sslClientCert);
      return { demandId: demand.id, fault, lines };
    },
    noteMissing: (client, serverName) => refuse('NO_CERTIFICATE', client, serverName, ''),
  };
}

/**
 * Node lets every certificate pass in the handshake itself and leaves the verdict to its caller: a missing one under `require` alone ends
 * there, with an alert.
 */
function faultOf(socket: TLSSocket, certificate: X509Certificate | undefined, demand: ClientDemand): string {
  // Of a resumed session too: OpenSSL keeps certificate and verdict in it. Never by the verdict alone, which is good without one.
  if (certificate === undefined) return demand.mode === 'require' ? 'NO_CERTIFICATE' : '';
  const verdict = verifyError(socket);
  if (verdict !== '') return verdict;
  // The verdict of a resumed session is as old as the session.
  return Date.now() > Date.parse(certificate.validTo) ? 'CERT_HAS_EXPIRED' : '';
}

/** OpenSSL's verdict on the peer's chain; '' where it is good. tls.Server asks the same, which Node offers no public way to. */
function verifyError(socket: TLSSocket): string {
  const handle = (socket as unknown as { readonly _handle?: { verifyError?(): unknown } | null })._handle;
  // Should Node ever do without: nobody gets in.
  if (typeof handle?.verifyError !== 'function') return 'VERIFICATION_UNAVAILABLE';
  const error = handle.verifyError();
  if (error === null || error === undefined) return '';
  return error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
}
