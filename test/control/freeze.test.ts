/** Freeze and thaw on the real store. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { keyIdOf } from '../../src/seal/envelope.ts';
import { unsealPem } from '../../src/seal/sealed-pem.ts';
import { startKeyCare } from '../../src/store/key-care.ts';
import { addNewKey, keySourceOf } from '../../src/store/master-key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { body, delivery, endpointFacts, memoryStore } from './fakes.ts';
import { policyWithGrace, scene } from './scenery.ts';

const alias = 'www.x.test';
const addEndpoint = (port: number, app = 'demo/app') =>
  body('add_public_endpoint', app, endpointFacts('10.0.0.1', port));
const addSsl = (edition: number) => {
  const { chainPem, privateKeyPem } = testCertificate([alias], edition);
  return body('add_ssl', 'demo/app', { alias, ssl: chainPem, private_key: privateKeyPem, pass_phrase: null });
};

async function house(dir: string) {
  const store = await openStore({ dir, maxQuarantined: 10, log: memoryLog() });
  const it = scene({ store, policy: policyWithGrace(0) }, memoryStore());
  await it.control.recover();
  return {
    ...it,
    store,
    stop: async () => {
      await it.control.stop();
      await store.close();
    },
  };
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-freeze-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const before = [
  addEndpoint(4000),
  body('add_alias', 'demo/app', { alias }),
  addSsl(1),
  addEndpoint(4500, 'demo/kept'),
];
const within = [
  addEndpoint(4001),
  addSsl(2),
  body('delete_application', 'demo/kept'),
  addEndpoint(5000, 'demo/fresh'),
];

test('a freeze takes events, acks them and publishes nothing; the thaw publishes them as one change', async (t) => {
  const here = await house(folder(t));
  await here.send(...before);
  await here.published();
  const [generation, changes] = [here.control.status().generation, here.plane.changes.length];
  const served = [here.plane.apps, here.plane.hosts, here.plane.certificates].map((part) => [...part]);
  assert.equal((await here.control.setFrozen('freeze')).outcome, 'applied');
  assert.equal((await here.control.setFrozen('freeze')).outcome, 'unchanged');
  await here.send(...within);
  assert.ok(here.control.status().frozenSince !== null);
  assert.deepEqual([here.control.status().generation, here.plane.changes.length], [generation, changes]);
  assert.deepEqual(here.control.state().apps.has('demo/kept'), false, 'the state goes on');
  assert.deepEqual(
    [here.plane.apps, here.plane.hosts, here.plane.certificates].map((part) => [...part]),
    served,
  );
  const former = here.plane.certificates.get(alias)?.id;
  assert.equal((await here.control.setFrozen('thaw')).outcome, 'applied');
  await here.published();
  assert.equal(here.plane.changes.length, changes + 1);
  assert.equal(here.control.status().generation, generation + 1);
  assert.deepEqual([...here.plane.apps.keys()].sort(), ['demo/app', 'demo/fresh']);
  assert.notEqual(here.plane.certificates.get(alias)?.id, former);
  assert.equal(here.plane.certificates.get(alias)?.id, here.store.certificate('demo/app', alias)?.id);
  assert.equal(here.control.status().frozenSince, null);
  await here.stop();
});

test('a freeze survives restarts: what was served goes on being served, removed certificates among it, and the thaw ends it', async (t) => {
  const dir = folder(t);
  const first = await house(dir);
  await first.send(...before);
  await first.published();
  await first.control.setFrozen('freeze');
  await first.send(...within);
  const { apps, hosts, certificates } = first.plane;
  await first.stop();
  for (let restart = 1; restart <= 2; restart += 1) {
    const again = await house(dir);
    assert.deepEqual([again.plane.apps, again.plane.hosts], [apps, hosts]);
    assert.equal(again.plane.certificates.get(alias)?.id, certificates.get(alias)?.id);
    assert.ok(again.control.status().frozenSince !== null);
    await eventually(() => again.awake.has('demo/kept'), 'what is served is kept awake');
    await again.send(addEndpoint(6000 + restart));
    assert.equal(again.plane.changes.length, 1);
    await again.stop();
  }
  const last = await house(dir);
  await last.control.setFrozen('thaw');
  await last.published();
  assert.deepEqual([...last.plane.apps.keys()].sort(), ['demo/app', 'demo/fresh']);
  assert.equal((last.plane.apps.get('demo/app') as { endpoints: unknown[] }).endpoints.length, 4);
  assert.notEqual(last.plane.certificates.get(alias)?.id, certificates.get(alias)?.id);
  assert.equal(last.awake.has('demo/kept'), false);
  assert.equal(last.store.frozenCertificate('demo/app', alias), null, 'no key outlives the freeze');
  assert.equal(last.store.recover().frozen, undefined);
  await last.stop();
  const after = await house(dir);
  assert.deepEqual(after.plane.apps, last.plane.apps);
  await after.stop();
});

test('what comes before a freeze in one turn is published, what comes after it is not', async (t) => {
  const here = await house(folder(t));
  const [one, two] = [delivery(addEndpoint(4000, 'demo/one')), delivery(addEndpoint(4001, 'demo/two'))];
  here.control.deliver(one);
  const frozen = here.control.setFrozen('freeze');
  here.control.deliver(two);
  await frozen;
  await eventually(() => two.acks() === 1, 'both acked');
  await here.published();
  assert.deepEqual([...here.plane.apps.keys()], ['demo/one']);
  assert.deepEqual([...here.control.state().apps.keys()].sort(), ['demo/one', 'demo/two']);
  await here.stop();
});

test('a thaw after which everything is as it was publishes nothing', async (t) => {
  const here = await house(folder(t));
  await here.send(...before);
  await here.published();
  const changes = here.plane.changes.length;
  await here.control.setFrozen('freeze');
  await here.send(
    addEndpoint(4001),
    body('remove_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4001)),
  );
  await here.control.setFrozen('thaw');
  assert.equal(here.plane.changes.length, changes);
  assert.equal((await here.control.setFrozen('thaw')).outcome, 'unchanged');
  await here.stop();
});

test('the master key may be rotated within a freeze: what is served opens before and after restarts, and the thaw too, without the former key', async (t) => {
  const dir = folder(t);
  const keyFile = join(dir, 'master-key', 'master.key');
  const opens = ({ plane, store }: Awaited<ReturnType<typeof house>>, edition: number) => {
    const served = plane.certificates.get(alias);
    assert.ok(served !== undefined && 'sealed' in served);
    const pem = unsealPem(store.keys, { app: 'demo/app', alias, id: served.id }, served.sealed);
    assert.equal(pem?.keyPem.trim(), testCertificate([alias], edition).privateKeyPem.trim());
  };
  const rotate = async ({ store }: Awaited<ReturnType<typeof house>>) => {
    const [former = ''] = store.keys.ids();
    const care = startKeyCare({
      ...{ store, source: keySourceOf({}, dir), log: memoryLog(), metrics: memoryMetrics(), pollMs: 20 },
    });
    assert.equal(await addNewKey(keyFile), true);
    const isOver = () => readFileSync(keyFile, 'utf8').match(/^[0-9a-f]{64}$/gm)?.length === 1;
    await eventually(() => store.keys.current().id !== former && isOver(), 'the former key is gone', 60_000);
    await care.stop();
  };
  const here = await house(dir);
  await here.send(...before);
  await here.published();
  await here.control.setFrozen('freeze');
  // One replaced certificate is kept under the former key, one within a second rotation's time.
  await here.send(addSsl(2));
  await rotate(here);
  opens(here, 1);
  await here.send(addSsl(3), addEndpoint(4001));
  const kept = here.store.frozenCertificate('demo/app', alias);
  assert.equal(keyIdOf(kept?.sealed ?? Buffer.alloc(0)), here.store.keys.current().id);
  await here.stop();
  const again = await house(dir);
  opens(again, 1);
  assert.ok(again.control.status().frozenSince !== null);
  await rotate(again);
  await again.stop();
  const last = await house(dir);
  opens(last, 1);
  await last.control.setFrozen('thaw');
  await last.published();
  opens(last, 3);
  assert.equal(last.store.frozenCertificate('demo/app', alias), null);
  await last.stop();
});
