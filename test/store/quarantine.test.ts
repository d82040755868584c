import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planQuarantine, type QuarantineIndex } from '../../src/store/quarantine.ts';
import { application, batch, NOW, openTestStore, quarantined, withDirectory } from './samples.ts';

test('the quarantine keeps the newest entries within its number, newest first', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir, { maxQuarantined: 3 });
    for (let round = 0; round < 4; round++) {
      await store.commit(
        batch({ quarantine: [quarantined({ code: `A${round}` }), quarantined({ code: `B${round}` })] }),
      );
    }
    assert.equal(store.quarantineSize(), 3);
    assert.deepEqual(
      store.quarantined(10).map(({ id, code }) => [id, code]),
      [
        [8, 'B3'],
        [7, 'A3'],
        [6, 'B2'],
      ],
    );
    assert.deepEqual(
      store.quarantined(1).map(({ id }) => id),
      [8],
    );
    assert.deepEqual(store.quarantined(0), []);
    await store.close();
    const again = await openTestStore(dir, { maxQuarantined: 2 });
    await again.commit(batch({ quarantine: [quarantined({ code: 'C' })] }));
    assert.deepEqual(
      again.quarantined(10).map(({ id, code }) => [id, code]),
      [
        [9, 'C'],
        [8, 'B3'],
      ],
      'numbers go on rising, and a smaller bound holds from the next commit on',
    );
    await again.close();
  });
});

test('numbers of quarantined messages are never given twice, also after all of them went', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    await store.commit(batch({ quarantine: [quarantined({ app: 'demo/a' })] }));
    await store.commit(batch({ forgetQuarantineOf: ['demo/a'] }));
    assert.equal(store.quarantineSize(), 0);
    await store.close();
    const again = await openTestStore(dir);
    await again.commit(batch({ quarantine: [quarantined()] }));
    assert.equal(again.quarantined(1)[0]?.id, 2);
    await again.close();
  });
});

test('a batch of more messages than the quarantine holds leaves the last of them', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir, { maxQuarantined: 2 });
    await store.commit(batch({ quarantine: [1, 2, 3, 4, 5].map((at) => quarantined({ at })) }));
    assert.deepEqual(
      store.quarantined(10).map(({ at }) => at),
      [5, 4],
    );
    await store.close();
  });
});

test('bodies are bounded all together: the oldest go, and one that is too large alone keeps its beginning', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir, { maxQuarantineBytes: 1_000 });
    const add = (size: number) =>
      store.commit(batch({ quarantine: [quarantined({ body: Buffer.alloc(size, 7) })] }));
    await add(400);
    await add(400);
    await add(400);
    assert.deepEqual(
      store.quarantined(10).map(({ id }) => id),
      [3, 2],
    );
    await add(5_000);
    assert.deepEqual(
      store.quarantined(10).map(({ id, body }) => [id, body.length]),
      [[4, 1_000]],
    );
    await store.close();
  });
});

test('what is held of a deleted application goes, and what is held of others or of nobody stays', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const app = application('a');
    await store.commit(
      batch({ quarantine: [app.key, 'demo/b', null, app.key].map((key) => quarantined({ app: key })) }),
    );
    await store.commit(
      batch({
        apps: [[app.key, null]],
        forgetQuarantineOf: [app.key],
        quarantine: [quarantined({ app: app.key, code: 'AFTER' })],
      }),
    );
    const rest = [
      [5, app.key],
      [3, null],
      [2, 'demo/b'],
    ];
    assert.deepEqual(
      store.quarantined(10).map((entry) => [entry.id, entry.app]),
      rest,
      'what came in the same batch is not forgotten by it',
    );
    await store.close();
    const again = await openTestStore(dir);
    assert.deepEqual(
      again.quarantined(10).map((entry) => [entry.id, entry.app]),
      rest,
    );
    assert.equal(again.quarantineSize(), 3);
    await again.close();
  });
});

test('whatever is added and forgotten, the bounds hold, numbers rise, and no younger entry goes before an older one', () => {
  const key = fc.constantFrom('demo/a', 'demo/b', null);
  const entry = fc.record({ app: key, size: fc.nat(60) });
  const step = fc.record({
    add: fc.array(entry, { maxLength: 5 }),
    forget: fc.array(fc.constantFrom('demo/a', 'demo/b')),
    drop: fc.array(fc.nat(20), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (steps, maxEntries) => {
      const bounds = { maxEntries, maxBytes: 100, maxAgeMs: 1 };
      let index: QuarantineIndex = { held: [], nextId: 1 };
      for (const { add, forget, drop } of steps) {
        const entries = add.map(({ app, size }) => quarantined({ app, at: 0, body: Buffer.alloc(size) }));
        const plan = planQuarantine(index, { entries, forget, drop, now: 0 }, bounds);
        assert.ok(plan.held.length <= bounds.maxEntries);
        assert.ok(plan.held.reduce((sum, { bytes }) => sum + bytes, 0) <= bounds.maxBytes);
        const before = new Set(index.held.map(({ id }) => id));
        for (const id of plan.removed) assert.ok(before.delete(id));
        for (const { id } of plan.added) before.add(id);
        assert.deepEqual(new Set(plan.held.map(({ id }) => id)), before, 'memory and disk agree');
        const ids = plan.held.map(({ id }) => id);
        assert.deepEqual(
          ids,
          [...ids].sort((a, b) => a - b),
        );
        assert.equal(plan.nextId, index.nextId + add.length);
        index = plan;
      }
    }),
  );
});

test('a message that is dropped goes alone, and one that is too old goes with the next commit, at the start or by the clock', async () => {
  await withDirectory(async (dir) => {
    let now = NOW;
    const options = { maxQuarantineAgeMs: 1_000, now: () => now };
    const store = await openTestStore(dir, options);
    await store.commit(batch({ quarantine: [0, 0, 500].map((age) => quarantined({ at: NOW + age })) }));
    await store.commit(batch({ dropQuarantine: [2, 77] }));
    assert.deepEqual(store.quarantineIds(), [1, 3]);
    assert.equal(store.quarantineEntry(3)?.id, 3);
    assert.equal(store.quarantineEntry(2), null);
    now = NOW + 1_001;
    await store.commit(batch({ generation: 7, nextClaim: 9 }));
    assert.deepEqual(store.quarantineIds(), [3]);
    await store.close();
    now = NOW + 2_000;
    const again = await openTestStore(dir, options);
    await again.close();
    const third = await openTestStore(dir, { ...options, now: () => NOW });
    assert.deepEqual([third.quarantineSize(), third.quarantined(9)], [0, []]);
    const { generation, nextClaim } = third.recover();
    assert.deepEqual([generation, nextClaim], [7, 9], 'what the clock does changes nothing else');
    await third.close();
  });
});

test('a batch that has nothing to do with the quarantine leaves its index as it is, the very same object', () => {
  const index: QuarantineIndex = {
    held: Array.from({ length: 1_000 }, (_, id) => ({ id, app: null, bytes: 1, at: 5 })),
    nextId: 1_000,
  };
  const bounds = { maxEntries: 1_000, maxBytes: 1_000, maxAgeMs: 10 };
  const idle = { entries: [], forget: [], drop: [], now: 15 };
  assert.equal(planQuarantine(index, idle, bounds).held, index.held);
  assert.equal(planQuarantine(index, { ...idle, now: 16 }, bounds).held.length, 0);
});
