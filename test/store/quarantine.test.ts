import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planQuarantine, type QuarantineIndex } from '../../src/store/quarantine.ts';
import { application, batch, openTestStore, quarantined, withDirectory } from './samples.ts';

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
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (steps, maxEntries) => {
      const bounds = { maxEntries, maxBytes: 100 };
      let index: QuarantineIndex = { held: [], nextId: 1 };
      for (const { add, forget } of steps) {
        const entries = add.map(({ app, size }) => quarantined({ app, body: Buffer.alloc(size) }));
        const plan = planQuarantine(index, forget, entries, bounds);
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
