/** What one run found. */
import type { LoaderName } from './load.ts';
import type { TargetName } from './targets/target.ts';

/** One run of one scenario against one target. Null: that figure could not be had, or the scenario does not ask for it. */
export interface Sample {
  readonly round: number;
  /** Its name. */
  readonly scenario: string;
  readonly loader: LoaderName | 'idle';
  readonly target: TargetName;
  readonly requests: number;
  readonly failed: number;
  readonly requestsPerSecond: number | null;
  readonly p99Ms: number | null;
  /** CPU of the target a request, microseconds. */
  readonly cpuUs: number | null;
  /** Resident bytes before the run, and the most during it. */
  readonly residentBefore: number | null;
  readonly residentPeak: number | null;
  /** Resident bytes that one idle connection takes. */
  readonly bytesPerConnection: number | null;
  /** The part of it that is the heap of JavaScript. */
  readonly heapPerConnection: number | null;
}
