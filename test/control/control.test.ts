import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { body, delivery, endpointFacts, gate, memoryStore } from './fakes.ts';
import { config, scene } from './scenery.ts';

const create = (app: string) => body('create_application', app, { scalable: true, ha: false });
const addEndpoint = (app: string, port = 4000) =>
  body('add_public_endpoint', app, endpointFacts('10.0.0.1', port));
const addAlias = (app: string, alias: string) => body('add_alias', app, { alias });
const poison = Buffer.from(':action: [');

test('an event becomes a published route, a keep-awake target and a report', async () => {
  const { control, plane, awake, reports, send, published } = scene();
  await control.recover();
  await send(create('demo/app'), addEndpoint('demo/app'));
  await published();
  assert.deepEqual(plane.hosts.get('app-demo.apps.test'), {
    app: 'demo/app',
    kind: 'plain',
    viaNodeFrontend: false,
  });
  assert.equal(awake.get('demo/app')?.[0]?.host, 'app-demo.apps.test');
  assert.deepEqual(
    reports.map(({ number, action, outcome, subject }) => [number, action, outcome, subject]),
    [
      [1, 'create_application', 'applied', ''],
      [2, 'add_public_endpoint', 'applied', '10.0.0.1:4000'],
    ],
  );
  await control.stop();
});

test('an event is acked, published and reported only after the commit', async () => {
  const { control, store, plane, reports } = scene();
  await control.recover();
  const held = gate();
  store.gate = held.promise;
  const one = delivery(create('demo/app'));
  control.deliver(one);
  await eventually(() => store.attempts === 1, 'the commit begun');
  assert.equal(one.acks(), 0);
  assert.equal(control.state().apps.size, 0);
  assert.deepEqual([plane.changes.length, reports.length], [1, 0], 'only the first table was published');
  held.open();
  await eventually(() => one.acks() === 1, 'the ack');
  assert.equal(store.batches.length, 1);
  await control.stop();
});

test('scenario 19: poison is quarantined with its reason, acked, and never blocks what follows', async () => {
  const { control, store, plane, reports, metrics, send, published } = scene();
  await control.recover();
  await send(poison, create('demo/app'), Buffer.alloc(0), addEndpoint('demo/app'));
  await published();
  assert.ok(plane.hosts.has('app-demo.apps.test'));
  assert.deepEqual(
    reports.map(({ outcome }) => outcome),
    ['quarantined', 'applied', 'quarantined', 'applied'],
  );
  assert.equal(store.entries.length, 2);
  assert.deepEqual(store.entries[0]?.body, poison);
  assert.match(store.entries[0]?.code ?? '', /^SPI_/);
  assert.equal(control.quarantined(1)[0]?.bodyBytes, 0, 'newest first');
  assert.equal(metrics.value('events_quarantined_total', { code: store.entries[0]?.code ?? '' }), 1);
  await control.stop();
});

test('an event that the table refuses is quarantined with the table’s code', async () => {
  const { control, store, send } = scene();
  await control.recover();
  await send(body('add_public_endpoint', 'demo/app', endpointFacts('127.0.0.1', 80)));
  assert.deepEqual(
    store.entries.map(({ code, app, action }) => [code, app, action]),
    [['TABLE_ADDRESS_LOOPBACK', 'demo/app', 'add_public_endpoint']],
  );
  assert.equal(control.state().apps.size, 0);
  await control.stop();
});

test('unknown actions are acked, counted and store nothing; their names make no label', async () => {
  const { control, store, reports, metrics, send } = scene();
  await control.recover();
  await send(body('register_gear', 'demo/app'), body('x'.repeat(60), 'demo/app'));
  assert.deepEqual(
    reports.map(({ outcome }) => outcome),
    ['ignored', 'ignored'],
  );
  assert.equal(store.attempts, 0);
  assert.deepEqual(metrics.labelsOf('events_total'), [{ action: 'other', outcome: 'ignored' }]);
  await control.stop();
});

test('an event that changes nothing is acked without a commit or a new generation', async () => {
  const { control, store, reports, send } = scene();
  await control.recover();
  await send(create('demo/app'));
  const { generation } = control.status();
  await send(create('demo/app'));
  assert.equal(store.batches.length, 1);
  assert.equal(control.status().generation, generation);
  assert.equal(reports.at(-1)?.outcome, 'unchanged');
  await control.stop();
});

test('what changes the state but not the table is committed without a new generation', async () => {
  const { control, store, plane, send } = scene();
  await control.recover();
  await send(addEndpoint('demo/app'));
  const { generation } = control.status();
  const mysql = { ...endpointFacts('10.0.0.1', 3306), types: ['database'], protocols: ['mysql'] };
  await send(body('add_public_endpoint', 'demo/app', mysql));
  assert.equal(store.batches.length, 2);
  assert.equal(control.status().generation, generation);
  assert.equal(plane.changes.at(-1)?.generation, generation);
  await control.stop();
});

