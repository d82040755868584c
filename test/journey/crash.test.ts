/** kill -9 in the middle of everything: what was confirmed to a publisher has its effect, and traffic does not notice. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { publishBodies } from '../../src/stomp/publish.ts';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { testCa } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import {
  CLOUD_DOMAIN,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
} from '../support/headgear-process.ts';
import { type LoopingClient, startLoopingClient } from '../support/looping-client.ts';
import { skipWithout } from '../support/parts.ts';
import { type App, addAlias, addEndpoint, createApplication, keyOf } from '../support/spi-bodies.ts';
import { rawStomp } from '../support/stomp-client.ts';
import { confirmedBefore, type EventStream, eventStream, tableOf, undisturbedTable } from './event-stream.ts';

const APPLICATIONS = 200;
/** Small transactions, so that there are many moments to be killed at. */
const SMALL_BATCHES = { keepAwake: { enabled: false }, events: { maxBatch: 16 } };
const DESTINATION = '/queue/routinginfo';

describe('kill -9 loses nothing that was confirmed', () => {
  let stream: EventStream;
  let expected: readonly object[];
  before(async () => {
    stream = eventStream(APPLICATIONS);
    expected = await undisturbedTable(stream.bodies);
  });

  it('of Headgear, while events stream in from the intake', async (t) => {
    const home = headgearHome({ ...SMALL_BATCHES, intake: { port: 0 } });
    t.after(() => home.remove());
    const first = await home.start();
    const client = await rawStomp(first.intakePort, 'CONNECT\naccept-version:1.2\nhost:x\n\n\0');
    t.after(() => void client.socket.destroy());
    await client.frame(1);
    // The last one is cut short: however fast it goes, the kill comes in mid-stream.
    const frames = Buffer.concat(stream.bodies.map((body, n) => sendFrame(n, body)));
    client.write(frames.subarray(0, -1));
    const confirmed = () => client.frames.filter(({ command }) => command === 'RECEIPT');
    await eventually(() => confirmed().length > stream.bodies.length / 3, 'a third confirmed', PATIENCE_MS);
    await first.kill9();
    await eventually(client.ended, 'the end of the connection', PATIENCE_MS);
    const receipts = confirmed().map(({ headers }) => Number(headers.get('receipt-id')));
    assert.deepEqual(receipts, [...receipts.keys()], 'confirmed in the order sent');

    const second = await home.start();
    const recovered = keyed(await tableOf(second));
    const whole = keyed(expected);
    for (const [key, completeAfter] of stream.completeAfter) {
      if (completeAfter > receipts.length) break;
      assert.deepEqual(recovered.get(key), whole.get(key), `${key} as an undisturbed run leaves it`);
    }
    await publishBodies({
      host: '127.0.0.1',
      port: second.intakePort,
      destination: DESTINATION,
      bodies: stream.bodies.slice(receipts.length),
      persistent: true,
      timeoutMs: PATIENCE_MS,
    });
    assert.deepEqual(await tableOf(second), expected, 'what was not confirmed can be sent again');
  });

  describe('with ActiveMQ', { skip: skipWithout('activemq') }, () => {
    let bus: ActiveMq;
    before(async () => {
      bus = await startActiveMq();
    });
    after(() => bus?.stop());
    const publish = (bodies: Iterable<Buffer>, destination: string) =>
      publishBodies({
        host: '127.0.0.1',
        port: bus.port,
        destination,
        bodies,
        persistent: true,
        timeoutMs: PATIENCE_MS,
      });
    const busConfig = (destination: string, durable: object = {}) => ({
      bus: {
        hosts: [{ host: '127.0.0.1', port: bus.port }],
        destination,
        prefetch: 100,
        ...durable,
        reconnectMaxMs: 1_000,
      },
    });

    for (const [kind, destination, durable] of [
      ['a queue', '/queue/first', {}],
      ['a durable topic', '/topic/first', { clientId: 'headgear-1', subscriptionName: 'routing' }],
    ] as const)
      it(`of Headgear, three times while events stream in from ${kind}`, (t) =>
        killedThrice(t, destination, durable));

    async function killedThrice(t: TestContext, destination: string, durable: object): Promise<void> {
      const home = headgearHome({ ...SMALL_BATCHES, ...busConfig(destination, durable) });
      t.after(() => home.remove());
      let headgear = await home.start();
      await headgear.untilStatus('the subscription', ({ bus: status }) => status?.connected === true);
      const published = publish(stream.bodies, destination);
      for (const share of [1 / 4, 1 / 2, 3 / 4]) {
        await headgear.untilStatus(
          'its share of the stream',
          ({ control }) => control.applications >= share * expected.length,
        );
        await headgear.kill9();
        headgear = await home.start();
      }
      assert.deepEqual(await published, { sent: stream.bodies.length });
      await untilTable(headgear, expected);
    }

    it('of ActiveMQ in mid-stream, and Headgear takes up again by itself while traffic flows', async (t) => {
      const destination = '/queue/second';
      const home = headgearHome({ ...SMALL_BATCHES, ...busConfig(destination) });
      t.after(() => home.remove());
      const headgear = await home.start();
      const living = await livingApplication(t);
      await publish(living.creation, destination);
      await headgear.untilApp(keyOf(living.app), (app) => app?.endpoints.length === 1);
      const clients = living.clients(headgear);
      t.after(() => Promise.all(clients.map((client) => client.stop())));

      const { bodies } = stream;
      let killed: Promise<void> | undefined;
      const error = await publish(
        (function* () {
          for (const [n, body] of bodies.entries()) {
            if (n === bodies.length >> 1) killed = bus.kill9();
            yield body;
          }
        })(),
        destination,
      ).then(
        () => assert.fail('the publisher ought to notice'),
        (reason: unknown) => reason,
      );
      const confirmed = confirmedBefore(error);
      assert.ok(confirmed > 0 && confirmed < bodies.length, 'killed in mid-stream');
      await killed;
      await headgear.untilStatus('the loss of the bus', ({ bus: status }) => status?.connected === false);
      await moreAnswers(clients);
      await bus.restart();
      await headgear.untilStatus('the subscription', ({ bus: status }) => status?.connected === true);
      await publish(bodies.slice(confirmed), destination);
      await untilTable(headgear, expected, keyOf(living.app));
      await moreAnswers(clients);
      await Promise.all(clients.map((client) => client.stop()));
      assert.deepEqual(
        clients.flatMap(({ failures }) => failures),
        [],
      );
    });

    it('of both: Headgear serves the recovered table before the bus is back', async (t) => {
      const destination = '/queue/third';
      const home = headgearHome({ ...SMALL_BATCHES, ...busConfig(destination) });
      t.after(() => home.remove());
      const first = await home.start();
      const living = await livingApplication(t);
      const key = keyOf(living.app);
      await publish(living.creation, destination);
      await first.untilApp(key, (app) => app?.endpoints.length === 1);
      await bus.kill9();
      await first.kill9();

      const second = await home.start();
      assert.equal(await second.adminText('/readyz'), 'ready\n');
      assert.equal((await second.status()).bus?.connected, false);
      const clients = living.clients(second);
      t.after(() => Promise.all(clients.map((client) => client.stop())));
      await moreAnswers(clients);
      await bus.restart();
      await publish([addAlias(living.app, 'www.living.test')], destination);
      await second.untilApp(key, (app) => app?.aliases.length === 1);
      await Promise.all(clients.map((client) => client.stop()));
      assert.deepEqual(
        clients.flatMap(({ failures }) => failures),
        [],
      );
    });
  });
});

