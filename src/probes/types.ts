/** Answers of the keep-awake probes, for admin and metrics. */
import type { KeepAwakeTarget } from '../table/keep-awake-target.ts';

/**
 * awake: the node serves the name (200). waking: 302 to the same URL, the idler is restoring it. not-here: 302 to
 * getting_started, also for the fallback. unreachable: no answer in time. odd: any other answer.
 */
export type KeepAwakeAnswer = 'awake' | 'waking' | 'not-here' | 'unreachable' | 'odd';

export interface KeepAwakeResult {
  readonly target: KeepAwakeTarget;
  /** Host that the answer was for. */
  readonly host: string;
  readonly answer: KeepAwakeAnswer;
  readonly status: number;
  readonly detail: string;
  /** Epoch milliseconds; milliseconds. */
  readonly at: number;
  readonly tookMs: number;
}
