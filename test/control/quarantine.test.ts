import assert from 'node:assert/strict';
import { test } from 'node:test';
import { body, delivery, endpointFacts } from './fakes.ts';
import { scene } from './scenery.ts';

const create = (app: string) => body('create_application', app, { scalable: true, ha: false });
const poison = Buffer.from(':action: [');

/** A message that was refused by the transport, and is none the worse for it. */
const refusedByTransport = (what: Buffer, bodyBytes = what.length) =>
  delivery(what, { bodyBytes, refused: { code: 'STOMP_HEAD_REFUSED', reason: 'too many headers' } });

async function quarantineOf(...deliveries: ReturnType<typeof delivery>[]) {
  const made = scene();
  await made.control.recover();
  for (const one of deliveries) made.control.deliver(one);
  while (deliveries.some(({ acks }) => acks() === 0)) await new Promise(setImmediate);
  return made;
}

test('what the transport refused goes to quarantine unread, and is acked', async () => {
  const { control, store, reports } = await quarantineOf(refusedByTransport(create('demo/app')));
  assert.equal(control.state().apps.size, 0);
  assert.deepEqual(
    store.entries.map(({ code, reason, body: kept }) => [
      code,
      reason,
      Buffer.compare(kept, create('demo/app')),
    ]),
    [['STOMP_HEAD_REFUSED', 'too many headers', 0]],
  );
  assert.equal(reports[0]?.outcome, 'quarantined');
  await control.stop();
});

test('a replayed message is handled as if it came now, and leaves the quarantine in the same transaction', async () => {
  const { control, store, reports } = await quarantineOf(refusedByTransport(create('demo/app')));
  const commits = store.batches.length;
  const result = await control.quarantine.replay(1);
  assert.deepEqual([result.outcome, result.code], ['applied', '']);
  assert.equal(store.batches.length, commits + 1);
  assert.deepEqual(store.batches.at(-1)?.dropQuarantine, [1]);
  assert.deepEqual([...store.apps.keys()], ['demo/app']);
  assert.deepEqual(control.quarantine.ids(), []);
  assert.deepEqual(
    reports.map(({ source, outcome }) => [source, outcome]),
    [
      ['test', 'quarantined'],
      ['quarantine:1', 'applied'],
    ],
  );
  assert.equal((await control.quarantine.replay(1)).code, 'CONTROL_QUARANTINE_GONE');
  await control.stop();
});

test('a replayed message that is refused anew stays as it is, once, and who asked is told why', async () => {
  const { control, store } = await quarantineOf(delivery(poison, { messageId: 'm-1' }));
  const before = store.entries[0];
  const result = await control.quarantine.replay(1);
  assert.equal(result.outcome, 'refused');
  assert.match(result.code, /^SPI_/);
  assert.deepEqual(store.entries, [before]);
  await control.stop();
});

test('a message of which only the beginning was kept cannot be replayed, but dropped', async () => {
  const { control, store } = await quarantineOf(refusedByTransport(create('demo/app'), 5_000_000));
  assert.equal(store.entries[0]?.bodyBytes, 5_000_000);
  assert.equal((await control.quarantine.replay(1)).code, 'CONTROL_QUARANTINE_CUT');
  assert.equal(store.entries.length, 1);
  assert.equal((await control.quarantine.drop(1)).outcome, 'applied');
  assert.equal(store.entries.length, 0);
  assert.equal((await control.quarantine.drop(1)).outcome, 'refused');
  assert.equal(control.state().apps.size, 0);
  await control.stop();
});

test('messages are replayed in the order asked for, among all other events', async () => {
  const removal = body('delete_application', 'demo/app', { scalable: true, ha: false });
  const { control } = await quarantineOf(
    refusedByTransport(create('demo/app')),
    refusedByTransport(removal),
    refusedByTransport(create('demo/other')),
  );
  const results = await Promise.all([1, 2, 3].map((id) => control.quarantine.replay(id)));
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['applied', 'applied', 'applied'],
  );
  assert.deepEqual([...control.state().apps.keys()], ['demo/other']);
  await control.stop();
});

const addEndpoint = body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000));
const removal = body('delete_application', 'demo/app');

test('an add that came after the deletion waits in quarantine, and an operator who replays it brings the application back', async () => {
  const { control, store, reports } = await quarantineOf(
    delivery(create('demo/app')),
    delivery(removal),
    delivery(addEndpoint),
  );
  assert.deepEqual(
    store.entries.map(({ id, code }) => [id, code]),
    [[1, 'TABLE_LATE_ADD']],
  );
  assert.equal((await control.quarantine.replay(1)).outcome, 'applied');
  assert.equal(store.apps.get('demo/app')?.endpoints[0]?.port, 4000);
  assert.equal(store.tombstones.size, 0);
  assert.deepEqual(control.quarantine.ids(), []);
  assert.equal(reports.at(-1)?.outcome, 'applied');
  await control.stop();
});

test('an add that waits for another reason, replayed after its application was deleted, is late like one from the message bus', async () => {
  const { control, store } = await quarantineOf(
    delivery(create('demo/app')),
    refusedByTransport(addEndpoint),
    delivery(removal),
  );
  const held = store.entries[0];
  const result = await control.quarantine.replay(1);
  assert.deepEqual([result.outcome, result.code], ['refused', 'TABLE_LATE_ADD']);
  assert.match(result.reason, /was deleted/);
  assert.deepEqual([...store.apps.keys()], []);
  assert.deepEqual([...store.tombstones.keys()], ['demo/app']);
  assert.deepEqual(store.entries, [held], 'nothing is lost');
  const again = delivery(create('demo/app'));
  control.deliver(again);
  assert.equal((await control.quarantine.replay(1)).outcome, 'applied', 'a real new application ends it');
  assert.equal(store.apps.get('demo/app')?.endpoints.length, 1);
  await control.stop();
});

test('a late add that is in quarantine goes with the next deletion of its application, and cannot be replayed after it', async () => {
  const { control, store } = await quarantineOf(
    ...[create('demo/app'), removal, addEndpoint].map((one) => delivery(one)),
  );
  assert.equal(store.entries.length, 1);
  const again = [create('demo/app'), removal].map((one) => delivery(one));
  for (const one of again) control.deliver(one);
  while (again.some(({ acks }) => acks() === 0)) await new Promise(setImmediate);
  assert.equal((await control.quarantine.replay(1)).code, 'CONTROL_QUARANTINE_GONE');
  assert.deepEqual([...store.apps.keys()], []);
  await control.stop();
});

test('what waits to be replayed when Headgear stops stays in quarantine', async () => {
  const { control, store } = await quarantineOf(refusedByTransport(create('demo/app')));
  await control.stop();
  assert.equal((await control.quarantine.replay(1)).code, 'CONTROL_STOPPING');
  assert.equal(store.entries.length, 1);
});
