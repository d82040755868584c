import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FewMap } from '../../src/edge/few-map.ts';

const key = fc.integer({ min: 0, max: 8 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.integer() }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  fc.record({ kind: fc.constantFrom('clear' as const, 'read' as const), key }),
);

function sorted<T>(entries: Iterable<[number, T]>): [number, T][] {
  return [...entries].sort(([a], [b]) => a - b);
}

describe('a map of few entries', () => {
  it('holds what a Map holds, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ours = new FewMap<number, number>();
        const model = new Map<number, number>();
        for (const taken of steps) {
          if (taken.kind === 'set') {
            assert.equal(ours.set(taken.key, taken.value), ours);
            model.set(taken.key, taken.value);
          } else if (taken.kind === 'delete') assert.equal(ours.delete(taken.key), model.delete(taken.key));
          else if (taken.kind === 'clear') assert.equal(ours.clear(), model.clear());
          assert.equal(ours.size, model.size);
          assert.deepEqual(
            [ours.has(taken.key), ours.get(taken.key)],
            [model.has(taken.key), model.get(taken.key)],
          );
          assert.deepEqual(sorted(ours), sorted(model));
          const visited: [number, number][] = [];
          ours.forEach((value, visitedKey) => void visited.push([visitedKey, value]));
          assert.deepEqual(sorted(visited), sorted(model));
          assert.deepEqual([...ours.keys()].sort(), [...model.keys()].sort());
          assert.deepEqual([...ours.values()].sort(), [...model.values()].sort());
        }
      }),
    );
  });

  it('visits each entry once while entries go, and none that has gone', () => {
    const map = new FewMap<number, string>();
    for (let index = 0; index < 5; index++) map.set(index, `${index}`);
    const visited: string[] = [];
    map.forEach((value, visitedKey) => {
      visited.push(value);
      map.delete(visitedKey);
      if (visitedKey === 1) map.delete(3);
    });
    assert.deepEqual(visited, ['0', '1', '2', '4']);
    assert.equal(map.size, 0);
  });
});
