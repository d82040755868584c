import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/open-store.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { body, delivery, endpointFacts, memoryStore } from './fakes.ts';
import { scene } from './scenery.ts';

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
