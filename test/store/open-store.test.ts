import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { FORMAT } from '../../src/store/format.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { openTables } from '../../src/store/tables.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { application, batch, certificate, openTestStore, quarantined, withDirectory } from './samples.ts';

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

function modesOf(dir: string): Record<string, string> {
  const names = readdirSync(dir).filter((name) => name.startsWith('state.'));
  return Object.fromEntries(
    names.map((name) => [name, (statSync(`${dir}/${name}`).mode & 0o777).toString(8)]),
  );
}

test('what was committed is there after the store is opened again', async () => {
  await withDirectory(async (dir) => {
    const php = application('phpha');
    const bare = { ...application('bare'), endpoints: [], aliases: [], headGearId: null, scalable: null };
    const first = await openTestStore(dir);
    assert.deepEqual(first.recover(), { apps: [], tombstones: [], nextClaim: 1, generation: 0 });
    await first.commit(
      batch({
        apps: [
          [php.key, php],
          [bare.key, bare],
        ],
        certificates: [{ app: php.key, alias: 'foo.example.com', certificate: certificate('one') }],
        quarantine: [quarantined({ body: Buffer.from([0, 255, 128]) })],
        tombstones: [['demo/gone', { at: 1_800_000_000_000, sentAt: null }]],
        nextClaim: 8,
        generation: 5_000_000_000,
      }),
    );
    await first.close();

    const second = await openTestStore(dir);
    assert.deepEqual(second.recover(), {
      apps: [bare, php],
      tombstones: [['demo/gone', { at: 1_800_000_000_000, sentAt: null }]],
      nextClaim: 8,
      generation: 5_000_000_000,
    });
    assert.deepEqual(second.certificate(php.key, 'foo.example.com'), certificate('one'));
    assert.equal(second.certificate(php.key, 'bar.example.com'), null);
    assert.equal(second.certificate(bare.key, 'foo.example.com'), null);
    assert.deepEqual(
      second.quarantined(10).map((entry) => ({ ...entry, body: [...entry.body] })),
      [{ id: 1, ...quarantined(), body: [0, 255, 128] }],
    );
    await second.close();
  });
});

test('what is read stays as it was read, whatever is read or committed after it', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    await store.commit(batch({ quarantine: [quarantined({ body: Buffer.alloc(5_000, 1) })] }));
    const [before] = store.quarantined(1);
    await store.commit(batch({ quarantine: [quarantined({ body: Buffer.alloc(5_000, 2) })] }));
    for (let round = 0; round < 50; round++) store.quarantined(2);
    assert.deepEqual(new Set(before?.body), new Set([1]));
    await store.close();
  });
});

test('a deleted application takes all its certificates with it, and nobody else’s', async () => {
  await withDirectory(async (dir) => {
    const [gone, longer, other] = [application('a'), application('ab'), application('a', 'demo2')];
    const store = await openTestStore(dir);
    const certificates = [gone, longer, other].flatMap(({ key }) =>
      ['0.example', 'foo.example.com', 'z.example'].map((alias) => ({
        app: key,
        alias,
        certificate: certificate(key),
      })),
    );
    await store.commit(batch({ apps: [gone, longer, other].map((app) => [app.key, app]), certificates }));
    await store.commit(batch({ apps: [[gone.key, null]] }));
    assert.deepEqual(store.recover().apps, [longer, other]);
    for (const { app, alias } of certificates) {
      assert.deepEqual(store.certificate(app, alias), app === gone.key ? null : certificate(app));
    }
    await store.close();
    const again = await openTestStore(dir);
    assert.equal(again.certificate(gone.key, 'foo.example.com'), null);
    await again.close();
  });
});

test('a certificate is replaced and deleted by application and alias', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const one = (app: string, id: string | null) =>
      batch({
        certificates: [{ app, alias: 'foo.example.com', certificate: id === null ? null : certificate(id) }],
      });
    await store.commit(one('demo/a', 'a1'));
    await store.commit(one('demo/b', 'b1'));
    await store.commit(one('demo/a', 'a2'));
    assert.deepEqual(store.certificate('demo/a', 'foo.example.com'), certificate('a2'));
    await store.commit(one('demo/a', null));
    await store.commit(one('demo/a', null));
    assert.equal(store.certificate('demo/a', 'foo.example.com'), null);
    assert.deepEqual(store.certificate('demo/b', 'foo.example.com'), certificate('b1'));
    await store.close();
  });
});

test('nothing of a batch holds when a part of it cannot be written, and the next batch can', async () => {
  await withDirectory(async (dir) => {
    const [first, second] = [application('first'), application('second')];
    const store = await openTestStore(dir);
    await store.commit(batch({ apps: [[first.key, first]], generation: 1 }));
    const impossible = { app: 'x'.repeat(5_000), alias: 'a.example', certificate: certificate('x') };
    const bad = batch({
      apps: [
        [first.key, null],
        [second.key, second],
      ],
      certificates: [impossible],
      quarantine: [quarantined()],
      generation: 2,
    });
    await assert.rejects(store.commit(bad), hasCode('STORE_COMMIT_FAILED'));
    assert.deepEqual(store.recover(), { apps: [first], tombstones: [], nextClaim: 1, generation: 1 });
    assert.equal(store.quarantineSize(), 0);
    assert.deepEqual(store.quarantined(10), []);
    await store.commit(batch({ apps: [[second.key, second]], quarantine: [quarantined()], generation: 3 }));
    assert.equal(store.quarantined(10)[0]?.id, 1);
    await store.close();
    const again = await openTestStore(dir);
    assert.deepEqual(again.recover(), { apps: [first, second], tombstones: [], nextClaim: 1, generation: 3 });
    await again.close();
  });
});

