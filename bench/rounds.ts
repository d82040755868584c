/** Figures of samples, round by round. Pure. */
import type { Sample } from './sample.ts';
import type { TargetName } from './targets/target.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median, least and greatest; null of nothing. */
export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted[sorted.length - 1]];
  if (low === undefined || high === undefined || min === undefined || max === undefined) return null;
  return { median: (low + high) / 2, min, max };
}

export type Figure = (sample: Sample) => number | null;

/** Looks samples up; every answer is null where one that it needs is missing. */
export interface Rounds {
  readonly numbers: readonly number[];
  sample(round: number, scenario: string, target: TargetName): Sample | null;
  /** The figure of one run as a multiple of the same of another target in the same round: what slows the machine for a while hits both. */
  ratio(sample: Sample, to: TargetName, figure: Figure): number | null;
}

export function roundsOf(samples: readonly Sample[]): Rounds {
  const byKey = new Map(
    samples.map((sample) => [keyOf(sample.round, sample.scenario, sample.target), sample]),
  );
  const find: Rounds['sample'] = (round, scenario, target) =>
    byKey.get(keyOf(round, scenario, target)) ?? null;
  return {
    numbers: [...new Set(samples.map(({ round }) => round))].sort((a, b) => a - b),
    sample: find,
    ratio(sample, to, figure) {
      const other = find(sample.round, sample.scenario, to);
      return other === null ? null : quotient(figure(sample), figure(other));
    },
  };
}

function keyOf(round: number, scenario: string, target: TargetName): string {
  return `${round} ${scenario} ${target}`;
}

/** Null where it has none. */
export function quotient(over: number | null, under: number | null): number | null {
  return over === null || under === null || under === 0 ? null : over / under;
}

/**
 * `list`, begun at another of its members in every round, and backwards in every other one: none always comes after the same other, and
 * after what that leaves to the machine.
 */
export function turned<T>(list: readonly T[], round: number): readonly T[] {
  const first = list.length === 0 ? 0 : round % list.length;
  const order = [...list.slice(first), ...list.slice(0, first)];
  return round % 2 === 0 ? order : order.reverse();
}
