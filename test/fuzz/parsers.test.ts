/** A sample of the fuzzer; `npm run bench -- fuzz-nightly` runs more than a million cases. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type FuzzTarget, runFuzz } from './fuzz-target.ts';
import { chunkedTarget, requestHeadTarget, responseTarget } from './http-targets.ts';
import { Dice, splits } from './mutate.ts';
import { clientHelloTarget, stompTarget } from './other-targets.ts';

const CASES = 3_000;
const SEED = 20_261_101;

/** The same with cases that shrink: rows of meaningful pieces. */
function shrinking(target: FuzzTarget): void {
  const pieces = fc.array(fc.constantFrom(...target.corpus.pieces, ...target.corpus.messages), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(pieces, fc.nat(), (row, seed) => {
      const bytes = Buffer.concat(row);
      const whole = target.read([Buffer.from(bytes)], seed);
      assert.equal(target.read(splits(bytes, new Dice(seed)), seed), whole);
    }),
    { numRuns: 300 },
  );
}

describe('a parser, whatever bytes come in whatever pieces, never throws, gathers no more than it may and always says the same', () => {
  for (const target of [requestHeadTarget, chunkedTarget, responseTarget, stompTarget]) {
    it(target.name, () => {
      const { outcomes } = runFuzz(target, SEED, CASES);
      assert.ok(outcomes > CASES / 20, `only ${outcomes} different outcomes`);
      shrinking(target);
    });
  }

  it('ClientHellos', async () => {
    const target = await clientHelloTarget();
    const { outcomes } = runFuzz(target, SEED, CASES);
    assert.ok(outcomes > 12, `only ${outcomes} different outcomes`);
    shrinking(target);
  });
});
