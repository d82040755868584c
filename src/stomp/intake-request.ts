/** What a client of the intake asks for with a frame. Pure. */

import { type Headers, headersOf, type StompVersion } from './frame-text.ts';
import type { Frame } from './frame-types.ts';

export interface Refusal {
  readonly kind: 'refuse';
  readonly code: string;
  readonly reason: string;
  /** Receipt that the refused frame asked for; it goes into the ERROR. */
  readonly receipt: string | undefined;
}

export type IntakeRequest =
  | { readonly kind: 'connect'; readonly headers: Headers }
  | { readonly kind: 'send'; readonly body: Buffer; readonly receipt: string | undefined }
  | { readonly kind: 'disconnect'; readonly receipt: string | undefined }
  | Refusal;

const NO_TRANSACTIONS = 'transactions are not supported';

/** `version` is null until CONNECT was answered. Any destination will do: all events are for the same reader. */
export function readRequest(frame: Frame, version: StompVersion | null): IntakeRequest {
  const decoded = headersOf(frame, version ?? '1.0');
  if (!decoded.ok) return { kind: 'refuse', ...decoded.fault, receipt: undefined };
  const { headers } = decoded;
  const receipt = headers.get('receipt');
  const refuse = (code: string, reason: string): Refusal => ({ kind: 'refuse', code, reason, receipt });
  const isConnect = frame.command === 'CONNECT' || frame.command === 'STOMP';
  if (version === null)
    return isConnect
      ? { kind: 'connect', headers }
      : refuse('STOMP_UNEXPECTED_FRAME', 'CONNECT must come first');
  if (isConnect) return refuse('STOMP_UNEXPECTED_FRAME', 'already connected');
  switch (frame.command) {
    case 'SEND':
      if (!headers.has('destination')) return refuse('STOMP_NO_DESTINATION', 'SEND has no destination');
      // Confirming a SEND that waits for a COMMIT would be a lie, and delivering it before would be another.
      if (headers.has('transaction')) return refuse('STOMP_UNSUPPORTED', NO_TRANSACTIONS);
      return { kind: 'send', body: frame.body, receipt };
    case 'DISCONNECT':
      return { kind: 'disconnect', receipt };
    case 'BEGIN':
    case 'COMMIT':
    case 'ABORT':
      return refuse('STOMP_UNSUPPORTED', NO_TRANSACTIONS);
    default:
      return refuse('STOMP_UNSUPPORTED', 'only SEND and DISCONNECT are supported here');
  }
}
