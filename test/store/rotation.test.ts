/** Rotation of the master key: broken off anywhere it loses nothing, and the former key goes only when nothing needs it. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { keyIdOf } from '../../src/seal/envelope.ts';
import { masterKeyOf, newKeyText } from '../../src/seal/key-ring.ts';
import { unsealPem } from '../../src/seal/sealed-pem.ts';
import { startKeyCare } from '../../src/store/key-care.ts';
import { addNewKey, type KeySource } from '../../src/store/master-key.ts';
import { StoreError } from '../../src/store/store-error.ts';
import type { Store } from '../../src/store/types.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { startChild } from './children.ts';
import { batch, openTestStore, quarantined, withDirectory } from './samples.ts';

const CERTIFICATES = 900;
const PATIENCE_MS = 60_000;
const owner = (n: number) => ({ app: 'demo/shop', alias: `www${n}.test`, id: `id${n}` });
const pem = (n: number) => ({ chainPem: `chain ${n}\n`, keyPem: `key ${n}\n` });
const body = Buffer.from('a quarantined key');

const fileOf = (dir: string) => `${dir}.key`;
const source = (dir: string): KeySource => ({ kind: 'file', path: fileOf(dir), own: false });
const openIt = (dir: string) => openTestStore(dir, { masterKey: source(dir) });
const idOf = (text: string) => masterKeyOf(Buffer.from(text, 'hex')).id;
const keysIn = (dir: string) =>
  readFileSync(fileOf(dir), 'utf8')
    .split('\n')
    .filter((line) => /^[0-9a-f]{64}$/.test(line));

/** A store with certificates and a quarantined body under the key that this gives back. */
async function filled(dir: string): Promise<string> {
  const key = newKeyText();
  writeFileSync(fileOf(dir), `${key}\n`, { mode: 0o600 });
  const store = await openIt(dir);
  const certificates = Array.from({ length: CERTIFICATES }, (_, n) => {
    const { app, alias, id } = owner(n);
    return { app, alias, certificate: store.seal(app, alias, { id, ...pem(n) }) };
  });
  await store.commit(batch({ certificates, quarantine: [quarantined({ body, bodyBytes: body.length })] }));
  await store.close();
  return key;
}

/** Everything opens; gives the ids of the keys that it is under. */
function keysOf(store: Store): readonly string[] {
  const ids = new Set<string>();
  for (let n = 0; n < CERTIFICATES; n += 1) {
    const held = store.certificate(owner(n).app, owner(n).alias);
    assert.ok(held !== null, `certificate ${n}`);
    assert.deepEqual(unsealPem(store.keys, owner(n), held.sealed), pem(n));
    ids.add(keyIdOf(held.sealed) ?? '');
  }
  assert.deepEqual(Buffer.from(store.quarantined(1)[0]?.body ?? []), body);
  return [...ids];
}

test('a running store notices a new key, brings everything under it between events, and takes the former one away', async () => {
  await withDirectory(async (dir) => {
    const former = await filled(dir);
    const log = memoryLog();
    const metrics = memoryMetrics();
    const store = await openIt(dir);
    const before = store.certificate(owner(0).app, owner(0).alias);
    const arrived = store.seal('demo/late', 'late.test', { id: 'late', ...pem(1) });
    const care = startKeyCare({ store, source: source(dir), log, metrics, pollMs: 20 });
    assert.equal(await addNewKey(fileOf(dir)), true);
    await eventually(() => store.keys.ids().length === 2, 'the new key noticed', PATIENCE_MS);
    // Sealed under the former key, committed after the new one came.
    await store.commit(
      batch({ certificates: [{ app: 'demo/late', alias: 'late.test', certificate: arrived }] }),
    );
    await eventually(() => keysIn(dir).length === 1, 'the former key taken away', PATIENCE_MS);
    const [current = ''] = keysIn(dir);
    assert.notEqual(current, former);
    assert.deepEqual(keysOf(store), [idOf(current)]);
    assert.equal(keyIdOf(store.certificate('demo/late', 'late.test')?.sealed ?? body), idOf(current));
    assert.equal(metrics.value('master_keys_in_use'), 1);
    assert.ok(before !== null);
    assert.deepEqual(
      unsealPem(store.keys, owner(0), before.sealed),
      pem(0),
      'what the data plane holds from before still opens',
    );
    await care.stop();
    await store.close();
    assert.equal(statSync(fileOf(dir)).mode & 0o777, 0o600);
    const again = await openIt(dir);
    assert.deepEqual(keysOf(again), [idOf(current)]);
    await again.close();
  });
});