test('commits that were not awaited are made in order, and close waits for them', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const commits = Array.from({ length: 50 }, (_, index) =>
      store.commit(batch({ quarantine: [quarantined({ code: `C${index}` })], generation: index })),
    );
    await store.close();
    await store.close();
    await Promise.all(commits);
    await assert.rejects(store.commit(batch()), hasCode('STORE_CLOSED'));
    const again = await openTestStore(dir);
    assert.equal(again.recover().generation, 49);
    assert.deepEqual(
      again.quarantined(100).map(({ id, code }) => [id, code]),
      Array.from({ length: 50 }, (_, index) => [50 - index, `C${49 - index}`]),
    );
    await again.close();
  });
});

test('a batch of 20,000 applications is committed and recovered whole', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const apps = Array.from({ length: 20_000 }, (_, index) => application(`app${index}`));
    await store.commit(batch({ apps: apps.map((app) => [app.key, app]) }));
    assert.equal(store.recover().apps.length, 20_000);
    await store.commit(batch({ apps: apps.map((app) => [app.key, null]) }));
    assert.deepEqual(store.recover().apps, []);
    await store.close();
  });
});

test('directory and files are for the owner alone, whatever the umask says', async () => {
  const umask = process.umask(0);
  try {
    await withDirectory(async (dir) => {
      const log = memoryLog();
      const store = await openTestStore(dir, { log });
      await store.commit(batch({ quarantine: [quarantined()] }));
      assert.equal((statSync(dir).mode & 0o777).toString(8), '700');
      const files = { 'state.mdb': '600', 'state.mdb-lock': '600', 'state.redo-0000000000000001': '600' };
      assert.deepEqual(modesOf(dir), files);
      await store.close();
      assert.deepEqual(log.lines, []);
    });
  } finally {
    process.umask(umask);
  }
});

test('a directory and files that others could read are closed to them, and that is logged', async () => {
  await withDirectory(async (dir) => {
    await (await openTestStore(dir)).close();
    chmodSync(dir, 0o755);
    chmodSync(`${dir}/state.mdb`, 0o644);
    const log = memoryLog();
    const store = await openTestStore(dir, { log });
    assert.equal((statSync(dir).mode & 0o777).toString(8), '700');
    assert.deepEqual(modesOf(dir), { 'state.mdb': '600', 'state.mdb-lock': '600' });
    assert.deepEqual(
      log.lines.map(({ level }) => level),
      ['warn', 'warn'],
    );
    await store.close();
  });
});

test('a directory that is a file, or under one, is refused with its path', async () => {
  await withDirectory(async (dir) => {
    writeFileSync(dir, 'not a directory');
    await assert.rejects(
      openTestStore(dir),
      (error) => hasCode('STORE_DIRECTORY')(error) && `${error}`.includes(dir),
    );
    await assert.rejects(openTestStore(`${dir}/below`), hasCode('STORE_DIRECTORY'));
  });
});

test('a directory whose files cannot be written is refused, and left unlocked', async () => {
  await withDirectory(async (dir) => {
    mkdirSync(`${dir}/state.mdb`, { recursive: true });
    await assert.rejects(openTestStore(dir), hasCode('STORE_DIRECTORY'));
    assert.deepEqual(readdirSync(dir), ['state.mdb']);
  });
});

test('a store that a newer version wrote is refused and left as it is', async () => {
  await withDirectory(async (dir) => {
    await (await openTestStore(dir)).close();
    const write = async (format: number) => {
      const { root, meta } = openTables(`${dir}/state.mdb`);
      await root.childTransaction(() => meta.put('format', format));
      await root.close();
    };
    await write(FORMAT + 1);
    const refusal = (error: unknown) =>
      hasCode('STORE_FORMAT')(error) &&
      `${error}`.includes(`format ${FORMAT + 1}, this program reads ${FORMAT}: was it written by a newer`);
    await assert.rejects(openTestStore(dir), refusal);
    await assert.rejects(openTestStore(dir), refusal, 'the lock was given back');
    await write(FORMAT);
    await (await openTestStore(dir)).close();
  });
});

test('a directory of any path length holds a store', async () => {
  await withDirectory(async (base) => {
    const dir = `${base}/${'deep/'.repeat(40)}`;
    const store = await openTestStore(dir);
    await assert.rejects(openTestStore(dir), hasCode('STORE_IN_USE'));
    await store.close();
    await (await openTestStore(dir)).close();
  });
});
