/** Whether a request's body comes fast enough: a byte now and then keeps the idle time from running out, and a gear's place taken. */
import type { Config } from '../config/schema.ts';

export type BodyRateLimits = Pick<Config['http'], 'minBodyBytesPerSecond' | 'bodyRateWindowMs'>;

/** Looked at by the sweep. Windows follow one another, so that what came fast before does not pay for a drip. */
export class BodyRate {
  #since = 0;
  #mark = 0;

  /**
   * `received`: bytes of the body so far; -1 while nothing can be held against the client: it has sent all, the gear takes no more of it, or
   * has begun to answer, and what then comes now and then is a conversation. Nor is a body that has not begun: its client may wait for a 100.
   * `now` of performance.now().
   */
  isTooSlow(received: number, now: number, limits: BodyRateLimits): boolean {
    // A smaller count than before: another request's.
    const begins = received <= 0 || this.#mark === 0 || received < this.#mark;
    const ageMs = now - this.#since;
    if (!begins && ageMs < limits.bodyRateWindowMs) return false;
    const came = received - this.#mark;
    this.#since = now;
    this.#mark = Math.max(received, 0);
    return !begins && came < (limits.minBodyBytesPerSecond * ageMs) / 1_000;
  }
}
