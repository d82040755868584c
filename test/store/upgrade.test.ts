/** Stores of the first format, whose keys lay in the clear. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { open } from 'lmdb';
import { seal } from '../../src/seal/envelope.ts';
import { unsealPem } from '../../src/seal/sealed-pem.ts';
import { FORMAT } from '../../src/store/format.ts';
import type { RecordKey } from '../../src/store/records.ts';
import { json, LMDB_OPTIONS, openTables, tableOf } from '../../src/store/tables.ts';
import { shownApplication } from '../../src/table/shown-alias.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { application, batch, openTestStore, quarantined, testRing, withDirectory } from './samples.ts';

const CERTIFICATES = 600;
const pem = (n: number) => ({ chainPem: `chain ${n}\n`, keyPem: `THE-SECRET ${n}\n` });

type Format = 1 | 2;

/** As Headgear wrote it before private keys were encrypted: bare JSON and MessagePack, then JSON with checksums. */
async function writeClear(dir: string, format: Format, from = 0): Promise<void> {
  const root = open({ path: `${dir}/state.mdb`, encoding: 'binary', ...LMDB_OPTIONS });
  const table = <V, K extends RecordKey>(name: string) =>
    format === 1
      ? root.openDB<V, K>(name, { encoding: name === 'quarantine' ? 'msgpack' : 'json' })
      : tableOf(root, name, json<V>());
  const meta = table<number, string>('meta');
  const apps = table<object, string>('apps');
  const certificates = table<object, [string, string]>('certificates');
  const quarantine = table<object, number>('quarantine');
  const shop = application('shop');
  const body = Buffer.from('THE-SECRET body');
  const entry = { id: 4, ...quarantined({ body, bodyBytes: body.length }) };
  await root.childTransaction(() => {
    meta.put('format', format);
    meta.put('generation', 7);
    meta.put('nextClaim', 9);
    meta.put('nextQuarantineId', 5);
    apps.put(shop.key, shop);
    for (let n = from; n < CERTIFICATES; n += 1) {
      certificates.put([shop.key, `www${n}.test`], { id: `id${n}`, ...pem(n) });
    }
    quarantine.put(4, format === 1 ? entry : { ...entry, body: body.toString('base64') });
  });
  await root.close();
  chmodSync(`${dir}/state.mdb`, 0o600);
}

async function assertUpgraded(dir: string): Promise<void> {
  const store = await openTestStore(dir);
  const shop = application('shop');
  assert.deepEqual(store.recover(), { ...store.recover(), apps: [shop], nextClaim: 9, generation: 7 });
  for (let n = 0; n < CERTIFICATES; n += 1) {
    const held = store.certificate(shop.key, `www${n}.test`);
    assert.ok(held !== null);
    const owner = { app: shop.key, alias: `www${n}.test`, id: `id${n}` };
    assert.deepEqual([held.id, unsealPem(store.keys, owner, held.sealed)], [owner.id, pem(n)]);
  }
  assert.equal(Buffer.from(store.quarantined(1)[0]?.body ?? []).toString(), 'THE-SECRET body');
  await store.close();
}

for (const format of [1, 2] as const) {
  test(`a store of format ${format}, whose keys lie in the clear, is encrypted when it is opened, snapshot and freed pages too`, async () => {
    await withDirectory(async (dir) => {
      mkdirSync(dir, { mode: 0o700 });
      await writeClear(dir, format);
      copyFileSync(`${dir}/state.mdb`, `${dir}/state.snapshot`);
      writeFileSync(`${dir}/state.damaged`, 'of before');
      assert.ok(readFileSync(`${dir}/state.mdb`).includes('THE-SECRET'));
      const log = memoryLog();
      await (await openTestStore(dir, { log })).close();
      for (const file of ['state.mdb', 'state.snapshot']) {
        assert.equal(readFileSync(`${dir}/${file}`).includes('THE-SECRET'), false, file);
        assert.equal(statSync(`${dir}/${file}`).mode & 0o777, 0o600);
      }
      assert.deepEqual(
        log.lines.map(({ level }) => level),
        ['info', 'warn'],
        'the upgrade, and the damaged file that still has them',
      );
      await assertUpgraded(dir);
      const later = memoryLog();
      const store = await openTestStore(dir, { log: later });
      await store.commit(batch({ quarantine: [quarantined()] }));
      assert.equal(store.quarantined(1)[0]?.id, 5);
      await store.close();
      assert.deepEqual(later.lines, [], 'once only');
    });
  });
}

