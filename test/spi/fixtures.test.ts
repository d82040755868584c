import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { readEvent } from '../../src/spi/decode.ts';
import type { RoutingEvent } from '../../src/spi/events.ts';
import { EMITTERS, eventOf, fixture, fixtureNames, LIMITS } from './fixture-files.ts';

const app = { appName: 'phpha', namespace: 'demo' };
const GEAR_1 = '542b72abafec2de3aa000009';
const GEAR_2 = '542b7301afec2de3aa000022';
const alias = 'foo.example.com';

function endpoint(gearId: string, address: string, port: number, kind: 'php' | 'haproxy'): RoutingEvent {
  const root = { frontend: '', backend: '' };
  const health = { frontend: '/health', backend: '/configuration/health' };
  return {
    action: 'add_public_endpoint',
    app,
    endpoint: {
      gearId,
      address,
      port,
      cartridge: kind === 'php' ? 'php-5.4' : 'haproxy-1.4',
      protocols: ['http', 'ws'],
      types: [kind === 'php' ? 'web_framework' : 'load_balancer'],
      mappings: kind === 'php' ? [root] : [root, health],
    },
  };
}

function removal(gearId: string, address: string, port: number): RoutingEvent {
  return { action: 'remove_public_endpoint', app, gearId, address, port };
}

/** The application's whole life; null stands for the two add_ssl, which have tests of their own. */
const LIFE: readonly (RoutingEvent | null)[] = [
  { action: 'create_application', app, scalable: true, ha: false },
  endpoint(GEAR_1, '172.16.4.200', 50846, 'php'),
  endpoint(GEAR_1, '172.16.4.200', 50847, 'haproxy'),
  endpoint(GEAR_2, '172.16.4.201', 50861, 'php'),
  endpoint(GEAR_2, '172.16.4.201', 50862, 'haproxy'),
  { action: 'add_alias', app, alias },
  null,
  { action: 'remove_ssl', app, alias },
  null,
  endpoint(GEAR_2, '172.16.4.202', 50861, 'php'),
  endpoint(GEAR_2, '172.16.4.202', 50862, 'haproxy'),
  removal(GEAR_2, '172.16.4.201', 50861),
  removal(GEAR_2, '172.16.4.201', 50862),
  { action: 'remove_ssl', app, alias },
  { action: 'remove_alias', app, alias },
  removal(GEAR_2, '172.16.4.202', 50861),
  removal(GEAR_2, '172.16.4.202', 50862),
  removal(GEAR_1, '172.16.4.200', 50846),
  removal(GEAR_1, '172.16.4.200', 50847),
  { action: 'delete_application', app },
];

for (const emitter of EMITTERS) {
  test(`scenario 1: the life of an application as ${emitter} writes it decodes to the right events, with nothing to note`, () => {
    const names = fixtureNames(emitter);
    assert.equal(names.length, LIFE.length);
    for (const [index, name] of names.entries()) {
      const decoded = readEvent(fixture(emitter, name), LIMITS);
      const event = eventOf(decoded);
      assert.deepEqual(decoded.kind === 'event' && decoded.notes, [], name);
      const expected = LIFE[index];
      if (expected !== null) assert.deepEqual(event, expected, name);
      else assert.equal(event.action, 'add_ssl', name);
    }
  });

  test(`an LF certificate and key of ${emitter} come out whole and fit together`, () => {
    const event = eventOf(readEvent(fixture(emitter, '07-add_ssl.yml'), LIMITS));
    assert.ok(event.action === 'add_ssl');
    assert.equal(event.alias, alias);
    assert.equal(event.passPhrase, null);
    assert.match(
      event.certificatePem,
      /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----\n$/,
    );
    assert.doesNotMatch(event.certificatePem, /\r/);
    const certificate = new X509Certificate(event.certificatePem);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(event.privateKeyPem)));
  });

  test(`a CRLF chain and an encrypted key of ${emitter} keep their line ends, and the pass phrase opens the key`, () => {
    const event = eventOf(readEvent(fixture(emitter, '09-add_ssl.yml'), LIMITS));
    assert.ok(event.action === 'add_ssl');
    assert.equal(event.passPhrase, 's3cret phrase');
    assert.match(
      event.certificatePem,
      /^(-----BEGIN CERTIFICATE-----\r\n([A-Za-z0-9+/=]+\r\n)+-----END CERTIFICATE-----\r\n)+$/,
    );
    assert.equal(event.certificatePem.split('\n').length, event.certificatePem.split('\r\n').length);
    const key = createPrivateKey({ key: event.privateKeyPem, passphrase: event.passPhrase });
    assert.ok(new X509Certificate(event.certificatePem).checkPrivateKey(key));
  });
}

test('both emitters mean the same bytes', () => {
  for (const name of fixtureNames('psych-1.2.2')) {
    const old = eventOf(readEvent(fixture('psych-1.2.2', name), LIMITS));
    assert.deepEqual(eventOf(readEvent(fixture('psych-2.0.17', name), LIMITS)), old, name);
  }
});

test('scenario 1: the plain style of Psych 3.1 decodes: unquoted addresses, null without a blank, |- and |+ blocks', () => {
  const events = fixtureNames('psych-3.1').map((name) =>
    eventOf(readEvent(fixture('psych-3.1', name), LIMITS)),
  );
  assert.deepEqual(events[0], { action: 'create_application', app, scalable: true, ha: true });
  assert.deepEqual(events[1], endpoint(GEAR_1, '172.16.4.200', 50847, 'haproxy'));
  assert.ok(events[2]?.action === 'add_public_endpoint');
  assert.deepEqual(events[2].endpoint.types, ['database']);
  assert.deepEqual(events[2].endpoint.mappings, []);
  assert.deepEqual(events[3], removal('542b72abafec2de3aa00000a', '172.16.4.200', 50848));
  assert.deepEqual(events[4], { action: 'add_alias', app, alias });
  assert.ok(events[5]?.action === 'add_ssl');
  assert.ok(events[5].certificatePem.endsWith('-----END CERTIFICATE-----'), 'no newline was added');
  assert.ok(
    events[5].privateKeyPem.endsWith('-----END PRIVATE KEY-----\n\n'),
    'the further newline was kept',
  );
  assert.equal(events[5].passPhrase, null);
  const certificate = new X509Certificate(events[5].certificatePem);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(events[5].privateKeyPem)));
  assert.deepEqual(events[6], { action: 'remove_ssl', app, alias });
  assert.deepEqual(events[7], { action: 'remove_alias', app, alias });
  assert.deepEqual(events[8], { action: 'delete_application', app });
});