interface Living {
  readonly app: App;
  readonly gear: Gear;
  readonly creation: readonly Buffer[];
  /** Over TLS and plain, by both names. */
  clients(headgear: HeadgearProcess): readonly LoopingClient[];
}

/** An application with a gear that answers. */
async function livingApplication(t: TestContext): Promise<Living> {
  const gear = await startGear();
  t.after(() => gear.stop());
  const app = { appName: 'living', namespace: 'here' };
  const host = `living-here.${CLOUD_DOMAIN}`;
  const endpoint = { gearId: '65a1f00dc0ffeeff00000001', address: '127.0.0.1', port: gear.port };
  return {
    app,
    gear,
    creation: [createApplication(app), addEndpoint(app, endpoint)],
    clients: ({ httpPort, httpsPort }) => [
      startLoopingClient({ port: httpPort, host }),
      startLoopingClient({
        port: httpsPort,
        host: `ha-${host}`,
        tls: { servername: `ha-${host}`, ca: testCa().certificatePem },
      }),
    ],
  };
}

/** Each client gets some more answers. */
async function moreAnswers(clients: readonly LoopingClient[]): Promise<void> {
  const goal = clients.map(({ answered }) => answered + 10);
  await eventually(
    () => clients.every(({ answered }, i) => answered >= (goal[i] ?? 0)),
    'more answers',
    PATIENCE_MS,
  );
}

/** Waits until the bus has nothing more for us and the table, without `besides`, is as expected. */
async function untilTable(
  headgear: HeadgearProcess,
  expected: readonly object[],
  besides = '',
): Promise<void> {
  const applications = expected.length + (besides === '' ? 0 : 1);
  await headgear.untilStatus(
    'every event applied',
    ({ control, bus }) => bus?.unconfirmed === 0 && control.applications === applications,
  );
  const current = async () => (await tableOf(headgear)).filter(({ key }) => key !== besides);
  await eventually(async () => isDeepStrictEqual(await current(), expected), 'the table', PATIENCE_MS).catch(
    async () => assert.deepEqual(await current(), expected),
  );
}

function keyed(apps: readonly object[]): ReadonlyMap<string, object> {
  return new Map(apps.map((app) => ['key' in app ? String(app.key) : '', app]));
}

function sendFrame(receipt: number, body: Buffer): Buffer {
  const head = `SEND\ndestination:${DESTINATION}\nreceipt:${receipt}\ncontent-length:${body.length}\n\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from('\0')]);
}
