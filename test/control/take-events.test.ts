import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeEvents } from '../../src/control/take-events.ts';
import { certificateFacts } from '../../src/table/certificate-ref.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { scene } from './scenery.ts';

const app = { app_name: 'store', namespace: 'shop' };
const alias = 'www.x.test';

async function started(t: { after(end: () => Promise<void>): void }) {
  const it = scene();
  await it.control.recover();
  t.after(() => it.control.stop());
  const take = (events: unknown) =>
    takeEvents(it.control, Buffer.from(JSON.stringify(events)), 'http:127.0.0.1', 1_000);
  return { ...it, take };
}

test('a list over HTTP takes its way in order, and each event gets its outcome', async (t) => {
  const it = await started(t);
  const { chainPem, privateKeyPem } = testCertificate([alias]);
  const taken = await it.take([
    { action: 'create_application', ...app, scalable: true, ha: null },
    { action: 'add_alias', ...app, alias },
    { action: 'add_ssl', ...app, alias, ssl: chainPem, private_key: privateKeyPem, pass_phrase: null },
    { action: 'add_alias', ...app, alias },
    { action: 'register_gear' },
  ]);
  assert.equal(taken.status, 200);
  assert.deepEqual(
    taken.results.map(({ event, outcome }) => [event, outcome]),
    [
      [0, 'applied'],
      [1, 'applied'],
      [2, 'applied'],
      [3, 'unchanged'],
      [4, 'ignored'],
    ],
  );
  assert.equal(
    certificateFacts(it.store.apps.get('shop/store')?.aliases[0]?.certificate ?? assert.fail()).names[0],
    alias,
  );
  assert.deepEqual([...new Set(it.reports.map(({ source }) => source))], ['http:127.0.0.1']);
});

test('what is wrong with one event is said of it alone, and it is kept in quarantine', async (t) => {
  const it = await started(t);
  const taken = await it.take([
    { action: 'add_alias', ...app, alias },
    { action: 'add_alias', ...app, alias: '*.x.test' },
    { action: 'add_public_endpoint', ...app, gear_id: 1e300 },
  ]);
  assert.equal(taken.status, 207);
  assert.deepEqual(
    taken.results.map(({ code }) => code),
    ['', 'SPI_ALIAS_INVALID', 'SPI_NUMBER_INEXACT'],
  );
  assert.deepEqual(
    it.store.entries.map(({ source, code }) => [source, code]),
    [
      ['http:127.0.0.1', 'SPI_ALIAS_INVALID'],
      ['http:127.0.0.1', 'SPI_NUMBER_INEXACT'],
    ],
  );
  assert.equal((await it.take({ action: 'add_alias' })).status, 422);
  const none = await it.take([]);
  assert.deepEqual([none.status, none.code], [400, 'SPI_EMPTY']);
  const many = await it.take(new Array(1_001).fill({ action: 'x' }));
  assert.deepEqual([many.status, many.code, many.results.length], [400, 'SPI_TOO_MANY_EVENTS', 0]);
});

test('nothing is confirmed before it is durable', async (t) => {
  const it = await started(t);
  let open = (): void => undefined;
  it.store.gate = new Promise((resolve) => {
    open = resolve;
  });
  let answered = false;
  const taken = it.take([{ action: 'add_alias', ...app, alias }]).finally(() => {
    answered = true;
  });
  await eventually(() => it.store.attempts > 0, 'the commit begun');
  assert.equal(answered, false);
  open();
  assert.equal((await taken).status, 200);
});

test('who asks while Headgear stops is told to send again', async (t) => {
  const it = await started(t);
  await it.control.stop();
  const taken = await it.take([{ action: 'add_alias', ...app, alias }]);
  assert.deepEqual([taken.status, taken.code], [503, 'CONTROL_STOPPING']);
});
