import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPendingChanges } from '../../src/control/pending-changes.ts';
import type { TableChanges } from '../../src/table/routing-table.ts';

const routes = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 });

/** What each of `lists` sets, as changes whose values tell by which list they were set. */
function changesOf(lists: readonly (readonly string[])[]): TableChanges[] {
  return lists.map((names, n) => ({
    generation: n + 1,
    apps: names.map((name) => [name, null]),
    hosts: names.map((name) => [name, { app: `${n}`, kind: 'plain', viaNodeFrontend: false }]),
    certificates: names.map((name) => [name, null]),
  }));
}

/** By host: who set it last. */
function lastOf(all: readonly TableChanges[]): Record<string, string> {
  return Object.fromEntries(all.flatMap(({ hosts }) => hosts.map(([name, host]) => [name, host?.app ?? ''])));
}

test('whatever waits, is taken, or comes back after a failure: later changes win, and each key comes once', () => {
  fc.assert(
    fc.property(fc.array(routes, { maxLength: 6 }), fc.nat(6), fc.nat(6), (lists, taken, failures) => {
      const all = changesOf(lists);
      const pending = createPendingChanges();
      for (const changes of all.slice(0, taken)) pending.add(changes);
      for (let n = 0; n < failures; n += 1) {
        const failed = pending.take();
        assert.ok(pending.isEmpty());
        const next = all[taken + n];
        if (next !== undefined) pending.add(next);
        if (failed !== null) pending.putBack(failed);
      }
      for (const changes of all.slice(taken + failures)) pending.add(changes);
      const end = pending.take();
      assert.equal(pending.take(), null);
      assert.equal(end?.generation ?? 0, all.length);
      assert.deepEqual(lastOf(end === null ? [] : [end]), lastOf(all));
      for (const keys of [end?.apps, end?.hosts, end?.certificates].map((part) => part?.map(([key]) => key)))
        assert.equal(new Set(keys).size, keys?.length ?? 0);
    }),
  );
});
