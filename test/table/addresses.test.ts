import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeAddress } from '../../src/table/address-policy.ts';
import { appRoute } from '../../src/table/app-route.ts';
import type { TablePolicy } from '../../src/table/policy.ts';
import { emptyState } from '../../src/table/state.ts';
import { add, addAlias, lastOf, policy, stateAfter } from './scenery.ts';

const codeOf = (address: string, port = 4000, rules: TablePolicy = policy): string | null => {
  const judged = judgeAddress(address, port, rules);
  return judged.ok ? null : judged.rejection.code;
};
const loopbackAllowed = { ...policy, allowLoopbackEndpoints: true };

test('scenario 30: loopback, unspecified, multicast, broadcast and link-local addresses are refused in every spelling', () => {
  const refused: Record<string, readonly string[]> = {
    TABLE_ADDRESS_LOOPBACK: ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:ffff:7f00:1'],
    TABLE_ADDRESS_UNSPECIFIED: ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0'],
    TABLE_ADDRESS_MULTICAST: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
    TABLE_ADDRESS_BROADCAST: ['255.255.255.255'],
    TABLE_ADDRESS_LINK_LOCAL: ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254', 'fd00:ec2::254'],
  };
  for (const [code, list] of Object.entries(refused)) {
    for (const address of list) assert.equal(codeOf(address), code, address);
  }
});

test('scenario 30: an IPv4 address inside a NAT64, 6to4, translated or compatible IPv6 address is judged as itself', () => {
  assert.equal(codeOf('64:ff9b::a9fe:a9fe'), 'TABLE_ADDRESS_LINK_LOCAL');
  assert.equal(codeOf('2002:7f00:1::'), 'TABLE_ADDRESS_LOOPBACK');
  assert.equal(codeOf('::ffff:0:127.0.0.1'), 'TABLE_ADDRESS_LOOPBACK');
  assert.equal(codeOf('::127.0.0.1'), 'TABLE_ADDRESS_LOOPBACK');
  assert.equal(codeOf('64:ff9b::a00:1'), null);
});

test('scenario 30: what is no literal address in its one strict spelling is refused', () => {
  for (const address of [
    'localhost',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.1',
    '2130706433',
    '010.0.0.1',
    'fe80::1%eth0',
    '2001:db8::1%1',
    '[::1]',
    ' 10.0.0.1',
    '10.0.0.1\n',
    '',
    '__proto__',
    'constructor',
    'x'.repeat(10_000),
  ]) {
    assert.equal(codeOf(address), 'TABLE_ADDRESS_NOT_LITERAL', JSON.stringify(address.slice(0, 40)));
  }
});

test('scenario 30: a refused endpoint leaves the state as it was, with a code and a reason', () => {
  const result = lastOf([add('demo/app', '127.0.0.1:4000')]);
  assert.equal(result.state, emptyState);
  assert.equal(result.rejection?.code, 'TABLE_ADDRESS_LOOPBACK');
  assert.match(result.rejection.reason, /127\.0\.0\.1.*loopback/);
});

test('ports outside 1 to 65535 are refused', () => {
  for (const port of [0, -1, 65_536, 1.5, Number.NaN]) {
    assert.equal(codeOf('10.0.0.1', port), 'TABLE_PORT_INVALID');
  }
});

test('allowLoopbackEndpoints frees loopback and nothing else', () => {
  assert.equal(codeOf('127.0.0.1', 4000, loopbackAllowed), null);
  assert.equal(codeOf('::1', 4000, loopbackAllowed), null);
  assert.equal(codeOf('0.0.0.0', 4000, loopbackAllowed), 'TABLE_ADDRESS_UNSPECIFIED');
  assert.equal(codeOf('169.254.169.254', 4000, loopbackAllowed), 'TABLE_ADDRESS_LINK_LOCAL');
});

test('scenario 30: our own listeners are refused always, also by another loopback address and through the address map', () => {
  const mapped = { ...loopbackAllowed, addressMap: { '203.0.113.7': '192.168.0.1', 'node-1': '10.0.0.4' } };
  assert.equal(codeOf('192.168.0.1', 443, mapped), 'TABLE_ADDRESS_OWN_LISTENER');
  assert.equal(codeOf('::ffff:192.168.0.1', 443, mapped), 'TABLE_ADDRESS_OWN_LISTENER');
  assert.equal(codeOf('127.0.0.1', 443, mapped), 'TABLE_ADDRESS_OWN_LISTENER');
  assert.equal(codeOf('127.8.8.8', 443, mapped), 'TABLE_ADDRESS_OWN_LISTENER');
  assert.equal(codeOf('203.0.113.7', 443, mapped), 'TABLE_ADDRESS_OWN_LISTENER');
  assert.equal(codeOf('203.0.113.7', 444, mapped), null);
});

test('the address map gives the address to dial, and its target is judged like any other', () => {
  const rules = {
    ...policy,
    addressMap: { '127.0.0.1': '10.0.0.4', '10.0.0.9': '127.0.0.1', 'node-1': '10.0.0.5' },
  };
  assert.deepEqual(judgeAddress('127.0.0.1', 80, rules), {
    ok: true,
    address: '127.0.0.1',
    dial: '10.0.0.4',
  });
  assert.deepEqual(judgeAddress('node-1', 80, rules), { ok: true, address: 'node-1', dial: '10.0.0.5' });
  assert.equal(codeOf('10.0.0.9', 80, rules), 'TABLE_ADDRESS_LOOPBACK');
  const app = stateAfter([add('demo/app', '127.0.0.1:4000')], emptyState, rules).apps.get('demo/app');
  assert.ok(app);
  assert.deepEqual(
    appRoute(app, rules).endpoints.map(({ id }) => id),
    ['demo/app 10.0.0.4:4000 tcp'],
  );
});

test('an endpoint stored under a laxer policy is not published under a stricter one', () => {
  const app = stateAfter([add('demo/app', '127.0.0.1:4000')], emptyState, loopbackAllowed).apps.get(
    'demo/app',
  );
  assert.ok(app);
  assert.equal(appRoute(app, loopbackAllowed).endpoints.length, 1);
  assert.equal(appRoute(app, policy).endpoints.length, 0);
});

test('scenario 31: a node frontend that would be one of our own listeners is left out', () => {
  const rules = { ...policy, nodeFrontend: { ...policy.nodeFrontend, aliases: true } };
  const app = stateAfter([add('demo/app', '192.168.0.1:4000'), addAlias('demo/app', 'www.x.test')]).apps.get(
    'demo/app',
  );
  assert.ok(app);
  const route = appRoute(app, rules);
  assert.deepEqual(route.nodeFrontendsHttps, []);
  assert.deepEqual(
    route.nodeFrontendsHttp.map(({ address, port }) => `${address}:${port}`),
    ['192.168.0.1:80'],
  );
});
