import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { beginOpening } from '../../src/store/opening.ts';
import { beginReading } from '../../src/store/reading.ts';
import type { Store, StoreBatch } from '../../src/store/types.ts';
import { application, batch, certificate, openTestStore, withDirectory } from './samples.ts';

/** Applications and certificates of every length: more of them than one slab takes, some longer than a page, one longer than a slab. */
function manyRecords(): StoreBatch {
  const apps = Array.from({ length: 700 }, (_, n) => application(`app${n}`, `ns${n % 40}`));
  return batch({
    apps: apps.map((app, n) => [
      app.key,
      n % 50 === 0 ? { ...app, aliases: Array.from({ length: 30 }, () => app.aliases[0] ?? []).flat() } : app,
    ]),
    certificates: apps.flatMap(({ key }, n) =>
      ['www.example.com', '*.example.com', 'xn--mller-kva.example'].map((alias, i) => ({
        ...{ app: key, alias },
        certificate: certificate(`${i}${n}`, 'k'.repeat(n === 9 ? 300_000 : (n * 37) % 6_000)),
      })),
    ),
  });
}

function contentOf(store: Store): object {
  return {
    recovered: store.recover(),
    certificates: [...store.allCertificates()].map(([app, alias, { id, sealed }]) => [
      ...[app, alias, id, Buffer.from(sealed).toString('hex')],
    ]),
  };
}

async function contentBy(dir: string, isRecovered: boolean): Promise<object> {
  const store = await openTestStore(dir, { isRecovered });
  const content = contentOf(store);
  await store.close();
  return content;
}

test('what is kept while the file is verified is what lmdb reads', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    await store.commit(manyRecords());
    await store.commit(batch({ apps: [[application('app3', 'ns3').key, null]], generation: 2 }));
    await store.close();
    const read = await beginReading({ path: `${dir}/state.mdb`, keep: true }).whole;
    assert.deepEqual([read?.apps.length, [...(read?.certificates ?? [])].length], [699, 2_097]);
    // The applications are told of before the rest is known, and not where nobody keeps them.
    const reading = beginReading({ path: `${dir}/state.mdb`, keep: true });
    const apps = await reading.apps;
    assert.equal(apps?.length, 699);
    assert.equal((await reading.whole)?.apps, apps);
    assert.equal(await beginReading({ path: `${dir}/state.mdb`, keep: false }).apps, null);
    assert.deepEqual(await contentBy(dir, true), await contentBy(dir, false));
  });
});

test('what is committed after the opening is recovered, though the file was read before', async () => {
  await withDirectory(async (dir) => {
    const before = await openTestStore(dir);
    await before.commit(manyRecords());
    await before.close();
    const store = await openTestStore(dir, { isRecovered: true });
    const { key } = application('app5', 'ns5');
    await store.commit(
      batch({
        apps: [[key, { ...application('app5', 'ns5'), scalable: false }]],
        certificates: [{ app: key, alias: 'www.example.com', certificate: certificate('newer') }],
      }),
    );
    assert.equal(store.recover().apps.find((app) => app.key === key)?.scalable, false);
    const found = [...store.allCertificates()].find(
      ([app, alias]) => app === key && alias === 'www.example.com',
    );
    assert.equal(found?.[2].id, 'newer');
    await store.close();
  });
});

test('nothing is kept of a file of which a record, a page or the end is not what was written', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    await store.commit(manyRecords());
    await store.snapshot();
    const all = contentOf(store);
    await store.close();
    const path = `${dir}/state.mdb`;
    const whole = readFileSync(path);
    const record = whole.lastIndexOf('"appName":"app600"');
    const damaged: readonly (readonly [what: string, bytes: Buffer])[] = [
      ['a record', flipped(whole, record)],
      ['the root of a table', flipped(whole, Math.floor(record / 4_096) * 4_096 + 20)],
      ['the end', whole.subarray(0, whole.length / 2)],
      ['all of it', Buffer.alloc(whole.length, 'no store ')],
    ];
    for (const [what, bytes] of damaged) {
      writeFileSync(path, bytes);
      assert.equal(await beginReading({ path, keep: true }).whole, null, what);
      assert.deepEqual(await contentBy(dir, true), all, `${what}: the snapshot and the log are recovered`);
    }
  });
});

test('a file that cannot be read proves nothing, and ends no process', async () => {
  await withDirectory(async (dir) => {
    const absent = beginReading({ path: `${dir}/absent`, keep: true });
    assert.equal(await absent.whole, null);
    assert.deepEqual(await absent.apps, []);
    const reading = beginReading({ path: '/dev/zero', keep: true });
    reading.stop();
    assert.equal(await reading.whole, null);
    assert.equal(await reading.apps, null);
  });
});

test('an opening that is given up lets the directory go, and changes nothing in it', async () => {
  await withDirectory(async (dir) => {
    assert.equal(beginOpening(dir, true), null);
    const store = await openTestStore(dir);
    await store.commit(manyRecords());
    const taken = beginOpening(dir, true);
    await assert.rejects(taken?.lock ?? Promise.resolve(), { code: 'STORE_IN_USE' });
    assert.equal(await taken?.whole, null);
    assert.equal(await taken?.apps, null);
    await store.close();
    const before = facts(dir);
    const opening = beginOpening(dir, true);
    await opening?.lock;
    await assert.rejects(openTestStore(dir), { code: 'STORE_IN_USE' });
    await opening?.abandon();
    assert.deepEqual(facts(dir), before);
    await (await openTestStore(dir)).close();
    await opening?.abandon();
  });
});

test('a store is opened from what was begun before, under the same lock', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    await store.commit(manyRecords());
    const all = contentOf(store);
    await store.close();
    const opening = beginOpening(dir, true);
    assert.notEqual(opening, null);
    const opened = await openTestStore(dir, { opening, isRecovered: true });
    await assert.rejects(openTestStore(dir), { code: 'STORE_IN_USE' });
    assert.deepEqual(contentOf(opened), all);
    // A second time lmdb is asked.
    assert.deepEqual(contentOf(opened), all);
    await opened.close();
    await (await openTestStore(dir)).close();
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

function facts(dir: string): readonly string[] {
  return readdirSync(dir).map((name) => {
    const { ino, size, mtimeMs } = statSync(`${dir}/${name}`);
    return `${name} ${ino} ${size} ${mtimeMs}`;
  });
}
