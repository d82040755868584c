import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Prepared, prepareTable } from '../../src/control/first-table.ts';
import { tablePolicyOf } from '../../src/control/table-policy.ts';
import { openStore } from '../../src/store/open-store.ts';
import { beginOpening } from '../../src/store/opening.ts';
import type { Application } from '../../src/table/state.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { body, delivery, endpointFacts, memoryStore } from './fakes.ts';
import { config, scene } from './scenery.ts';

const policy = tablePolicyOf(config, new Set());
const alias = 'www.x.test';
const { chainPem, privateKeyPem } = testCertificate([alias]);

test('scenario 16: on the real store, a restart publishes the same table with its certificates, and a deletion leaves neither', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-control-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const open = () => openStore({ dir, maxQuarantined: 10, log: memoryLog() });
  const run = async (...bodies: Buffer[]) => {
    const store = await open();
    const it = scene({ store }, memoryStore());
    await it.control.recover();
    const deliveries = bodies.map((one) => delivery(one));
    for (const one of deliveries) it.control.deliver(one);
    await eventually(() => deliveries.every(({ acks }) => acks() === 1), 'every delivery acked');
    await it.published();
    await it.control.stop();
    const quarantined = store.quarantined(10);
    await store.close();
    return { ...it, quarantined };
  };
  const first = await run(
    body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000)),
    body('add_alias', 'demo/app', { alias }),
    body('add_ssl', 'demo/app', { alias, ssl: chainPem, private_key: privateKeyPem, pass_phrase: null }),
    body('add_ssl', 'demo/app', { alias, ssl: chainPem, private_key: 'none', pass_phrase: null }),
  );
  const second = await run();
  assert.deepEqual(second.plane.hosts, first.plane.hosts);
  assert.deepEqual(second.plane.apps, first.plane.apps);
  assert.deepEqual(second.plane.certificates, first.plane.certificates);
  assert.equal(second.plane.certificates.size, 1);
  assert.deepEqual(
    second.quarantined.map(({ app, action }) => [app, action]),
    [['demo/app', 'add_ssl']],
  );
  const third = await run(body('delete_application', 'demo/app'));
  assert.equal(third.plane.hosts.size, 0);
  assert.deepEqual(third.quarantined, []);
  const fourth = await run();
  assert.deepEqual([fourth.plane.apps.size, fourth.plane.certificates.size], [0, 0]);
});

test('what was made of the applications while the store was read is published as if it had been made after, and only if they are what is recovered', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-control-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const run = async (prepare: (apps: readonly Application[]) => Prepared | null, ...bodies: Buffer[]) => {
    const opening = beginOpening(dir, true);
    const prepared = prepare((await opening?.apps) ?? []);
    if (prepared !== null) opening?.eachCertificate(prepared.take);
    const store = await openStore({ dir, opening, maxQuarantined: 10, isRecovered: true, log: memoryLog() });
    const it = scene({ store, policy }, memoryStore());
    await it.control.recover(prepared);
    const state = it.control.state();
    const deliveries = bodies.map((one) => delivery(one));
    for (const one of deliveries) it.control.deliver(one);
    await eventually(() => deliveries.every(({ acks }) => acks() === 1), 'every delivery acked');
    await it.published();
    const { apps, hosts, certificates } = it.plane;
    await it.control.stop();
    await store.close();
    return { table: { apps, hosts, certificates }, state, prepared };
  };
  const unprepared = () => null;
  const written = await run(
    unprepared,
    body('delete_application', 'demo/gone'),
    body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000)),
    body('add_alias', 'demo/app', { alias }),
    body('add_ssl', 'demo/app', { alias, ssl: chainPem, private_key: privateKeyPem, pass_phrase: null }),
  );
  const plain = await run(unprepared);
  assert.deepEqual(plain.table, written.table);
  const ahead = await run((apps) => prepareTable(apps, policy));
  assert.deepEqual(ahead.table, plain.table);
  assert.equal(ahead.table.certificates.size, 1);
  assert.equal(ahead.state.names, ahead.prepared?.state.names, 'it was used');
  assert.equal(ahead.prepared?.certificates()?.length, 1);
  assert.deepEqual(
    [ahead.state.nextClaim, [...ahead.state.tombstones.keys()]],
    [plain.state.nextClaim, [...plain.state.tombstones.keys()]],
  );
  // Of a file in whose place a snapshot came.
  const other = await run((apps) =>
    prepareTable([...apps, { ...apps[0], key: 'x/x' } as Application], policy),
  );
  assert.deepEqual(other.table, plain.table);
  assert.equal(other.state.apps.size, 1);
});
