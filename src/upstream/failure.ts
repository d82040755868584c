/** What can go wrong between us and a gear, named once. `edge/respond.ts` maps each to a status; log and metrics show the code. */

export type UpstreamFailureCode =
  | 'NO_ENDPOINT'
  | 'ENDPOINT_FULL'
  | 'CONNECT_REFUSED'
  | 'CONNECT_TIMEOUT'
  | 'CONNECT_UNREACHABLE'
  | 'CONNECT_TLS'
  | 'CONNECT_TLS_TIMEOUT'
  | 'CONNECT_TLS_UNTRUSTED'
  | 'CONNECT_TLS_NAME'
  | 'CONNECT_TLS_EXPIRED'
  | 'CONNECT_HTTP2'
  | 'CONNECT_FAILED'
  | 'CONNECT_EXHAUSTED'
  | 'STREAM_REFUSED'
  | 'WEBSOCKET_UNSUPPORTED'
  | 'CLOSED_BEFORE_RESPONSE'
  | 'RESET_BEFORE_RESPONSE'
  | 'RESPONSE_TIMEOUT'
  | 'RESPONSE_INVALID'
  | 'RESPONSE_CUT_SHORT'
  | 'UNASKED_UPGRADE';

export interface UpstreamFailure {
  readonly code: UpstreamFailureCode;
  /** For the log: an errno or the parser's code. */
  readonly detail: string;
}

/** Nothing of the request reached a gear: any request may be tried elsewhere. */
export function isConnectFailure(code: UpstreamFailureCode): boolean {
  return code.startsWith('CONNECT_');
}

/** Whether a failure says that an endpoint cannot be reached; what this machine ran out of says nothing of any endpoint. */
export function blamesEndpoint(code: UpstreamFailureCode): boolean {
  return isConnectFailure(code) && code !== 'CONNECT_EXHAUSTED';
}

/** Classifies an error that a dial met. */
export function dialFailure(error: NodeJS.ErrnoException, tls: boolean): UpstreamFailure {
  const detail = error.code ?? error.message;
  switch (error.code) {
    case 'ECONNREFUSED':
      return { code: 'CONNECT_REFUSED', detail };
    case 'ETIMEDOUT':
      return { code: 'CONNECT_TIMEOUT', detail };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { code: 'CONNECT_UNREACHABLE', detail };
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
    case 'ENOBUFS':
    case 'EADDRNOTAVAIL':
      return { code: 'CONNECT_EXHAUSTED', detail };
    default:
      if (!tls) return { code: 'CONNECT_FAILED', detail };
      return { code: CERTIFICATE_FAULTS.get(detail) ?? 'CONNECT_TLS', detail };
  }
}

/** What OpenSSL and Node call what is wrong with a certificate, of those that have a code here. */
const CERTIFICATE_FAULTS: ReadonlyMap<string, UpstreamFailureCode> = new Map<string, UpstreamFailureCode>([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'CONNECT_TLS_NAME'],
  ['CERT_HAS_EXPIRED', 'CONNECT_TLS_EXPIRED'],
  ['CERT_NOT_YET_VALID', 'CONNECT_TLS_EXPIRED'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CONNECT_TLS_UNTRUSTED'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'CONNECT_TLS_UNTRUSTED'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CONNECT_TLS_UNTRUSTED'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'CONNECT_TLS_UNTRUSTED'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CONNECT_TLS_UNTRUSTED'],
]);

/** Classifies a certificate that was not verified: whatever has no code of its own is not trusted. */
export function certificateFailure(detail: string): UpstreamFailure {
  return { code: CERTIFICATE_FAULTS.get(detail) ?? 'CONNECT_TLS_UNTRUSTED', detail };
}

/** Methods that may be sent again when it is not known whether the gear acted on them (RFC 9110 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** No gear has acted on the request: none was asked, or one refused the stream (RFC 9113 8.7). */
const UNTOUCHED: ReadonlySet<UpstreamFailureCode> = new Set<UpstreamFailureCode>([
  'ENDPOINT_FULL',
  'STREAM_REFUSED',
  'WEBSOCKET_UNSUPPORTED',
]);

/**
 * Whether another attempt may follow a failure. A connection that was open from before and closed without an answer is most
 * likely one that the gear closed for idleness, but only an idempotent request without a body may go twice.
 */
export function mayRetry(failure: UpstreamFailure, method: string, bodySent: boolean): boolean {
  if (bodySent) return false;
  if (UNTOUCHED.has(failure.code) || isConnectFailure(failure.code)) return true;
  const unanswered = failure.code === 'CLOSED_BEFORE_RESPONSE' || failure.code === 'RESET_BEFORE_RESPONSE';
  return unanswered && IDEMPOTENT.has(method);
}
