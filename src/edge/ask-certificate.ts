/** How a handshake asks its client for a certificate, and ends where there is none. */
import type { TLSSocket } from 'node:tls';
import type { ClientDemand } from '../certificates/client-demands.ts';

/** OpenSSL has told the client by then: `certificate_required` (116) in TLS 1.3, `handshake_failure` (40) before. */
const NO_CERTIFICATE = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';

/** Whether a handshake failed for want of the client's certificate. */
export function isMissingCertificate(error: NodeJS.ErrnoException): boolean {
  return error.code === NO_CERTIFICATE;
}

/**
 * Node destroys the connection with the fault, and with it what the client has not read yet. Its handle is asked, as Node itself asks it,
 * so that the connection can end in an orderly way; should the handle be another one day, the alert is lost now and then and nothing else.
 */
export function onMissingCertificate(secured: TLSSocket, refuse: () => void): void {
  const { _handle: handle } = secured as unknown as { readonly _handle?: TlsHandle | null };
  const original = handle?.onerror;
  if (handle === null || handle === undefined || original === undefined) return;
  handle.onerror = function onFault(this: unknown, error) {
    if (isMissingCertificate(error)) refuse();
    else original.call(this, error);
  };
}

interface TlsHandle {
  onerror?: (this: unknown, error: NodeJS.ErrnoException) => void;
}

/** Options of a TLSSocket. */
export function verificationOf(demand: ClientDemand | null | undefined): {
  requestCert?: boolean;
  rejectUnauthorized?: boolean;
} {
  if (demand === null || demand === undefined) return {};
  return { requestCert: true, rejectUnauthorized: demand.mode === 'require' };
}
