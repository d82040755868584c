import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { problemText } from '../../src/config/problem.ts';
import { validateConfig } from '../../src/config/validate.ts';

const minimal = { cloudDomain: 'apps.example.com', listeners: { http: [{ port: 80 }] } };
const bus = { hosts: [{ host: 'bus-1' }], destination: '/queue/routinginfo' };

function problemsOf(raw: unknown): string[] {
  const validated = validateConfig(raw);
  assert.equal(validated.ok, false);
  return validated.ok ? [] : validated.problems.map(problemText);
}

function warningsOf(raw: unknown): string[] {
  const validated = validateConfig(raw);
  assert.deepEqual(validated.ok ? [] : validated.problems, []);
  return validated.warnings.map(problemText);
}

describe('validateConfig', () => {
  it('fills in every default', () => {
    const validated = validateConfig({ ...minimal, cloudDomain: 'Apps.Example.COM', bus });
    assert.ok(validated.ok);
    assert.equal(validated.config.cloudDomain, 'apps.example.com');
    assert.equal(validated.config.bus?.hosts[0]?.port, 61613);
    assert.equal(validated.config.admin.port, 9090);
    assert.deepEqual(validated.warnings, []);
  });

  it('takes an internationalised cloud domain as people write it', () => {
    const domainOf = (cloudDomain: string): string | null => {
      const validated = validateConfig({ ...minimal, cloudDomain });
      return validated.ok ? validated.config.cloudDomain : null;
    };
    assert.equal(domainOf('apps.Bücher.example'), 'apps.xn--bcher-kva.example');
    for (const bad of ['bücher/x', 'bü cher', 'bücher:80', '']) assert.equal(domainOf(bad), null, bad);
  });

  it('names every problem at once, each with its path', () => {
    const problems = problemsOf({
      cloudDomain: 'not a name',
      listeners: { http: [{ port: 'eighty' }, { port: 70000 }], https: [{ port: 443 }] },
      bus: { hosts: [{ host: 'bus-1', port: -1 }], destination: 'routinginfo' },
      upstream: { idleTimeoutMs: 20_000 },
      http: { engine: 'apache', trustedProxies: ['10.0.0.0/8', 'everybody', '10.0.0.0/33'] },
      admin: { host: '0.0.0.0' },
      endpoints: { addressMap: { '10.0.0.1': 'node-1' } },
    });
    const expected = [
      /^cloudDomain: must be a DNS name/,
      /^listeners\.http\[0\]\.port: must be a number, not "eighty"/,
      /^listeners\.http\[1\]\.port: must be at most 65535, not 70000/,
      /^bus\.hosts\[0\]\.port: must be at least 0, not -1/,
      /^bus\.destination: .*must begin with \/queue\/ or \/topic\//,
      /^upstream\.idleTimeoutMs: must stay below 9500/,
      /^http\.engine: must be one of native, http-proxy, not "apache"/,
      /^http\.trustedProxies\[1\]: must be an address or a network/,
      /^http\.trustedProxies\[2\]: must be an address or a network/,
      /^admin\.host: must be a loopback address/,
      /^endpoints\.addressMap\["10\.0\.0\.1"\]: must lead to a literal IP/,
      /^tls\.certificates: listeners\.https needs at least one certificate/,
    ];
    for (const pattern of expected)
      assert.ok(
        problems.some((problem) => pattern.test(problem)),
        `${pattern}`,
      );
    assert.equal(problems.length, expected.length, problems.join('\n'));
  });

  it('says which keys are required', () => {
    assert.deepEqual(problemsOf({}), [
      'cloudDomain: is required (string)',
      'listeners: is required (object)',
    ]);
  });

  it('names unknown keys and the nearest known one', () => {
    const problems = problemsOf({
      ...minimal,
      cluodDomain: 'x',
      bus: { ...bus, prefech: 1, hosts: [{ hots: 'a' }] },
    });
    assert.ok(problems.includes('cluodDomain: unknown key; did you mean cloudDomain?'), problems.join('\n'));
    assert.ok(problems.includes('bus.prefech: unknown key; did you mean prefetch?'));
    assert.ok(problems.includes('bus.hosts[0].hots: unknown key; did you mean host?'));
    assert.ok(problems.includes('bus.hosts[0].host: is required (string)'));
  });

  it('lists the known keys where none is near', () => {
    assert.match(
      problemsOf({ ...minimal, admin: { zzzzzz: 1 } }).join(),
      /known keys: host, port, allowedHosts/,
    );
  });

  it('does not let a key like __proto__ or constructor through', () => {
    const raw = JSON.parse(
      '{"cloudDomain":"a.b","listeners":{},"__proto__":{"x":1},"constructor":{}}',
    ) as unknown;
    assert.deepEqual(
      problemsOf(raw).map((problem) => problem.split(':')[0]),
      ['__proto__', 'constructor'],
    );
  });

  it('never shows a passcode', () => {
    const problems = problemsOf({ ...minimal, bus: { ...bus, login: 'a', passcode: 1234567 } });
    assert.deepEqual(problems, ['bus.passcode: must be text: write the number in quotes']);
  });

  it('wants clientId and subscriptionName together for a durable topic', () => {
    const topic = { ...bus, destination: '/topic/routinginfo' };
    assert.match(
      problemsOf({ ...minimal, bus: { ...topic, clientId: 'a' } }).join(),
      /^bus\.subscriptionName: is required/,
    );
    assert.match(
      problemsOf({ ...minimal, bus: { ...topic, subscriptionName: 'a' } }).join(),
      /^bus\.clientId: is required/,
    );
    assert.match(warningsOf({ ...minimal, bus: topic }).join(), /^bus\.destination: events sent .* are lost/);
    assert.deepEqual(warningsOf({ ...minimal, bus: { ...topic, clientId: 'a', subscriptionName: 'b' } }), []);
  });

  it('warns where nothing brings events, and where no client can be served', () => {
    assert.deepEqual(
      warningsOf({ ...minimal, listeners: {} }).map((warning) => warning.split(':')[0]),
      ['listeners', 'neither bus nor intake is configured'],
    );
  });

  it('refuses an admin listener that others than this machine could reach', () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'admin.example.com', '']) {
      assert.match(
        problemsOf({ ...minimal, bus, admin: { host } }).join(),
        /^admin\.host: must be a loopback/,
      );
    }
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
      assert.deepEqual(warningsOf({ ...minimal, bus, admin: { host } }), []);
    }
  });

  it('refuses an open intake that others than this machine could reach', () => {
    const intake = { host: '0.0.0.0', port: 61613 };
    assert.match(problemsOf({ ...minimal, intake }).join(), /^intake\.login: is required/);
    assert.match(
      problemsOf({ ...minimal, intake: { ...intake, login: 'a' } }).join(),
      /^intake\.passcode: is required/,
    );
    assert.deepEqual(warningsOf({ ...minimal, intake: { ...intake, login: 'a', passcode: 'b' } }), []);
  });

  it('finds listeners that want the same port', () => {
    const problems = problemsOf({
      ...minimal,
      bus,
      listeners: { http: [{ port: 80 }, { host: '127.0.0.1', port: 9090 }, { host: '10.0.0.1', port: 80 }] },
    });
    assert.deepEqual(problems, [
      'listeners.http[2].port: port 80 is taken by listeners.http[0]',
      'admin.port: port 9090 is taken by listeners.http[1]',
    ]);
  });

  it('accepts the same free port everywhere', () => {
    assert.deepEqual(
      warningsOf({ ...minimal, bus, listeners: { http: [{ port: 0 }, { port: 0 }] }, admin: { port: 0 } }),
      [],
    );
  });

  it('refuses what is no group of keys', () => {
    for (const raw of [null, undefined, 'text', 7, [], [{}]])
      assert.deepEqual(problemsOf(raw), ['must be a group of keys']);
  });

  it('answers for any input, and never throws', () => {
    const values = fc.anything({ withNullPrototype: true });
    const keys = fc.constantFrom(
      'cloudDomain',
      'listeners',
      'bus',
      'intake',
      'admin',
      'tls',
      'http',
      'names',
      'x',
    );
    fc.assert(fc.property(fc.dictionary(keys, values), (raw) => typeof validateConfig(raw).ok === 'boolean'));
    fc.assert(
      fc.property(values, (value) => typeof validateConfig({ ...minimal, bus: value }).ok === 'boolean'),
    );
  });
});
