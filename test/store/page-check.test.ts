import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { settleApart } from '../../src/store/check-file.ts';
import { oddityOf } from '../../src/store/page-check.ts';
import { PAGE_BYTES, withPages } from '../../src/store/page-reader.ts';
import { application, batch, certificate, openTestStore, quarantined, withDirectory } from './samples.ts';

/** Tables of every kind of key, values on pages of their own, and pages that are free again. */
async function usedStore(dir: string): Promise<string> {
  const store = await openTestStore(dir);
  for (let generation = 1; generation < 30; generation += 1) {
    const apps = Array.from({ length: 20 }, (_, n) => application(`app${(generation * 7 + n * 13) % 90}`));
    await store.commit(
      batch({
        apps: apps.map((app, n) => [app.key, n < 4 ? null : app]),
        certificates: apps.slice(4).map(({ key }, n) => ({
          ...{ app: key, alias: 'foo.example.com' },
          certificate: certificate(key.repeat(n % 3 === 0 ? 300 : 10)),
        })),
        quarantine: [quarantined({ body: Buffer.alloc(generation * 500, generation) })],
        generation,
      }),
    );
  }
  await store.close();
  return `${dir}/state.mdb`;
}

function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ (1 << bit);
  return changed;
}

test('a store that was written to and deleted from is whole, and opened without being written anew', async () => {
  await withDirectory(async (dir) => {
    const path = await usedStore(dir);
    assert.equal(oddityOf(path), null);
    assert.deepEqual(await settleApart(path, `${path}-new`), { kind: 'sound', copied: false });
    utimesSync(path, 1, 1);
    const { ino } = statSync(path);
    await (await openTestStore(dir)).close();
    assert.deepEqual([statSync(path).ino, statSync(path).mtimeMs], [ino, 1_000]);
  });
});

test('whatever lmdb trusts in the head of a page is found when a bit of it flips, in every page that is in use', async () => {
  await withDirectory(async (dir) => {
    const path = await usedStore(dir);
    const whole = readFileSync(path);
    const changed = `${dir}/changed`;
    const isFound = (at: number, bit: number): boolean => {
      writeFileSync(changed, flip(whole, at, bit));
      return oddityOf(changed) !== null;
    };
    let used = 0;
    for (let page = 0; page < whole.length / PAGE_BYTES; page += 1) {
      const at = page * PAGE_BYTES;
      // The number of the page itself: free pages keep any.
      if (!isFound(at, 0)) continue;
      used += 1;
      // Kind of page. Of meta pages nothing further is in the head.
      assert.equal(isFound(at + 18, page % 8), true, `flags of page ${page}`);
      if (page < 2) continue;
      assert.equal(isFound(at + 15, page % 8), true, `transaction of page ${page}`);
      for (const field of [20, 22])
        assert.equal(isFound(at + field, 1 + (page % 7)), true, `bounds of ${page}`);
    }
    assert.ok(used > 20);
  });
});

test('a list of free pages with a bit flipped is found: what it would give away holds records', async () => {
  await withDirectory(async (dir) => {
    const path = await usedStore(dir);
    const whole = readFileSync(path);
    let root = 0;
    withPages(path, ({ facts }) => {
      root = facts.free.root ?? 0;
    });
    const page = root * PAGE_BYTES;
    const nodes = whole.readUInt16LE(page + 20) / 2;
    assert.ok(nodes > 0);
    let entries = 0;
    for (let n = 0; n < nodes; n += 1) {
      const node = page + 24 + whole.readUInt16LE(page + 24 + 2 * n);
      const list = node + 8 + whole.readUInt16LE(node + 6);
      const length = whole.readUInt32LE(list);
      for (let entry = 1; entry <= length; entry += 1) {
        entries += 1;
        for (const bit of [0, 5]) {
          writeFileSync(`${dir}/changed`, flip(whole, list + entry * 8, bit));
          assert.notEqual(oddityOf(`${dir}/changed`), null, `entry ${entry} of list ${n}`);
        }
      }
    }
    assert.ok(entries > 0);
  });
});

test('a file that was cut short, an older transaction that looks like the last, and no store at all are odd', async () => {
  await withDirectory(async (dir) => {
    const path = await usedStore(dir);
    const changed = `${dir}/changed`;
    const { size } = statSync(path);
    for (const length of [0, 100, PAGE_BYTES, 2 * PAGE_BYTES, size - PAGE_BYTES, size - 1]) {
      copyFileSync(path, changed);
      truncateSync(changed, length);
      assert.notEqual(oddityOf(changed), null, `cut to ${length}`);
    }
    const whole = readFileSync(path);
    for (const page of [0, 1]) {
      for (let bit = 0; bit < 8; bit += 1) {
        writeFileSync(changed, flip(whole, page * PAGE_BYTES + 24 + 24 + 96 + 8, bit));
        assert.notEqual(oddityOf(changed), null, `transaction of meta page ${page}, bit ${bit}`);
      }
    }
    writeFileSync(changed, 'no store'.repeat(10_000));
    assert.notEqual(oddityOf(changed), null);
    assert.notEqual(oddityOf(`${dir}/absent`), null);
  });
});
