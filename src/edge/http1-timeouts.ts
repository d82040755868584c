/** When an HTTP/1.1 connection has been silent for too long, as a pure judgement over its phase; one sweep serves all connections. */
import type { Config } from '../config/schema.ts';

/**
 * head: reading a head (or waiting for one). body: the request's body is on its way. waiting: the request is whole, its answer is
 * not. tunnel: after a 101. lingering: answered and closing, what still comes is thrown away. closed.
 */
export type Http1Phase = 'head' | 'body' | 'waiting' | 'tunnel' | 'lingering' | 'closed';

export interface Http1Times {
  readonly phase: Http1Phase;
  /** Milliseconds since the last byte either way, and since the head's first byte (or the connection's start). */
  readonly silentMs: number;
  readonly headAgeMs: number;
  /** Part of a head is here, or nothing was served yet. */
  readonly headBegun: boolean;
  /** The client has not taken what was written. */
  readonly unread: boolean;
}

export type Http1Verdict = 'fine' | 'end' | 'destroy' | 'head-late' | 'body-late';

const LINGER_MS = 2_000;

/** What is to be done with a connection. The gear's silence is the pool's affair, a tunnel's its own. */
export function judgeTimes(times: Http1Times, http: Config['http']): Http1Verdict {
  switch (times.phase) {
    case 'head':
      if (times.headBegun) return times.headAgeMs > http.headTimeoutMs ? 'head-late' : 'fine';
      return times.silentMs > http.keepAliveTimeoutMs ? 'end' : 'fine';
    case 'body':
      return times.silentMs > http.bodyIdleTimeoutMs ? 'body-late' : 'fine';
    case 'waiting':
      return times.unread && times.silentMs > http.bodyIdleTimeoutMs ? 'destroy' : 'fine';
    case 'lingering':
      return times.silentMs > (times.unread ? http.bodyIdleTimeoutMs : LINGER_MS) ? 'destroy' : 'fine';
    case 'tunnel':
    case 'closed':
      return 'fine';
  }
}
