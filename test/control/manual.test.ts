import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualVerbs, readManual } from '../../src/control/manual.ts';
import { eventually } from '../support/eventually.ts';
import { gate } from './fakes.ts';
import { scene } from './scenery.ts';

const ask = (request: Readonly<Record<string, unknown>>) => {
  const read = readManual(request);
  if (!read.ok) throw new Error(read.rejection.reason);
  return read.event;
};
const member = { app: 'demo/app', address: '10.0.0.1', port: 4000 };

test('an operator adds and deletes pools, members and aliases by hand, durable before it is said', async () => {
  const { control, store, plane, reports, published } = scene();
  await control.recover();
  const held = gate();
  store.gate = held.promise;
  let said = false;
  const first = control.command(ask({ verb: 'add-member', ...member })).then((result) => {
    said = true;
    return result;
  });
  await eventually(() => store.attempts === 1, 'the commit begun');
  assert.equal(said, false);
  held.open();
  assert.equal((await first).outcome, 'applied');
  await control.command(ask({ verb: 'add-alias', app: 'Demo/App', alias: 'WWW.X.test.' }));
  await published();
  assert.ok(plane.hosts.has('www.x.test'));
  assert.equal(reports[0]?.source, 'manual');
  for (const verb of ['delete-alias', 'delete-member', 'delete-pool'])
    assert.equal((await control.command(ask({ verb, ...member, alias: 'www.x.test' }))).outcome, 'applied');
  await published();
  assert.deepEqual([plane.apps.size, plane.hosts.size], [0, 0]);
  await control.stop();
});

test('what the table refuses is said to who asked, and quarantines nothing', async () => {
  const { control, store } = scene();
  await control.recover();
  const result = await control.command(ask({ verb: 'add-member', ...member, address: '127.0.0.1' }));
  assert.deepEqual([result.outcome, result.code], ['refused', 'TABLE_ADDRESS_LOOPBACK']);
  assert.equal(store.entries.length, 0);
  assert.equal(control.state().apps.size, 0);
  await control.stop();
});

test('a command that a stop overtakes is told so', async () => {
  const { control } = scene();
  await control.recover();
  await control.stop();
  assert.equal((await control.command(ask({ verb: 'add-pool', app: 'demo/app' }))).code, 'CONTROL_STOPPING');
});

test('a request by hand that makes no sense is refused with what it should be', () => {
  const wrong: readonly Readonly<Record<string, unknown>>[] = [
    {},
    { verb: 'constructor', app: 'demo/app' },
    { verb: 'add-pool' },
    { verb: 'add-pool', app: 'demo' },
    { verb: 'add-pool', app: 'demo/a/b' },
    { verb: 'add-pool', app: 'de-mo/app' },
    { verb: 'add-member', app: 'demo/app', address: 'host.test', port: 80 },
    { verb: 'add-member', app: 'demo/app', address: '10.0.0.1', port: 0 },
    { verb: 'add-member', app: 'demo/app', address: '10.0.0.1', port: 80, gear: '../x' },
    { verb: 'add-member', app: 'demo/app', address: '10.0.0.1', port: 80, types: 'load_balancer' },
    { verb: 'add-alias', app: 'demo/app', alias: '*.x.test' },
    { verb: 'delete-alias', app: 'demo/app' },
  ];
  for (const request of wrong) {
    const read = readManual(request);
    assert.equal(read.ok, false, JSON.stringify(request));
    if (!read.ok) assert.match(read.rejection.code, /^CONTROL_MANUAL_/);
  }
  assert.equal(manualVerbs.length, 10);
});