test('after kill -9 at any step of a rotation everything opens, and the next one ends it', async () => {
  await withDirectory(async (dir) => {
    const former = await filled(dir);
    await addNewKey(fileOf(dir));
    const [current = ''] = keysIn(dir);
    for (const lines of [1, 2, 3, 5, 7]) {
      const child = startChild('rotate', dir);
      await child.untilLines(lines);
      await child.kill();
      const store = await openIt(dir);
      const found = keysOf(store);
      for (const id of found) assert.ok([idOf(former), idOf(current)].includes(id));
      await store.close();
    }
    const last = startChild('rotate', dir);
    assert.equal(await last.ended(), 0, last.lines.join('\n'));
    assert.deepEqual(keysIn(dir), [current]);
    const store = await openIt(dir);
    assert.deepEqual(keysOf(store), [idOf(current)]);
    await store.close();
  });
});

test('the snapshot of before does not need the key that was taken away', async () => {
  await withDirectory(async (dir) => {
    await filled(dir);
    const first = await openIt(dir);
    await first.snapshot();
    await first.close();
    await addNewKey(fileOf(dir));
    const child = startChild('rotate', dir);
    assert.equal(await child.ended(), 0, child.lines.join('\n'));
    truncateSync(`${dir}/state.mdb`, 100);
    const restored = await openIt(dir);
    assert.notEqual(restored.health().restored, null);
    assert.deepEqual(keysOf(restored), keysIn(dir).map(idOf));
    await restored.close();
  });
});

test('while no snapshot can be taken under the new key, the former one stays', async () => {
  await withDirectory(async (dir) => {
    await filled(dir);
    await addNewKey(fileOf(dir));
    const store = await openIt(dir);
    const log = memoryLog();
    rmSync(`${dir}/state.mdb`);
    const care = startKeyCare({ store, source: source(dir), log, metrics: memoryMetrics(), pollMs: 20 });
    await eventually(
      () => log.lines.some(({ fields }) => fields.code === 'STORE_SNAPSHOT'),
      'the trouble said',
      PATIENCE_MS,
    );
    assert.equal(keysIn(dir).length, 2);
    await care.stop();
    await store.close();
  });
});

test('a key that is taken out too soon, or a file that is not readable, is refused, said, and changes nothing', async () => {
  await withDirectory(async (dir) => {
    const former = await filled(dir);
    const store = await openIt(dir);
    const log = memoryLog();
    const care = startKeyCare({ store, source: source(dir), log, metrics: memoryMetrics(), pollMs: 20 });
    const said = (code: string) => () => log.lines.some(({ fields }) => fields.code === code);
    writeFileSync(fileOf(dir), `${newKeyText()}\n`);
    await eventually(said('STORE_KEY_MISSING'), 'the missing key said', PATIENCE_MS);
    writeFileSync(fileOf(dir), 'hunter2\n');
    await eventually(said('STORE_KEY_INVALID'), 'the wrong file said', PATIENCE_MS);
    assert.equal(JSON.stringify(log.lines).includes('hunter2'), false);
    assert.deepEqual(keysOf(store), [idOf(former)]);
    await care.stop();
    await store.close();
    await assert.rejects(openIt(dir), StoreError);
    writeFileSync(fileOf(dir), `${former}\n`);
    await (await openIt(dir)).close();
  });
});

test('two who ask for a new key at the same moment get one', async () => {
  await withDirectory(async (dir) => {
    const former = await filled(dir);
    const asked = await Promise.allSettled(Array.from({ length: 4 }, () => addNewKey(fileOf(dir))));
    const added = asked.filter((one) => one.status === 'fulfilled' && one.value);
    assert.equal(added.length, 1);
    assert.equal(keysIn(dir).length, 2);
    assert.equal(keysIn(dir)[1], former);
  });
});

test('a key file that a group may read stays so, and is never opened further', async () => {
  await withDirectory(async (dir) => {
    await filled(dir);
    chmodSync(fileOf(dir), 0o640);
    await addNewKey(fileOf(dir));
    assert.equal(statSync(fileOf(dir)).mode & 0o777, 0o640);
  });
});
