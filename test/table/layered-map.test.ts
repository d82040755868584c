import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LayeredMap } from '../../src/table/layered-map.ts';

const keyOf = fc.integer({ min: 0, max: 12 }).map((n) => `key${n}`);
const stepOf = fc.record({ key: keyOf, value: fc.option(fc.nat(5)) });

test('whatever is set and deleted, over whatever was there at the start, it reads as a plain map does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(keyOf, fc.nat(5))), fc.array(stepOf), (start, steps) => {
      const plain = new Map(start);
      let layered = LayeredMap.over(new Map(start));
      const was = layered;
      for (const { key, value } of steps) {
        if (value === null) plain.delete(key);
        else plain.set(key, value);
        layered = value === null ? layered.delete(key) : layered.set(key, value);
        assert.deepEqual([layered.get(key), layered.has(key)], [plain.get(key), plain.has(key)]);
        assert.equal(layered.size, plain.size);
      }
      const sorted = (entries: Iterable<readonly [string, number]>) => [...entries].sort();
      for (const entries of [layered, layered.entries()]) assert.deepEqual(sorted(entries), sorted(plain));
      assert.deepEqual([...layered.keys()].sort(), [...plain.keys()].sort());
      assert.deepEqual([...layered.values()].sort(), [...plain.values()].sort());
      assert.deepEqual(sorted(was), sorted(new Map(start)), 'the former one is as it was');
    }),
  );
});

test('what changes nothing gives the same map, and a change moves nothing else to another place', () => {
  const map = LayeredMap.over(new Map([1, 2, 3, 4].map((n) => [`key${n}`, n])));
  assert.equal(map.set('key2', 2), map);
  assert.equal(map.delete('key9'), map);
  const changed = map.set('key2', 7).set('key9', 9).delete('key3').set('key3', 3);
  assert.deepEqual([...changed.keys()], ['key1', 'key2', 'key3', 'key4', 'key9']);
});
