/** The main job on real parts: routing events on ActiveMQ become traffic through the haproxies of real gears, asked for by curl. */
import { after, before, describe, it, type TestContext } from 'node:test';
import { publishBodies } from '../../src/stomp/publish.ts';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { curl } from '../support/curl.ts';
import { headgearHome, PATIENCE_MS } from '../support/headgear-process.ts';
import { skipWithout } from '../support/parts.ts';
import { lifeOfAnApplication, type Scene } from './life-of-an-application.ts';
import { startScaledApplication } from './scaled-application.ts';

describe('routing events on ActiveMQ become traffic', {
  skip: skipWithout('activemq', 'haproxy', 'curl', 'openssl'),
}, () => {
  let bus: ActiveMq;
  before(async () => {
    bus = await startActiveMq();
  });
  after(() => bus?.stop());

  it('from a queue', (t) => journey(t, bus, { destination: '/queue/routinginfo' }));
  it('from a durable topic', (t) =>
    journey(t, bus, {
      destination: '/topic/routinginfo',
      clientId: 'headgear-1',
      subscriptionName: 'routing',
    }));
  it('with the second engine', (t) =>
    journey(t, bus, { destination: '/queue/second' }, { http: { engine: 'http-proxy' } }));
});

async function journey(
  t: TestContext,
  { port }: ActiveMq,
  subscription: { readonly destination: string; readonly [key: string]: string },
  config: object = {},
): Promise<void> {
  const { destination } = subscription;
  const home = headgearHome({
    bus: { hosts: [{ host: '127.0.0.1', port }], reconnectMaxMs: 1_000, ...subscription },
    keepAwake: { enabled: false },
    ...config,
  });
  t.after(() => home.remove());
  const shop = await startScaledApplication('shop', 1);
  t.after(() => shop.stop());
  const headgear = await home.start();
  await headgear.untilStatus('the subscription', ({ bus: status }) => status?.connected === true);
  const scene: Scene = {
    home,
    headgear,
    shop,
    bus: { port, destination },
    async publish(...bodies) {
      const to = { host: '127.0.0.1', port, destination };
      await publishBodies({ ...to, bodies, persistent: true, timeoutMs: PATIENCE_MS });
    },
    get: (host, path = '/', args = []) =>
      curl({ host, port: scene.headgear.httpsPort, path, caFile: home.caFile, args }),
  };
  for (const [name, step] of lifeOfAnApplication) await t.test(name, () => step(scene));
}