test('a store of format 3, whose certificates are sealed as text, is read as it is, and has the present format from then on', async () => {
  await withDirectory(async (dir) => {
    const owner = { app: 'demo/shop', alias: 'www.test', id: 'id1' };
    const text = Buffer.from(`${pem(1).keyPem}\0${pem(1).chainPem}`);
    const sealed = seal(testRing, `certificate\0${owner.app}\0${owner.alias}\0${owner.id}`, text);
    const first = await openTestStore(dir);
    await first.commit(
      batch({
        apps: [[owner.app, application('shop')]],
        certificates: [{ ...owner, certificate: { id: owner.id, sealed } }],
      }),
    );
    await first.close();
    const format = async (written?: number): Promise<number | undefined> => {
      const { root, meta } = openTables(`${dir}/state.mdb`);
      if (written !== undefined) await root.childTransaction(() => meta.put('format', written));
      const found = meta.get('format');
      await root.close();
      return found;
    };
    await format(3);
    const log = memoryLog();
    const store = await openTestStore(dir, { log });
    const held = store.certificate(owner.app, owner.alias);
    assert.deepEqual(unsealPem(store.keys, owner, held?.sealed ?? Buffer.alloc(0)), pem(1));
    assert.deepEqual(
      Array.from(store.allCertificates(), ([app, alias, { id, sealed: bytes }]) => [app, alias, id, bytes]),
      [[owner.app, owner.alias, owner.id, held?.sealed]],
    );
    await store.close();
    assert.deepEqual(log.lines, []);
    assert.equal(await format(), FORMAT);
  });
});

for (const isRecovered of [true, false]) {
  const how = isRecovered ? 'as it is verified' : 'by lmdb';
  test(`a store of format 4, which holds what is known of certificates as it is shown, is read as it is, ${how}`, async () => {
    await withDirectory(async (dir) => {
      const shop = application('shop');
      const shown = shownApplication(shop);
      assert.equal(typeof shown.aliases[0]?.certificate, 'object');
      await (await openTestStore(dir)).close();
      const { root, meta } = openTables(`${dir}/state.mdb`);
      const apps = tableOf<object, string>(root, 'apps', json());
      const frozenApps = tableOf<object, string>(root, 'frozen-apps', json());
      await root.childTransaction(() => {
        meta.put('format', 4);
        meta.put('frozenSince', 5);
        apps.put(shop.key, shown);
        frozenApps.put(shop.key, { app: shown });
        frozenApps.put('demo/none', { app: null });
      });
      await root.close();
      for (const start of ['first', 'second']) {
        const store = await openTestStore(dir, { isRecovered });
        const found = store.recover();
        assert.deepEqual(found.apps, [shop], start);
        assert.deepEqual(found.frozen?.apps, [
          ['demo/none', null],
          [shop.key, shop],
        ]);
        await store.close();
      }
    });
  });
}

test('an upgrade that was broken off between two transactions goes on at the next start', async () => {
  await withDirectory(async (dir) => {
    mkdirSync(dir, { mode: 0o700 });
    await writeClear(dir, 2);
    await (await openTestStore(dir)).close();
    const { root, certificates } = openTables(`${dir}/state.mdb`);
    await root.childTransaction(() => {
      for (let n = 300; n < CERTIFICATES; n += 1) certificates.remove(['demo/shop', `www${n}.test`]);
    });
    await root.close();
    // Three hundred are brought over, the others are as they were.
    await writeClear(dir, 2, 300);
    await assertUpgraded(dir);
    assert.equal(readFileSync(`${dir}/state.mdb`).includes('THE-SECRET'), false);
  });
});
