/** Private keys on disk: what a thief of the file, a swapped record and a lost key come to. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { newKeyText } from '../../src/seal/key-ring.ts';
import { unsealPem } from '../../src/seal/sealed-pem.ts';
import { keySourceOf } from '../../src/store/master-key.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { openTables } from '../../src/store/tables.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { application, batch, openTestStore, quarantined, withDirectory } from './samples.ts';

const app = application('shop');
const alias = 'www.shop.test';
const owner = { app: app.key, alias, id: 'c0ffee' };
const pem = { chainPem: 'chain\n', keyPem: '-----BEGIN PRIVATE KEY-----\nTHE-SECRET\n' };
const poison = Buffer.from(':private_key: THE-SECRET');

const onDisk = (dir: string) => readFileSync(`${dir}/state.mdb`);
const failure =
  (code: string, ...words: readonly string[]) =>
  (error: unknown) => {
    assert.ok(error instanceof StoreError);
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.ok(error.message.includes(word), `${word} in: ${error.message}`);
    return true;
  };

test('what was read stays as it was read, whatever is written after it', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const names = Array.from({ length: 50 }, (_, n) => `www${n}.test`);
    const write = () =>
      store.commit(
        batch({
          certificates: names.map((name) => ({
            app: app.key,
            alias: name,
            certificate: store.seal(app.key, name, { id: name, ...pem }),
          })),
        }),
      );
    await write();
    const held = names.map((name) => store.certificate(app.key, name));
    for (let round = 0; round < 20; round += 1) await write();
    for (const [n, one] of held.entries()) {
      const theirs = { app: app.key, alias: names[n] ?? '', id: names[n] ?? '' };
      assert.deepEqual(unsealPem(store.keys, theirs, one?.sealed ?? Buffer.alloc(0)), pem);
    }
    await store.close();
  });
});

test('neither a certificate’s key nor a quarantined body lies on disk in the clear, before and after their deletion', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const certificate = store.seal(app.key, alias, { id: owner.id, ...pem });
    await store.commit(
      batch({
        apps: [[app.key, app]],
        certificates: [{ app: app.key, alias, certificate }],
        quarantine: [quarantined({ body: poison, bodyBytes: poison.length, app: app.key })],
      }),
    );
    assert.equal(onDisk(dir).includes('THE-SECRET'), false);
    assert.deepEqual(Buffer.from(store.quarantined(1)[0]?.body ?? []), poison);
    await store.commit(batch({ apps: [[app.key, null]], forgetQuarantineOf: [app.key] }));
    await store.close();
    assert.equal(onDisk(dir).includes('THE-SECRET'), false);
  });
});

test('without a configured key the store makes one of its own, for its owner alone, and opens with it again', async () => {
  await withDirectory(async (dir) => {
    const own = { masterKey: keySourceOf({}, dir) };
    const log = memoryLog();
    const first = await openTestStore(dir, { ...own, log });
    const { sealed } = first.seal(app.key, alias, { id: owner.id, ...pem });
    await first.close();
    const file = `${dir}/master-key/master.key`;
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(`${dir}/master-key`).mode & 0o777, 0o700);
    assert.ok(log.lines.some(({ message }) => message.includes('made a master key')));
    const again = await openTestStore(dir, own);
    assert.deepEqual(unsealPem(again.keys, owner, sealed), pem);
    await again.close();
  });
});

test('a missing, an unreadable and a wrong key are refused with what to do, and with the right one everything is there', async () => {
  await withDirectory(async (dir) => {
    const file = `${dir}.key`;
    const source = { masterKey: { kind: 'file', path: file, own: false } } as const;
    const key = newKeyText();
    writeFileSync(file, key);
    const store = await openTestStore(dir, source);
    const id = store.keys.current().id;
    const certificate = store.seal(app.key, alias, { id: owner.id, ...pem });
    await store.commit(batch({ certificates: [{ app: app.key, alias, certificate }] }));
    await store.close();

    rmSync(file);
    await assert.rejects(openTestStore(dir, source), failure('STORE_KEY_MISSING', file, id, 'again'));
    writeFileSync(file, 'hunter2\n');
    await assert.rejects(openTestStore(dir, source), (error: unknown) => {
      assert.ok(error instanceof Error && !error.message.includes('hunter2'));
      return failure('STORE_KEY_INVALID', file, id)(error);
    });
    writeFileSync(file, newKeyText());
    await assert.rejects(
      openTestStore(dir, source),
      failure('STORE_KEY_MISSING', file, id, 'behind the new one'),
    );
    await assert.rejects(
      openTestStore(dir, { masterKey: keySourceOf({}, dir) }),
      failure('STORE_KEY_MISSING', id),
    );

    writeFileSync(file, key);
    const again = await openTestStore(dir, source);
    const held = again.certificate(app.key, alias);
    assert.deepEqual(unsealPem(again.keys, owner, held?.sealed ?? Buffer.alloc(0)), pem);
    await again.close();
  });
});

test('who goes over from our own key file to a configured one is told where the former key is', async () => {
  await withDirectory(async (dir) => {
    await (await openTestStore(dir, { masterKey: keySourceOf({}, dir) })).close();
    const given = { masterKey: { kind: 'given', text: newKeyText() } } as const;
    await assert.rejects(
      openTestStore(dir, given),
      failure('STORE_KEY_MISSING', `${dir}/master-key/master.key has it`),
    );
  });
});

test('a record put in the place of another one opens for nobody', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    const victim = { app: 'demo/victim', alias: 'bank.example', id: 'bank' };
    const mine = store.seal(app.key, alias, { id: owner.id, ...pem });
    const theirs = store.seal(victim.app, victim.alias, { id: victim.id, ...pem });
    await store.commit(
      batch({
        certificates: [
          { app: app.key, alias, certificate: mine },
          { app: victim.app, alias: victim.alias, certificate: theirs },
        ],
      }),
    );
    await store.close();

    const { root, certificates } = openTables(`${dir}/state.mdb`);
    await root.childTransaction(() => {
      certificates.put([app.key, alias], theirs);
      certificates.put([victim.app, victim.alias], mine);
    });
    await root.close();

    const again = await openTestStore(dir);
    for (const one of [owner, victim]) {
      const swapped = again.certificate(one.app, one.alias);
      assert.ok(swapped);
      assert.notEqual(swapped.id, one.id);
      // Not even where the thief writes the wanted id in front.
      assert.equal(unsealPem(again.keys, one, swapped.sealed), null);
      assert.equal(unsealPem(again.keys, { ...one, id: swapped.id }, swapped.sealed), null);
    }
    await again.close();
  });
});
