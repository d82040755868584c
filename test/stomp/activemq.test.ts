import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { publishBodies } from '../../src/stomp/publish.ts';
import { startSubscriber } from '../../src/stomp/subscriber.ts';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { skipWithout } from '../support/parts.ts';
import { freePort } from '../support/ports.ts';
import { busConfig, collect, warned } from './support.ts';

const MAX_BODY = 1_048_576;

describe('against a real ActiveMQ', { skip: skipWithout('activemq') }, () => {
  let activemq: ActiveMq;
  before(async () => {
    activemq = await startActiveMq();
  });
  after(() => activemq?.stop());

  const send = (destination: string, bodies: readonly string[]) =>
    publishBodies({
      host: '127.0.0.1',
      port: activemq.port,
      destination,
      bodies: bodies.map((body) => Buffer.from(body)),
      persistent: true,
    });

  it('delivers what a queue holds, and what was acked does not come again', async (t) => {
    await send('/queue/acked', ['one', 'two', 'three']);
    const config = busConfig(activemq.port, { destination: '/queue/acked' });
    const first = collect(true);
    const sinkA = startSubscriber({
      config,
      maxBodyBytes: MAX_BODY,
      deliver: first.deliver,
      log: memoryLog(),
    });
    t.after(() => sinkA.stop());
    await eventually(() => first.all.length === 3, 'three deliveries');
    assert.deepEqual(first.bodies(), ['one', 'two', 'three']);
    const [delivery] = first.all;
    assert.equal(delivery?.source, `bus:127.0.0.1:${activemq.port}`);
    assert.match(delivery?.messageId ?? '', /^ID:/);
    assert.ok(Math.abs((delivery?.sentAt ?? 0) - Date.now()) < 60_000);
    assert.equal(sinkA.status().unconfirmed, 0);
    await sinkA.stop();

    const second = collect(true);
    const sinkB = startSubscriber({
      config,
      maxBodyBytes: MAX_BODY,
      deliver: second.deliver,
      log: memoryLog(),
    });
    t.after(() => sinkB.stop());
    await eventually(() => sinkB.status().connected, 'the subscription');
    await send('/queue/acked', ['four']);
    await eventually(() => second.all.length > 0, 'the fourth');
    assert.deepEqual(second.bodies(), ['four']);
  });

  it('gives what was not acked to the next subscriber', async (t) => {
    await send('/queue/unacked', ['a', 'b', 'c']);
    const config = busConfig(activemq.port, { destination: '/queue/unacked' });
    const first = collect();
    const sinkA = startSubscriber({
      config,
      maxBodyBytes: MAX_BODY,
      deliver: first.deliver,
      log: memoryLog(),
    });
    t.after(() => sinkA.stop());
    await eventually(() => first.all.length === 3, 'three deliveries');
    first.all[0]?.ack();
    first.all[2]?.ack(); // the second is not durable, so this confirms nothing
    assert.equal(sinkA.status().unconfirmed, 1);
    await sinkA.stop();
    first.all[1]?.ack(); // too late: the session has gone, and this must be a no-op

    const second = collect(true);
    const sinkB = startSubscriber({
      config,
      maxBodyBytes: MAX_BODY,
      deliver: second.deliver,
      log: memoryLog(),
    });
    t.after(() => sinkB.stop());
    await eventually(() => second.all.length === 2, 'the other two');
    assert.deepEqual(second.bodies(), ['b', 'c']);
  });

  it('collects on a durable topic while the subscriber is away', async (t) => {
    const config = busConfig(activemq.port, {
      destination: '/topic/durable',
      clientId: 'headgear-1',
      subscriptionName: 'routing',
    });
    const log = memoryLog();
    const first = collect(true);
    const sinkA = startSubscriber({ config, maxBodyBytes: MAX_BODY, deliver: first.deliver, log });
    t.after(() => sinkA.stop());
    await eventually(() => sinkA.status().connected, 'the subscription');
    await send('/topic/durable', ['present']);
    await eventually(() => first.all.length === 1, 'one');
    await sinkA.stop();
    assert.equal(warned(log, 'ARE LOST'), false);
    await send('/topic/durable', ['away 1', 'away 2']);

    const second = collect(true);
    const sinkB = startSubscriber({ config, maxBodyBytes: MAX_BODY, deliver: second.deliver, log });
    t.after(() => sinkB.stop());
    await eventually(() => second.all.length === 2, 'both');
    assert.deepEqual(second.bodies(), ['away 1', 'away 2']);
  });

  it('waits behind another subscriber of the same client id, and takes over when that one goes', async (t) => {
    const config = busConfig(activemq.port, {
      destination: '/topic/handover',
      clientId: 'headgear-pair',
      subscriptionName: 'routing',
    });
    const first = collect();
    const second = collect(true);
    const holder = startSubscriber({
      config,
      maxBodyBytes: MAX_BODY,
      deliver: first.deliver,
      log: memoryLog(),
    });
    t.after(() => holder.stop());
    await eventually(() => holder.status().connected, 'the holder');
    const log = memoryLog();
    const standby = startSubscriber({ config, maxBodyBytes: MAX_BODY, deliver: second.deliver, log });
    t.after(() => standby.stop());
    await eventually(() => /already connected/.test(standby.status().lastError), 'the refusal');
    await send('/topic/handover', ['unacked by the holder']);
    await eventually(() => first.all.length === 1, 'one');
    await holder.stop();
    await eventually(() => second.all.length === 1, 'the handover');
    assert.deepEqual(second.bodies(), ['unacked by the holder']);
  });

  it('warns that a plain topic loses events, and loses them', async (t) => {
    const config = busConfig(activemq.port, { destination: '/topic/plain' });
    const log = memoryLog();
    await send('/topic/plain', ['nobody hears this']);
    const got = collect(true);
    const subscriber = startSubscriber({ config, maxBodyBytes: MAX_BODY, deliver: got.deliver, log });
    t.after(() => subscriber.stop());
    assert.equal(warned(log, 'EVENTS SENT WHILE HEADGEAR IS AWAY ARE LOST'), true);
    await eventually(() => subscriber.status().connected, 'the subscription');
    await send('/topic/plain', ['heard']);
    await eventually(() => got.all.length === 1, 'one');
    assert.deepEqual(got.bodies(), ['heard']);
  });

  it('cuts a body above the limit, acks it, and goes on with the next', async (t) => {
    await send('/queue/large', ['x'.repeat(3_000_000), 'small']);
    const got = collect(true);
    const config = busConfig(activemq.port, { destination: '/queue/large' });
    const subscriber = startSubscriber({
      config,
      maxBodyBytes: 1_000,
      deliver: got.deliver,
      log: memoryLog(),
    });
    t.after(() => subscriber.stop());
    await eventually(() => got.all.length === 2, 'two');
    assert.deepEqual(
      got.all.map((delivery) => delivery.body.length),
      [1_001, 5],
    );
  });

  it('subscribes at a living host when the first in the list is dead', async (t) => {
    const dead = await freePort();
    await send('/queue/failover', ['through']);
    const got = collect(true);
    const config = busConfig([dead, activemq.port], { destination: '/queue/failover' });
    const log = memoryLog();
    const subscriber = startSubscriber({ config, maxBodyBytes: MAX_BODY, deliver: got.deliver, log });
    t.after(() => subscriber.stop());
    await eventually(() => got.all.length === 1, 'one');
    assert.equal(subscriber.status().server, `127.0.0.1:${activemq.port}`);
    assert.match(subscriber.status().lastError, /ECONNREFUSED/);
  });

  it('comes back by itself after kill -9 of ActiveMQ in mid-stream, and nothing confirmed is lost', async (t) => {
    const config = busConfig(activemq.port, { destination: '/queue/crash', prefetch: 20 });
    const backlog = Array.from({ length: 200 }, (_, index) => `backlog ${index}`);
    const stream = Array.from({ length: 10_000 }, (_, index) => `stream ${index}`);
    await send('/queue/crash', backlog);
    const seen = new Set<string>();
    let killed: Promise<void> | null = null;
    const publishing = send('/queue/crash', stream).then(
      () => assert.fail('the crash came too late for this test'),
      (error: Error) => Number(/\((\d+) confirmed\)/.exec(error.message)?.[1]),
    );
    const subscriber = startSubscriber({
      config,
      maxBodyBytes: MAX_BODY,
      log: memoryLog(),
      deliver(delivery) {
        seen.add(delivery.body.toString());
        delivery.ack();
        if (seen.size >= 100) killed ??= activemq.kill9();
      },
    });
    t.after(() => subscriber.stop());
    await eventually(() => killed !== null, 'the crash');
    await killed;
    await eventually(() => !subscriber.status().connected, 'the loss to be noticed');
    const confirmed = await publishing;
    await activemq.restart();
    // RECEIPTs come in order, so the first ones are those that were confirmed.
    const promised = [...backlog, ...stream.slice(0, confirmed)];
    await eventually(() => promised.every((body) => seen.has(body)), 'every confirmed event', 60_000);
    assert.equal(subscriber.status().reconnects, 1);
    assert.equal(subscriber.status().connected, true);
  });
});
