/** The lag of events, from the message bus's time stamp to durable, as Headgear's own histogram has it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HeadgearProcess } from '../test/support/headgear-process.ts';

const DRAIN_LIMIT_MS = 300_000;

/** Cumulative, as Prometheus has it. */
export interface Lag {
  readonly counts: readonly (readonly [upToSeconds: number, count: number])[];
  readonly applied: number;
}

export async function lagOf(headgear: HeadgearProcess): Promise<Lag> {
  const text = await headgear.adminText('/metrics');
  const counts = [...text.matchAll(/^headgear_event_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)].map(
    ([, upTo, count]) => [upTo === '+Inf' ? Number.POSITIVE_INFINITY : Number(upTo), Number(count)] as const,
  );
  return { counts, applied: counts.at(-1)?.[1] ?? 0 };
}

/** In milliseconds, within its bucket as if that were evenly filled; infinite beyond the last. */
export function quantileMs(before: Lag, after: Lag, share: number): number {
  const wanted = share * (after.applied - before.applied);
  let [from, below] = [0, 0];
  for (const [i, [upTo, count]] of after.counts.entries()) {
    const within = count - (before.counts[i]?.[1] ?? 0);
    if (within >= wanted) return (from + ((upTo - from) * (wanted - below)) / (within - below)) * 1_000;
    [from, below] = [upTo, within];
  }
  return Number.POSITIVE_INFINITY;
}

/** Waits until so many events in all are in the table. */
export async function untilApplied(headgear: HeadgearProcess, count: number): Promise<Lag> {
  const end = performance.now() + DRAIN_LIMIT_MS;
  for (;;) {
    const lag = await lagOf(headgear);
    if (lag.applied >= count) return lag;
    if (performance.now() > end) throw new Error(`only ${lag.applied} of ${count} events arrived`);
    // To answer is work for a program that has something better to do now.
    await sleep(250);
  }
}
