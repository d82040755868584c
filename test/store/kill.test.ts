import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { StoreError } from '../../src/store/store-error.ts';
import type { Store } from '../../src/store/types.ts';
import { startChild } from './children.ts';
import { application, batch, certificate, openTestStore, pemOf, withDirectory } from './samples.ts';

function inUse(error: unknown): boolean {
  return (
    error instanceof StoreError && error.code === 'STORE_IN_USE' && /state directory/.test(error.message)
  );
}

function locksIn(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.includes('lock-'));
}

test('kill -9 after a commit resolved loses nothing of it, and leaves no half batch', async () => {
  await withDirectory(async (dir) => {
    let said = 0;
    for (const lines of [1, 7, 40, 90]) {
      const child = startChild('write', dir);
      await child.untilLines(lines);
      await child.kill();
      assert.ok(child.lines.length >= lines, child.lines.join('\n'));
      said = Number(child.lines.at(-1));

      const store = await openTestStore(dir);
      const { apps, generation, nextClaim } = store.recover();
      assert.ok(generation === said || generation === said + 1, `${said} was said, ${generation} is there`);
      assert.equal(nextClaim, generation);
      assert.equal(apps.length, generation);
      for (let number = 1; number <= generation; number++) {
        const held = store.certificate(`demo/app${number}`, 'foo.example.com');
        assert.deepEqual(pemOf(held), pemOf(certificate(String(number))));
      }
      await store.close();
    }
    assert.ok(said >= 138);
  });
});

test('a second process is refused while the first lives, and let in after it was killed', async () => {
  await withDirectory(async (dir) => {
    const holder = startChild('hold', dir);
    await holder.untilLines(1);
    assert.deepEqual(holder.lines, ['open']);
    await assert.rejects(openTestStore(dir), inUse);
    const second = startChild('hold', dir);
    assert.equal(await second.ended(), 1);
    assert.match(second.lines[0] ?? '', /^failed STORE_IN_USE /);
    await assert.rejects(openTestStore(dir), inUse, 'a refused process does not take the lock with it');
    await holder.kill();
    assert.ok(locksIn(dir).length > 0, 'a killed process leaves its lock behind');
    const store = await openTestStore(dir);
    await assert.rejects(openTestStore(dir), inUse, 'one store is refused to the same process too');
    await store.close();
    assert.deepEqual(readdirSync(dir).sort(), ['state.mdb', 'state.mdb-lock']);
  });
});

test('a stopped process still holds its directory', async () => {
  await withDirectory(async (dir) => {
    const holder = startChild('hold', dir);
    await holder.untilLines(1);
    holder.process.kill('SIGSTOP');
    await assert.rejects(openTestStore(dir), inUse);
    await holder.kill();
    await (await openTestStore(dir)).close();
  });
});

test('however many open a directory over a dead lock at once, never two get it', async () => {
  await withDirectory(async (dir) => {
    const dead = startChild('hold', dir);
    await dead.untilLines(1);
    await dead.kill();
    for (let round = 0; round < 5; round++) {
      const tries = await Promise.allSettled(Array.from({ length: 5 }, () => openTestStore(dir)));
      const stores = tries.flatMap((one): Store[] => (one.status === 'fulfilled' ? [one.value] : []));
      assert.ok(stores.length <= 1);
      for (const one of tries)
        if (one.status === 'rejected') assert.ok(inUse(one.reason), String(one.reason));
      await Promise.all(stores.map((store) => store.close()));
    }
    await (await openTestStore(dir)).close();
    assert.deepEqual(locksIn(dir), []);
  });
});

test('leftovers of processes that died while they took the lock are cleared away', async () => {
  await withDirectory(async (dir) => {
    await (await openTestStore(dir)).close();
    writeFileSync(`${dir}/.lock-0123456789ab`, '');
    writeFileSync(`${dir}/lock-0123456789ab`, '');
    writeFileSync(`${dir}/lock-keeper`, 'not ours');
    await (await openTestStore(dir)).close();
    assert.deepEqual(readdirSync(dir).sort(), ['lock-keeper', 'state.mdb', 'state.mdb-lock']);
  });
});

test('a full disk refuses a commit and leaves everything as it was; what still fits is committed after it', async () => {
  await withDirectory(async (dir) => {
    const child = startChild('fill', dir, 8_000);
    assert.equal(await child.ended(), 0, child.lines.join('\n'));
    const committed = child.lines.filter((line) => line.startsWith('committed')).length;
    assert.ok(committed > 0);
    const [refusal, ...rest] = child.lines.slice(committed);
    assert.match(
      refusal ?? '',
      new RegExp(`^refused ${committed + 1} STORE_COMMIT_FAILED not committed: (?!Commit failed)`),
    );
    assert.deepEqual(rest, [
      `seen ${committed} ${committed}`,
      'certificate absent',
      `small committed, ${committed + 1} seen`,
      'closed',
    ]);
    const store = await openTestStore(dir);
    const { apps, generation } = store.recover();
    assert.equal(apps.length, committed + 1);
    assert.equal(generation, 1_000_000);
    for (let number = 1; number <= committed; number++) {
      assert.ok((store.certificate(`demo/app${number}`, 'a19.example')?.sealed.length ?? 0) > 20_000);
    }
    assert.equal(store.certificate(`demo/app${committed + 1}`, 'a0.example'), null);
    const late = application('late');
    await store.commit(batch({ apps: [[late.key, late]] }));
    await store.close();
  });
});
