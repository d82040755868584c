/** Answers that are ours: one table of failure -> status, and a small page for each. */
import type { UpstreamFailureCode } from '../upstream/failure.ts';

export type EdgeFailureCode =
  | UpstreamFailureCode
  | 'UNKNOWN_HOST'
  | 'TLS_ONLY'
  | 'CLIENT_CERTIFICATE_NEEDED'
  | 'CLIENT_CERTIFICATE_REFUSED'
  | 'CLIENT_TIMEOUT'
  | 'BODY_INVALID'
  | 'MISDIRECTED'
  | 'SHUTTING_DOWN';

interface Answer {
  readonly status: number;
  readonly sentence: string;
  /** Seconds for Retry-After, where coming back helps. */
  readonly retryAfter?: number;
}

const RETRY_AFTER_SECONDS = 5;

/** Failure -> what the client is told. The code itself goes into the field `Headgear-Failure`. */
const ANSWERS: Readonly<Record<EdgeFailureCode, Answer>> = {
  UNKNOWN_HOST: { status: 404, sentence: 'No application answers to this host name here.' },
  TLS_ONLY: {
    status: 421,
    sentence:
      'This application speaks TLS itself: come again over HTTPS, and name it in the handshake (SNI).',
  },
  CLIENT_CERTIFICATE_NEEDED: {
    status: 403,
    sentence: 'This host is served over HTTPS only, to clients that have a certificate for it.',
  },
  CLIENT_CERTIFICATE_REFUSED: {
    status: 403,
    sentence:
      'The certificate that your client showed is not accepted for this host: it may be expired, revoked, or of another authority.',
  },
  NO_ENDPOINT: {
    status: 503,
    sentence: 'The application has no running gear at the moment.',
    retryAfter: RETRY_AFTER_SECONDS,
  },
  ENDPOINT_FULL: {
    status: 503,
    sentence: 'Every gear of the application has as many requests as it may have at once.',
    retryAfter: RETRY_AFTER_SECONDS,
  },
  CONNECT_EXHAUSTED: {
    status: 503,
    sentence: 'This load balancer has no room for another connection.',
    retryAfter: RETRY_AFTER_SECONDS,
  },
  CONNECT_REFUSED: {
    status: 503,
    sentence: 'No gear of the application takes connections.',
    retryAfter: RETRY_AFTER_SECONDS,
  },
  CONNECT_TIMEOUT: { status: 504, sentence: 'No gear of the application could be reached in time.' },
  CONNECT_UNREACHABLE: { status: 502, sentence: 'The node of the application cannot be reached.' },
  CONNECT_TLS: { status: 502, sentence: 'The gear of the application did not agree on TLS.' },
  CONNECT_TLS_TIMEOUT: { status: 504, sentence: 'The gear of the application did not agree on TLS in time.' },
  CONNECT_TLS_UNTRUSTED: {
    status: 502,
    sentence: 'The gear of the application has a certificate that is not trusted here.',
  },
  CONNECT_TLS_NAME: {
    status: 502,
    sentence: 'The gear of the application has a certificate for other names.',
  },
  CONNECT_TLS_EXPIRED: {
    status: 502,
    sentence: 'The gear of the application has a certificate that is not valid today.',
  },
  CONNECT_HTTP2: {
    status: 502,
    sentence: 'The gear of the application does not speak HTTP/2, as it was said to.',
  },
  CONNECT_FAILED: { status: 502, sentence: 'The gear of the application could not be reached.' },
  STREAM_REFUSED: {
    status: 503,
    sentence: 'The gear of the application takes no more requests at the moment.',
    retryAfter: RETRY_AFTER_SECONDS,
  },
  WEBSOCKET_UNSUPPORTED: {
    status: 501,
    sentence: 'The application speaks HTTP/2 only, and takes no WebSockets over it (RFC 8441).',
  },
  CLOSED_BEFORE_RESPONSE: {
    status: 502,
    sentence: 'The application closed the connection without an answer.',
  },
  RESET_BEFORE_RESPONSE: { status: 502, sentence: 'The application broke the connection without an answer.' },
  RESPONSE_TIMEOUT: { status: 504, sentence: 'The application did not answer in time.' },
  RESPONSE_INVALID: { status: 502, sentence: 'The application gave an answer that is not valid HTTP.' },
  RESPONSE_CUT_SHORT: { status: 502, sentence: 'The application broke off its answer.' },
  UNASKED_UPGRADE: { status: 502, sentence: 'The application switched protocols without being asked.' },
  CLIENT_TIMEOUT: { status: 408, sentence: 'The request did not arrive in time.' },
  BODY_INVALID: { status: 400, sentence: 'The body of the request is not coded as its head says.' },
  MISDIRECTED: { status: 421, sentence: 'This connection does not serve that host name.' },
  SHUTTING_DOWN: {
    status: 503,
    sentence: 'This load balancer is stopping.',
    retryAfter: RETRY_AFTER_SECONDS,
  },
};

const REASONS: Readonly<Record<number, string>> = {
  301: 'Moved Permanently',
  302: 'Found',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/** Name of the field that says which failure an answer of ours stands for. */
export const FAILURE_FIELD = 'Headgear-Failure';

/** An answer of ours, in parts that HTTP/1.1 and HTTP/2 put together. */
export interface OwnAnswer {
  readonly status: number;
  readonly reason: string;
  /** Field lines, each with its CRLF, Content-Length included. */
  readonly fields: string;
  readonly page: string;
}

/** The answer for a failure of the walk. */
export function answerFor(code: EdgeFailureCode): OwnAnswer {
  const answer = ANSWERS[code];
  return ownAnswer(answer.status, code, answer.sentence, answer.retryAfter);
}

/** A redirect. `location` holds nothing that could end the field. */
export function redirectAnswer(status: number, location: string): OwnAnswer {
  const { reason, page } = pageOf(status, 'This host is served over HTTPS.');
  const fields = `Content-Type: text/html; charset=utf-8\r\nContent-Length: ${page.length}\r\nLocation: ${location}\r\n`;
  return { status, reason, page, fields };
}

/** The answer for any status with a code and a sentence; the sentence is ours, never something the client sent. */
export function ownAnswer(status: number, code: string, sentence: string, retryAfter?: number): OwnAnswer {
  const { reason, page } = pageOf(status, sentence);
  const retry = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
  return {
    status,
    reason,
    page,
    fields:
      `Content-Type: text/html; charset=utf-8\r\nContent-Length: ${page.length}\r\nCache-Control: no-store\r\n` +
      `${FAILURE_FIELD}: ${code}\r\n${retry}`,
  };
}

function pageOf(status: number, sentence: string): { readonly reason: string; readonly page: string } {
  const reason = REASONS[status] ?? 'Error';
  const page =
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${status} ${reason}</title></head>` +
    `<body><h1>${status} ${reason}</h1><p>${escaped(sentence)}</p></body></html>\n`;
  return { reason, page };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
