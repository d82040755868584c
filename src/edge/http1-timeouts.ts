/** When an HTTP/1.1 connection has been silent for too long, as a pure judgement over its phase; one sweep serves all connections. */
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { HeadError } from '../http/request-head.ts';
import { momentNow } from '../upstream/moment.ts';
import { SendWatch } from '../upstream/send-watch.ts';
import { BodyRate, type BodyRateLimits } from './body-rate.ts';

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
  /** How much of a head is here. */
  readonly headBytes: number;
  /** Nothing was served yet: the first head is waited for. */
  readonly fresh: boolean;
  /** We do not read from the client: what it sends has nowhere to go, or it does not take our answers. */
  readonly paused: boolean;
  /** The client has not taken all that was written to it, and for how many milliseconds it has taken nothing of it. */
  readonly unread: boolean;
  readonly unreadMs: number;
  /** Milliseconds since it was all over and out, but for the client's end. */
  readonly lingeringMs: number;
}

/** A head's error is to be answered. */
export type Http1Verdict = 'fine' | 'end' | 'unread' | 'destroy' | 'body-late' | 'body-slow' | HeadError;

const HEAD_LATE: HeadError = {
  code: 'HTTP_HEAD_TIMEOUT',
  status: 408,
  reason: 'the head did not arrive in time',
};
const HEAD_SLOW: HeadError = {
  code: 'HTTP_HEAD_TOO_SLOW',
  status: 408,
  reason: 'the head arrives too slowly',
};

type Limits = Pick<
  Config['http'],
  'headTimeoutMs' | 'minHeadBytesPerSecond' | 'keepAliveTimeoutMs' | 'bodyIdleTimeoutMs'
>;

/** A head in two packets of which one was lost takes this long at worst; only after it does the rate count. */
const HEAD_GRACE_MS = 5_000;
/** A client that closes as it should does so within one of these; one that sends on has until the other. */
const LINGER_SILENT_MS = 2_000;
const LINGER_MS = 10_000;

/** What is to be done with a connection. The gear's silence is the pool's affair, a tunnel's its own. */
export function judgeTimes(times: Http1Times, http: Limits): Http1Verdict {
  const { phase } = times;
  if (phase === 'tunnel' || phase === 'closed') return 'fine';
  // In every phase: what a client sends meanwhile does not make up for its not reading.
  if (times.unreadMs > http.bodyIdleTimeoutMs) return 'unread';
  switch (phase) {
    case 'head':
      return times.paused ? 'fine' : judgeHead(times, http);
    case 'body':
      return !times.paused && times.silentMs > http.bodyIdleTimeoutMs ? 'body-late' : 'fine';
    case 'waiting':
      return 'fine';
    case 'lingering':
      if (times.unread) return 'fine';
      return times.silentMs > LINGER_SILENT_MS || times.lingeringMs > LINGER_MS ? 'destroy' : 'fine';
  }
}

function judgeHead(times: Http1Times, http: Limits): Http1Verdict {
  const { headAgeMs, headBytes } = times;
  if (headBytes === 0 && !times.fresh) return times.silentMs > http.keepAliveTimeoutMs ? 'end' : 'fine';
  if (headAgeMs > http.headTimeoutMs) return headBytes === 0 ? 'destroy' : HEAD_LATE;
  const expected = ((headAgeMs - HEAD_GRACE_MS) * http.minHeadBytesPerSecond) / 1_000;
  return headBytes > 0 && headBytes < expected ? HEAD_SLOW : 'fine';
}

/** A connection's times. All of performance.now(). */
export class Http1Clock {
  /** Of the last byte either way. */
  lastActivity = performance.now();
  /** Of the first byte of the request under way, or of the connection. */
  startedAt = this.lastActivity;
  /** Of the moment from which on only the client's end was waited for. */
  lingeringSince = 0;
  readonly #sendWatch = new SendWatch();
  #bodyRate: BodyRate | null = null;

  /** Microseconds since the start. Something moved just now. */
  elapsedUs(): number {
    const now = momentNow();
    // Answered within the read that brought it.
    this.lastActivity = now === this.startedAt ? performance.now() : now;
    return Math.round((this.lastActivity - this.startedAt) * 1_000);
  }

  /** What is to be done now. `bodyBytes` as for BodyRate. */
  judge(
    socket: Socket,
    state: Pick<Http1Times, 'phase' | 'headBytes' | 'fresh' | 'paused'> & { readonly bodyBytes: number },
    http: Limits & BodyRateLimits,
    now: number,
  ): Http1Verdict {
    const unreadMs = this.#sendWatch.stalledMs(socket, now);
    const unread = this.#sendWatch.waiting;
    // The last bytes of an answer may take a slow client longer: only then its end is waited for.
    if (unread && state.phase === 'lingering') this.lingeringSince = this.lastActivity = now;
    if (state.phase === 'body') this.#bodyRate ??= new BodyRate();
    const bodyBytes = state.phase === 'body' && !state.paused ? state.bodyBytes : -1;
    if (this.#bodyRate?.isTooSlow(bodyBytes, now, http)) return 'body-slow';
    return judgeTimes(
      {
        ...state,
        silentMs: now - this.lastActivity,
        headAgeMs: now - this.startedAt,
        unread,
        unreadMs,
        lingeringMs: now - this.lingeringSince,
      },
      http,
    );
  }
}
