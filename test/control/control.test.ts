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

test('a refused commit acks and publishes nothing, is tried again until it holds, and loses nothing', async () => {
  const { control, store, plane, log, metrics, published } = scene();
  await control.recover();
  store.failure = new Error('ENOSPC: no space left on device');
  const first = delivery(create('demo/a'));
  control.deliver(first);
  await eventually(() => store.attempts >= 3, 'further attempts');
  const later = delivery(create('demo/b'));
  control.deliver(later);
  assert.match(control.status().storeTrouble ?? '', /ENOSPC/);
  assert.equal(control.status().waiting, 1, 'later events wait');
  assert.deepEqual([first.acks(), later.acks(), plane.hosts.size], [0, 0, 0]);
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1, 'logged once, not each time');
  store.failure = null;
  await eventually(() => later.acks() === 1, 'both acked');
  assert.equal(first.acks(), 1);
  assert.equal(control.status().storeTrouble, null);
  await published();
  assert.deepEqual([...plane.apps.keys()].sort(), ['demo/a', 'demo/b']);
  assert.ok((metrics.value('store_commit_failures_total', {}) ?? 0) >= 3);
  await control.stop();
});

test('19: poison is quarantined with its reason, acked, and never blocks what follows', async () => {
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

test('a throw within one event’s handling quarantines that event alone and leaks nothing of it into the log', async () => {
  const secret = 'BEGIN PRIVATE KEY';
  const scenery = scene({
    readEvent: (what) => {
      if (what.includes('bug')) throw new Error(`cannot read ${secret}`);
      return {
        kind: 'event',
        event: { action: 'delete_application', app: { appName: 'x', namespace: 'y' } },
        notes: [],
      };
    },
  });
  const { control, store, log, reports, send } = scenery;
  await control.recover();
  await send(Buffer.from('good'), Buffer.from('bug'), Buffer.from('good'));
  assert.deepEqual(
    reports.map(({ code }) => code),
    ['', 'CONTROL_INTERNAL', ''],
  );
  assert.equal(store.entries.length, 1);
  assert.equal(JSON.stringify([log.lines, reports]).includes(secret), false);
  assert.ok(log.lines.some(({ fields }) => fields.code === 'CONTROL_INTERNAL'));
  await control.stop();
});

test('a listener that throws hurts nobody, and one that left hears no more', async () => {
  const { control, reports, send } = scene();
  control.subscribe(() => {
    throw new Error('broken listener');
  });
  const heard: number[] = [];
  const leave = control.subscribe(({ number }) => heard.push(number));
  await control.recover();
  await send(create('demo/a'));
  leave();
  await send(create('demo/b'));
  assert.deepEqual(heard, [1]);
  assert.equal(reports.length, 2);
  await control.stop();
});

test('an ack that throws does not keep the others from theirs', async () => {
  const { control } = scene();
  await control.recover();
  const broken = delivery(create('demo/a'), {
    ack: () => {
      throw new Error('socket gone');
    },
  });
  const good = delivery(create('demo/b'));
  control.deliver(broken);
  control.deliver(good);
  await eventually(() => good.acks() === 1, 'the second ack');
  assert.equal(control.state().apps.size, 2);
  await control.stop();
});

test('16: a restart publishes the recovered table before any event is taken', async () => {
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

test('55: ten thousand events are applied in order, in bounded batches', async () => {
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

test('the event loop turns while a long batch is worked through', async () => {
  let turns = 0;
  const spin = () => {
    const until = performance.now() + 1;
    while (performance.now() < until);
  };
  const { control, send } = scene({
    readEvent: () => {
      spin();
      return { kind: 'ignored', action: 'nothing' };
    },
  });
  await control.recover();
  const count = () => {
    turns += 1;
    handle = setImmediate(count);
  };
  let handle = setImmediate(count);
  await send(...Array.from({ length: 200 }, () => Buffer.from('x')));
  clearImmediate(handle);
  // 200 ms of work in slices of about 5 ms.
  assert.ok(turns > 10, `${turns} turns`);
  await control.stop();
});

test('a data plane that refuses loses no change: everything comes with the next attempt, merged, and events go on', async () => {
  const { control, plane, log, send, published } = scene();
  await control.recover();
  plane.failure = new Error('worker gone');
  const confirmed = control.status().confirmedGeneration;
  const [one] = await send(create('demo/a'), create('demo/b'));
  assert.equal(one?.acks(), 1, 'acked although not published: it is durable');
  await eventually(() => plane.attempts >= 3, 'further attempts');
  await send(body('delete_application', 'demo/a'), addEndpoint('demo/b'));
  assert.equal(control.status().confirmedGeneration, confirmed);
  assert.equal(log.lines.filter(({ fields }) => fields.code === 'CONTROL_PUBLISH_FAILED').length, 1);
  plane.failure = null;
  await published();
  assert.deepEqual([...plane.apps.keys()], ['demo/b']);
  assert.equal((plane.apps.get('demo/b') as { endpoints: unknown[] }).endpoints.length, 1);
  await control.stop();
});

test('a data plane that is slow gets what changed meanwhile as one change', async () => {
  const { control, plane, send, published } = scene();
  await control.recover();
  const held = gate();
  plane.gate = held.promise;
  await send(create('demo/a'));
  for (let i = 0; i < 5; i += 1) await send(create(`demo/b${i}`));
  held.open();
  await published();
  assert.equal(plane.apps.size, 6);
  assert.equal(plane.changes.length, 3, 'the first table, the first change, and the rest');
  await control.stop();
});

test('stop finishes the batch in hand and leaves the rest unacked', async () => {
  const { control, store, plane } = scene({ config: { events: { ...config.events, maxBatch: 1 } } });
  await control.recover();
  const held = gate();
  store.gate = held.promise;
  const [one, two] = [delivery(create('demo/a')), delivery(create('demo/b'))];
  control.deliver(one);
  control.deliver(two);
  await eventually(() => store.attempts === 1, 'the commit begun');
  const stopped = control.stop();
  held.open();
  await stopped;
  assert.deepEqual([one.acks(), two.acks()], [1, 0]);
  assert.ok(plane.apps.has('demo/a'));
  const late = delivery(create('demo/c'));
  control.deliver(late);
  assert.equal(control.status().waiting, 0);
});

test('stop ends a wait for a store or a data plane in trouble, and acks nothing that is not durable', async () => {
  const { control, store, plane } = scene();
  await control.recover();
  store.failure = new Error('EIO');
  plane.failure = new Error('gone');
  const one = delivery(create('demo/a'));
  control.deliver(one);
  await eventually(() => store.attempts >= 1, 'a failed commit');
  await control.stop();
  assert.equal(one.acks(), 0);
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

test('15: no metric holds an application’s name', async () => {
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
