/** The control loop in trouble: a store that refuses, a data plane that is gone, listeners that throw, a stop in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { body, delivery, endpointFacts, gate } from './fakes.ts';
import { config, scene } from './scenery.ts';

const create = (app: string) => body('create_application', app, { scalable: true, ha: false });
const addEndpoint = (app: string, port = 4000) =>
  body('add_public_endpoint', app, endpointFacts('10.0.0.1', port));

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
  const { control, store, plane } = scene({
    config: { ...config, events: { ...config.events, maxBatch: 1 } },
  });
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
