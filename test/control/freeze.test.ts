/** Freeze and thaw on the real store. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openStore } from '../../src/store/open-store.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
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