test('scenario 16: a restart publishes the recovered table before any event is taken', async () => {
  const store = memoryStore();
  const first = scene({}, store);
  await first.control.recover();
  await first.send(
    create('demo/a'),
    addEndpoint('demo/a'),
    addAlias('demo/a', 'www.x.test'),
    addAlias('demo/b', 'www.x.test'),
  );
  await first.published();
  await first.control.stop();

  const second = scene({}, store);
  const waiting = delivery(create('demo/c'));
  second.control.deliver(waiting);
  const before = second.control.status().generation;
  assert.equal(before, 0);
  await second.control.recover();
  assert.deepEqual(second.plane.hosts, first.plane.hosts);
  assert.deepEqual(second.plane.apps, first.plane.apps);
  assert.deepEqual([...second.awake], [...first.awake]);
  assert.ok(second.control.status().confirmedGeneration > first.control.status().generation);
  await eventually(() => waiting.acks() === 1, 'the delivery that waited');
  await second.send(body('remove_alias', 'demo/b', { alias: 'www.x.test' }));
  await second.published();
  assert.equal(
    (second.plane.hosts.get('www.x.test') as { app: string }).app,
    'demo/a',
    'the order of claims survived',
  );
  await second.control.stop();
});

test('the first table is published even when it is empty, as generation 1', async () => {
  const { control, plane } = scene();
  await control.recover();
  assert.deepEqual(plane.changes, [{ generation: 1, apps: [], hosts: [], certificates: [] }]);
  assert.equal(control.status().confirmedGeneration, 1);
  await control.stop();
});

test('scenario 55: ten thousand events are applied in order, in bounded batches', async () => {
  const { control, store, plane, reports, send, published } = scene();
  await control.recover();
  const bodies = Array.from({ length: 10_000 }, (_, i) =>
    body(
      i % 2 === 0 ? 'add_public_endpoint' : 'remove_public_endpoint',
      'demo/app',
      endpointFacts('10.0.0.1', 1 + (i >> 1)),
    ),
  );
  await send(...bodies, addEndpoint('demo/app', 9));
  await published();
  assert.ok(store.batches.length >= Math.ceil(10_001 / config.events.maxBatch));
  assert.deepEqual(
    reports.map(({ number }) => number),
    Array.from({ length: 10_001 }, (_, i) => i + 1),
  );
  const route = plane.apps.get('demo/app') as { endpoints: { port: number }[] };
  assert.deepEqual(
    route.endpoints.map(({ port }) => port),
    [9],
  );
  await control.stop();
});

test('the lag is counted from the message bus’s time stamp, and a clock ahead of ours gives none', async () => {
  const { control, reports } = scene();
  await control.recover();
  const sent = [delivery(create('demo/a'), { sentAt: 500 }), delivery(create('demo/b'), { sentAt: 9_000 })];
  for (const one of sent) control.deliver(one);
  await eventually(() => reports.length === 2, 'the reports');
  assert.deepEqual(
    reports.map(({ lagMs }) => lagMs),
    [1_500, 0],
  );
  await control.stop();
});

test('delete_application purges the application’s quarantine, also of the same batch, but not what came after', async () => {
  const { control, store, send } = scene();
  await control.recover();
  const bad = (app: string) => body('add_alias', app, { alias: 'not a host' });
  await send(bad('demo/a'), bad('demo/b'));
  await send(bad('demo/a'), body('delete_application', 'demo/a'), bad('demo/a'));
  assert.deepEqual(
    store.entries.map(({ app }) => app),
    ['demo/b', 'demo/a'],
  );
  await control.stop();
});

test('scenario 15: no metric holds an application’s name', async () => {
  const { control, metrics, send } = scene();
  await control.recover();
  await send(
    addEndpoint('demo/app'),
    addAlias('demo/app', 'www.x.test'),
    body('delete_application', 'demo/app'),
  );
  const text = await metrics.expose();
  assert.equal(/demo|www/.test(text), false, text);
  assert.equal(metrics.value('applications'), 0);
  await control.stop();
});

const fixtures = new URL('../../../test/fixtures/spi/', import.meta.url);
for (const emitter of ['psych-1.2.2', 'psych-2.0.17']) {
  test(`the life of an application as ${emitter} writes it ends with nothing left but what was refused`, async () => {
    const { control, store, plane, reports, send, published } = scene();
    await control.recover();
    const folder = new URL(`${emitter}/`, fixtures);
    const files = readdirSync(folder)
      .filter((name) => /^\d\d-/.test(name))
      .sort();
    for (const name of files.slice(0, 7)) await send(readFileSync(new URL(name, folder)));
    await published();
    assert.deepEqual(
      reports.map(({ code }) => code).filter((code) => code !== ''),
      [],
    );
    assert.equal(plane.hosts.has('foo.example.com'), true);
    assert.equal(plane.certificates.has('foo.example.com'), true);
    for (const name of files.slice(7)) await send(readFileSync(new URL(name, folder)));
    await published();
    assert.deepEqual([plane.apps.size, plane.hosts.size, plane.certificates.size], [0, 0, 0]);
    assert.deepEqual([store.apps.size, store.certificates.size], [0, 0]);
    await control.stop();
  });
}
