/** What delivery has to stand at a real ActiveMQ: several instances, restarts, a bus that hangs, TLS, hostile publishers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { BusConfig } from '../../src/config/schema.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { startSubscriber } from '../../src/stomp/subscriber.ts';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { clientCertificate } from '../support/activemq-tls.ts';
import { testCa, testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { skipWithout } from '../support/parts.ts';
import { rawStomp } from '../support/stomp-client.ts';
import { busConfig, type Collected, collect } from './support.ts';

const PATIENCE_MS = 60_000;

describe('delivery by a real ActiveMQ', { skip: skipWithout('activemq', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-delivery-'));
  let bus: ActiveMq;
  before(async () => {
    const server = testCertificate(['bus.example.test']);
    bus = await startActiveMq({ ...server, caPem: testCa().certificatePem });
  });
  after(async () => {
    await bus?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = (destination: string, bodies: readonly string[]) =>
    publishBodies({
      host: '127.0.0.1',
      port: bus.port,
      destination,
      bodies: bodies.map((body) => Buffer.from(body)),
      persistent: true,
      timeoutMs: PATIENCE_MS,
    });

  function subscribe(t: TestContext, config: BusConfig, got: Collected) {
    const log = memoryLog();
    const subscriber = startSubscriber({ config, maxBodyBytes: 1_048_576, deliver: got.deliver, log });
    t.after(() => subscriber.stop());
    return subscriber;
  }
  const connected = (subscriber: ReturnType<typeof startSubscriber>) =>
    eventually(() => subscriber.status().connected, 'the subscription', PATIENCE_MS);

  it('gives every instance all events of a virtual topic, each by a queue of its own, also while it is away', async (t) => {
    const queueOf = (instance: string) =>
      busConfig(bus.port, { destination: `/queue/Consumer.${instance}.VirtualTopic.routinginfo` });
    const [a, b] = [collect(true), collect(true)];
    const first = subscribe(t, queueOf('edge1'), a);
    const second = subscribe(t, queueOf('edge2'), b);
    await Promise.all([connected(first), connected(second)]);
    await send('/topic/VirtualTopic.routinginfo', ['one', 'two']);
    await eventually(() => a.all.length === 2 && b.all.length === 2, 'both have both', PATIENCE_MS);
    await second.stop();
    await send('/topic/VirtualTopic.routinginfo', ['three', 'four']);
    await eventually(() => a.all.length === 4, 'the rest', PATIENCE_MS);
    const later = collect(true);
    subscribe(t, queueOf('edge2'), later);
    await eventually(() => later.all.length === 2, 'what came while it was away', PATIENCE_MS);
    assert.deepEqual(a.bodies(), ['one', 'two', 'three', 'four']);
    assert.deepEqual([...b.bodies(), ...later.bodies()], ['one', 'two', 'three', 'four']);
  });

  it('scenario 18: keeps a durable subscription and its order over kill -9 of the bus, while the subscriber is away', async (t) => {
    const config = busConfig(bus.port, {
      destination: '/topic/outlives',
      clientId: 'edge-outlives',
      subscriptionName: 'routing',
    });
    const first = subscribe(t, config, collect(true));
    await connected(first);
    await first.stop();
    const bodies = Array.from({ length: 300 }, (_, n) => `event ${n}`);
    await send('/topic/outlives', bodies);
    await bus.kill9();
    await bus.restart();
    const got = collect(true);
    const second = subscribe(t, config, got);
    await eventually(() => got.all.length >= bodies.length, 'all of them', PATIENCE_MS);
    assert.deepEqual(got.bodies(), bodies);
    await eventually(() => second.status().unconfirmed === 0, 'everything acked');
  });

  it('scenario 17: notices a bus that hangs by its heart-beats, and takes up again when it goes on', async (t) => {
    const config = busConfig(bus.port, {
      destination: '/queue/hangs',
      heartbeatMs: 500,
      connectTimeoutMs: 1_000,
    });
    const got = collect(true);
    const subscriber = subscribe(t, config, got);
    await connected(subscriber);
    t.after(() => bus.resume());
    bus.pause();
    await eventually(() => !subscriber.status().connected, 'the silence noticed', PATIENCE_MS);
    assert.match(subscriber.status().lastError, /timed out/);
    // The kernel of the machine that hangs takes the connection; nobody answers on it.
    await eventually(() => /no STOMP session within/.test(subscriber.status().lastError), '', PATIENCE_MS);
    bus.resume();
    await connected(subscriber);
    await send('/queue/hangs', ['after it']);
    await eventually(() => got.all.length === 1, 'the event after it', PATIENCE_MS);
  });

  it('speaks TLS with a client certificate, and is turned away without one', async (t) => {
    const caFile = join(folder, 'ca.pem');
    writeFileSync(caFile, testCa().certificatePem);
    const { certFile, keyFile } = clientCertificate(folder);
    const over = (tls: object) =>
      busConfig(bus.port, {
        destination: '/queue/tls',
        hosts: [
          { host: '127.0.0.1', port: bus.tlsPort, tls: { servername: 'bus.example.test', caFile, ...tls } },
        ],
      });
    const stranger = subscribe(t, over({}), collect());
    await eventually(() => stranger.status().lastError !== '', 'the refusal', PATIENCE_MS);
    assert.equal(stranger.status().reconnects, 0);
    assert.equal(stranger.status().connected, false);
    const got = collect(true);
    await connected(subscribe(t, over({ certFile, keyFile }), got));
    await send('/queue/tls', ['over TLS']);
    await eventually(() => got.all.length === 1, 'the event', PATIENCE_MS);
    assert.deepEqual(got.bodies(), ['over TLS']);
  });

  it('confirms nothing that is not durable: what stands behind an unacked message comes again with it', async (t) => {
    const destination = '/queue/behind';
    const bodies = Array.from({ length: 240 }, (_, n) => `${n}`);
    await send(destination, bodies);
    const config = busConfig(bus.port, { destination, prefetch: 200 });
    const got = collect();
    const first = subscribe(t, config, got);
    await eventually(() => got.all.length >= 200, 'a prefetch of them', PATIENCE_MS);
    for (const [n, delivery] of got.all.entries()) if (n !== 140) delivery.ack();
    await first.stop();
    const rest = collect(true);
    subscribe(t, config, rest);
    await eventually(() => rest.all.length >= 100, 'the rest', PATIENCE_MS);
    assert.deepEqual(rest.bodies(), bodies.slice(140));
  });

  /** Headers that whoever may write to the destination can send, as raw lines; ActiveMQ passes them on, or refuses them. */
  const hostile: readonly [what: string, lines: string][] = [
    ['a message id of its own', 'message-id:forged'],
    ['an ack id of its own', 'ack:forged'],
    ['a subscription of its own', 'subscription:constructor'],
    ['names of the prototype', 'hasOwnProperty:x\n__proto__:y\nconstructor:z\ntoString:q'],
    ['a header without a name', ':value'],
    ['a NUL in a header', 'nul:a\0b'],
    ['a carriage return in a header', 'cr:a\rb'],
    ['escapes that nobody knows', 'odd:\\q\\t\\x'],
    ['a receipt id', 'receipt-id:1\nversion:9.9\nheart-beat:1,1'],
    ['a line of 9 KiB', `long:${'x'.repeat(9_000)}`],
    ['nine hundred headers', Array.from({ length: 900 }, (_, n) => `h${n}:v`).join('\n')],
    ['two thousand headers', Array.from({ length: 2_000 }, (_, n) => `h${n}:v`).join('\n')],
    ['a length that is none', 'content-length:many'],
    ['a length that is too short', 'content-length:1'],
    ['a transformation', 'transformation:jms-map-json'],
  ];
  for (const [index, [what, lines]] of hostile.entries())
    it(`acks a message with ${what}, sees it at most once, and gets the next one`, async (t) => {
      const destination = `/queue/hostile-${index}`;
      const attacker = await rawStomp(bus.port, 'CONNECT\naccept-version:1.1\nhost:x\n\n\0');
      t.after(() => void attacker.socket.destroy());
      await attacker.frame(1);
      attacker.write(`SEND\ndestination:${destination}\npersistent:true\n${lines}\n\nhostile\0`);
      attacker.write('DISCONNECT\nreceipt:bye\n\n\0');
      await eventually(() => attacker.frames.length > 1 || attacker.ended(), 'taken or refused', PATIENCE_MS);
      await send(destination, ['good']);
      const got = collect(true);
      const config = busConfig(bus.port, { destination });
      const subscriber = subscribe(t, config, got);
      await eventually(() => got.bodies().includes('good'), 'the good one', PATIENCE_MS);
      await eventually(() => subscriber.status().unconfirmed === 0, 'everything acked');
      const bad = got.all.filter(({ body }) => body.toString() !== 'good');
      assert.ok(bad.length <= 1, `seen ${bad.length} times`);
      await subscriber.stop();
      // Neither did it stay, nor was it pushed to the dead letters.
      await send(destination, ['last']);
      for (const [from, expected] of [
        [destination, ['last']],
        [`/queue/DLQ.hostile-${index}`, ['end']],
      ] as const) {
        if (from.includes('DLQ')) await send(from, ['end']);
        const left = collect(true);
        const looking = subscribe(t, busConfig(bus.port, { destination: from }), left);
        await eventually(() => left.all.length > 0, 'what is left', PATIENCE_MS);
        assert.deepEqual(left.bodies(), expected);
        await looking.stop();
      }
    });
});
