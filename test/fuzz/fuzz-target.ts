/** What a parser under the fuzzer shows, and the loop that shows it cases. */
import assert from 'node:assert/strict';
import { type Corpus, Dice, fuzzCase, splits } from './mutate.ts';

export interface FuzzTarget {
  readonly name: string;
  readonly corpus: Corpus;
  /**
   * Reads the pieces with a fresh parser and says what came out, as text that must not depend on where the pieces are cut. Throws where
   * a promise of the parser is broken. `variant`: any number; the same for all splits of a case.
   */
  read(pieces: readonly Buffer[], variant: number): string;
}

export interface FuzzReport {
  readonly cases: number;
  /** Different outcomes seen: a fuzzer that sees few looks at nothing. */
  readonly outcomes: number;
  readonly slowestMs: number;
}

const OUTCOMES_COUNTED = 10_000;

/** Runs `count` cases from `seed` on; rejects with the seed and the bytes of the first that fails. */
export function runFuzz(target: FuzzTarget, seed: number, count: number): FuzzReport {
  const outcomes = new Set<string>();
  let slowestMs = 0;
  for (let index = 0; index < count; index++) {
    const dice = new Dice(seed + index);
    const bytes = fuzzCase(target.corpus, dice);
    const variant = dice.below(1 << 16);
    const start = performance.now();
    try {
      const whole = target.read([Buffer.from(bytes)], variant);
      assert.equal(target.read(splits(bytes, dice), variant), whole, 'where the bytes are cut matters');
      if (outcomes.size < OUTCOMES_COUNTED) outcomes.add(whole);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${target.name}, seed ${seed + index}: ${shown(bytes)}: ${reason}`, { cause });
    }
    slowestMs = Math.max(slowestMs, performance.now() - start);
  }
  return { cases: count, outcomes: outcomes.size, slowestMs };
}

function shown(bytes: Buffer): string {
  return bytes.length > 2_000 ? `${bytes.length} bytes` : JSON.stringify(bytes.toString('latin1'));
}
