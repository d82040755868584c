import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FewSet } from '../../src/edge/few-set.ts';

const step = fc.record({
  kind: fc.constantFrom('add', 'delete', 'clear', 'read'),
  value: fc.integer({ min: 0, max: 8 }),
});

describe('a set of few entries', () => {
  it('holds what a Set holds, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ours = new FewSet<number>();
        const model = new Set<number>();
        for (const { kind, value } of steps) {
          if (kind === 'add') {
            assert.equal(ours.add(value), ours);
            model.add(value);
          } else if (kind === 'delete') assert.equal(ours.delete(value), model.delete(value));
          else if (kind === 'clear') assert.equal(ours.clear(), model.clear());
          assert.deepEqual([ours.size, ours.has(value)], [model.size, model.has(value)]);
          const visited: number[] = [];
          ours.forEach((one, same, set) => {
            assert.deepEqual([one, set], [same, ours]);
            visited.push(one);
          });
          const expected = [...model].sort();
          for (const found of [visited, [...ours], [...ours.keys()], [...ours.values()]]) {
            assert.deepEqual(found.sort(), expected);
          }
          assert.deepEqual([...ours.entries()].sort(), [...model.entries()].sort());
        }
      }),
    );
  });

  it('visits each entry once while entries go, and none that has gone', () => {
    const set = new FewSet<number>();
    for (let value = 0; value < 5; value++) set.add(value);
    const visited: number[] = [];
    set.forEach((value) => {
      visited.push(value);
      set.delete(value);
      if (value === 1) set.delete(3);
    });
    assert.deepEqual(visited, [0, 1, 2, 4]);
    assert.equal(set.size, 0);
  });
});
