import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { shadowOf } from '../../src/config/shadow.ts';

const configOf = (destination: string) =>
  configSchema.parse({
    cloudDomain: 'apps.test',
    listeners: { http: [{ port: 80 }], https: [{ port: 443 }] },
    stateDir: '/var/lib/headgear/',
    bus: { hosts: [{ host: 'mq' }], destination, clientId: 'edge1', subscriptionName: 'headgear' },
  });

test('a shadow serves nobody, probes nobody, and shares neither state nor subscription', () => {
  const shadow = shadowOf(configOf('/topic/routinginfo'));
  assert.ok(shadow.ok);
  const { config } = shadow;
  assert.deepEqual(config.listeners, { http: [], https: [] });
  assert.deepEqual([config.keepAwake.enabled, config.tls.ocsp.enabled], [false, false]);
  assert.deepEqual([config.stateDir, config.bus?.clientId], ['/var/lib/headgear-shadow', 'edge1-shadow']);
});

test('a queue is refused, because the shadow would take the incumbent’s messages, unless it is one behind a virtual topic', () => {
  const refused = shadowOf(configOf('/queue/routinginfo'));
  assert.ok(!refused.ok);
  assert.deepEqual(
    refused.problems.map(({ path }) => path),
    ['bus.destination'],
  );
  assert.equal(shadowOf(configOf('/queue/Consumer.shadow.VirtualTopic.routinginfo')).ok, true);
});
