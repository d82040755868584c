/** kill -9 between any two steps of an event's journey, in the real program at a real ActiveMQ: nothing is lost, nothing is half. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { publishBodies } from '../../src/stomp/publish.ts';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { request } from '../support/client.ts';
import { CRASH_STEPS } from '../support/crash-at.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { CLOUD_DOMAIN, headgearHome, PATIENCE_MS } from '../support/headgear-process.ts';
import { skipWithout } from '../support/parts.ts';
import { addEndpoint, createApplication, keyOf } from '../support/spi-bodies.ts';
import { type EventStream, eventStream, tableOf, undisturbedTable } from './event-stream.ts';

const APPLICATIONS = 30;
const living = { appName: 'living', namespace: 'here' };

describe('killed at any step, Headgear comes back with what was acked and gets the rest again', {
  skip: skipWithout('activemq'),
}, () => {
  let bus: ActiveMq;
  let gear: Gear;
  let stream: EventStream;
  let expected: readonly object[];
  before(async () => {
    stream = eventStream(APPLICATIONS);
    expected = await undisturbedTable(stream.bodies);
    gear = await startGear();
    bus = await startActiveMq();
  });
  after(async () => {
    await bus?.stop();
    await gear?.stop();
  });

  for (const step of CRASH_STEPS)
    it(`scenario 18: when an event is ${step}`, async (t) => {
      const destination = `/queue/crash-${step}`;
      const home = headgearHome({
        keepAwake: { enabled: false },
        // Small transactions: many moments between them.
        events: { maxBatch: 8 },
        bus: { hosts: [{ host: '127.0.0.1', port: bus.port }], destination, prefetch: 50 },
      });
      t.after(() => home.remove());
      const endpoint = { gearId: '65a1f00dc0ffeeff00000001', address: '127.0.0.1', port: gear.port };
      const send = (bodies: readonly Buffer[]) =>
        publishBodies({
          ...{ host: '127.0.0.1', port: bus.port, destination, bodies },
          persistent: true,
          timeoutMs: PATIENCE_MS,
        });
      await send([createApplication(living), addEndpoint(living, endpoint), ...stream.bodies]);
      // The first table of a start is published too.
      for (const time of [4, 5]) await home.startToCrash(`${step}:${time}`);
      const headgear = await home.start();
      await headgear.untilApp(keyOf(living), (app) => app?.endpoints.length === 1);
      const host = `living-here.${CLOUD_DOMAIN}`;
      assert.equal((await request({ port: headgear.httpPort, host, target: '/' })).status, 200);
      await headgear.untilStatus(
        'everything applied',
        ({ control, bus: status }) =>
          status?.unconfirmed === 0 && control.applications === expected.length + 1,
      );
      const table = async () => (await tableOf(headgear)).filter(({ key }) => key !== keyOf(living));
      await headgear.untilStatus('the last batch', ({ control }) => control.waiting === 0);
      assert.deepEqual(await table(), expected);
      const { control } = await headgear.status();
      assert.equal(control.quarantined, 0);
    });
});
