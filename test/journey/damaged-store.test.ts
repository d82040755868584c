/** The store's file is damaged while Headgear is away: it serves by the last verified snapshot, and says so. */
import assert from 'node:assert/strict';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { publishBodies } from '../../src/stomp/publish.ts';
import { request } from '../support/client.ts';
import { startGear } from '../support/gear.ts';
import { CLOUD_DOMAIN, type HeadgearProcess, headgearHome } from '../support/headgear-process.ts';
import { addAlias, addEndpoint, createApplication, keyOf } from '../support/spi-bodies.ts';

const app = { appName: 'shop', namespace: 'demo' };
const host = `shop-demo.${CLOUD_DOMAIN}`;

it('scenario 16: a truncated store is replaced by the last good copy and the log, nothing acked is lost, and traffic goes on', async (t) => {
  const gear = await startGear();
  t.after(() => gear.stop());
  const home = headgearHome({
    intake: { port: 0 },
    keepAwake: { enabled: false },
  });
  t.after(() => home.remove());
  const publish = (headgear: HeadgearProcess, bodies: readonly Buffer[]) =>
    publishBodies({
      host: '127.0.0.1',
      port: headgear.intakePort,
      destination: '/queue/routinginfo',
      bodies,
      persistent: true,
    });
  const served = async ({ httpPort }: HeadgearProcess) =>
    (await request({ port: httpPort, host, target: '/' })).status;

  const first = await home.start();
  const endpoint = { gearId: '65a1f00dc0ffeeff00000001', address: '127.0.0.1', port: gear.port };
  await publish(first, [createApplication(app), addEndpoint(app, endpoint)]);
  await first.untilApp(keyOf(app), (view) => view?.endpoints.length === 1);
  const { control } = await first.untilStatus('a snapshot', (status) => status.control.snapshotAt !== null);
  assert.equal(control.storeRestored, null);
  assert.equal(await served(first), 200);
  await publish(first, [addAlias(app, 'since.shop.test')]);
  await first.untilApp(keyOf(app), (view) => view?.aliases.length === 1);
  await first.kill9();

  const state = join(home.folder, 'state', 'state.mdb');
  truncateSync(state, statSync(state).size >> 1);
  const second = await home.start();
  assert.equal(await served(second), 200, 'before any event came');
  const status = await second.status();
  assert.equal(status.control.storeRestored?.lost, false);
  const view = await second.untilApp(keyOf(app), (one) => one !== null);
  assert.deepEqual(
    view?.aliases.map(({ alias }) => alias),
    ['since.shop.test'],
    'acked after the snapshot',
  );
  assert.match(second.child.stderr(), /THE STORE WAS DAMAGED/);
  assert.match(await second.adminText('/metrics'), /^headgear_store_restored 1$/m);
  await publish(second, [addAlias(app, 'www.shop.test')]);
  await second.untilApp(keyOf(app), (one) => one?.aliases.length === 2);
  assert.equal(await second.stop(), 0);

  const third = await home.start();
  assert.equal((await third.status()).control.storeRestored, null);
  await third.untilApp(keyOf(app), (one) => one?.aliases.length === 2);
});
