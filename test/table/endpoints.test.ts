import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNKNOWN_GEAR } from '../../src/spi/names.ts';
import { appRoute } from '../../src/table/app-route.ts';
import { maxEndpointsPerApp } from '../../src/table/bounds.ts';
import type { PublishedEndpoint } from '../../src/table/routing-table.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import {
  add,
  codesOf,
  create,
  destroy,
  facts,
  gear1,
  gear2,
  lastOf,
  policy,
  remove,
  stateAfter,
  step,
  tableOf,
} from './scenery.ts';

const routed = (state: RoutingState, key: string): readonly PublishedEndpoint[] => {
  const app = state.apps.get(key);
  assert.ok(app, `${key} is known`);
  return appRoute(app, policy).endpoints;
};
const addresses = (state: RoutingState, key: string) =>
  routed(state, key).map(({ address, port }) => `${address}:${port}`);

test('scenario 6: a duplicate add makes one endpoint, and the very same state', () => {
  const once = stateAfter([add('demo/app', '10.0.0.1:4000')]);
  const again = step(once, add('demo/app', '10.0.0.1:4000'), policy);
  assert.equal(again.state, once);
  assert.deepEqual(again.touched, []);
  assert.equal(once.apps.get('demo/app')?.endpoints.length, 1);
});

test('scenario 6: a duplicate add with other types and protocols updates the endpoint in its place', () => {
  const state = stateAfter([
    add('demo/app', '10.0.0.1:4000', { types: ['web_framework'] }),
    add('demo/app', '10.0.0.1:4001'),
    add('demo/app', '10.0.0.1:4000', { protocols: ['https', 'wss'] }),
  ]);
  assert.deepEqual(addresses(state, 'demo/app'), ['10.0.0.1:4000', '10.0.0.1:4001']);
  assert.equal(routed(state, 'demo/app')[0]?.tls, true);
});

test('scenario 7: removing an unknown endpoint, gear or application changes nothing', () => {
  const state = stateAfter([add('demo/app', '10.0.0.1:4000')]);
  for (const event of [
    remove('demo/app', '10.0.0.1:4999'),
    remove('demo/app', '10.0.0.2:4000'),
    remove('demo/none', '10.0.0.9:4000'),
  ]) {
    assert.equal(step(state, event, policy).state, state);
  }
  assert.deepEqual(step(state, destroy('demo/none')).touched, [], 'but the deletion is remembered');
});

test('scenario 7: a remove that names another gear than the one announced is ignored and said', () => {
  const result = lastOf([
    add('demo/app', '10.0.0.1:4000', { gearId: gear2 }),
    remove('demo/app', '10.0.0.1:4000', gear1),
  ]);
  assert.deepEqual(addresses(result.state, 'demo/app'), ['10.0.0.1:4000']);
  assert.deepEqual(codesOf(result), ['TABLE_GEAR_MISMATCH']);
});

test('scenario 8: with only its web_framework endpoint an application is published without endpoints, until the load_balancer one comes', () => {
  const before = stateAfter([
    create('demo/app'),
    add('demo/app', '10.0.0.1:4000', { types: ['web_framework'] }),
  ]);
  assert.deepEqual(addresses(before, 'demo/app'), []);
  assert.deepEqual(tableOf(before).hosts.get('app-demo.apps.test'), {
    app: 'demo/app',
    kind: 'plain',
    viaNodeFrontend: false,
  });
  const after = stateAfter([add('demo/app', '10.0.0.1:4001')], before);
  assert.deepEqual(addresses(after, 'demo/app'), ['10.0.0.1:4001']);
});

test('scenario 9: an endpoint without a create_application before it creates the application', () => {
  const result = lastOf([add('demo/app', '10.0.0.1:4000')]);
  assert.deepEqual(result.touched, ['demo/app']);
  assert.equal(result.state.apps.get('demo/app')?.scalable, null);
  const flagged = stateAfter([create('demo/app')], result.state).apps.get('demo/app');
  assert.equal(flagged?.scalable, true);
  assert.equal(flagged.endpoints.length, 1);
});

test('scenario 14: after delete and re-create with one name, the late remove of an old endpoint does not hit the new one', () => {
  const state = stateAfter([
    add('demo/app', '10.0.0.1:4000'),
    destroy('demo/app'),
    create('demo/app'),
    add('demo/app', '10.0.0.2:4000', { gearId: gear2 }),
    remove('demo/app', '10.0.0.1:4000'),
  ]);
  assert.deepEqual(addresses(state, 'demo/app'), ['10.0.0.2:4000']);
});

test('scenario 21: a gear move, add before remove, keeps the destination; so does remove before add', () => {
  const start = [add('demo/app', '10.0.0.1:4000')];
  const there = add('demo/app', '10.0.0.2:4000');
  const gone = remove('demo/app', '10.0.0.1:4000');
  for (const order of [
    [there, gone],
    [gone, there],
  ]) {
    assert.deepEqual(addresses(stateAfter([...start, ...order]), 'demo/app'), ['10.0.0.2:4000']);
  }
});

test('scenario 22: a move that permutes the ports among cartridges sends HTTP to the load_balancer port only', () => {
  const web = { types: ['web_framework'], cartridge: 'php-5.4' };
  const state = stateAfter([
    add('demo/app', '10.0.0.1:4000', web),
    add('demo/app', '10.0.0.1:4001'),
    add('demo/app', '10.0.0.2:4001', web),
    add('demo/app', '10.0.0.2:4000'),
    remove('demo/app', '10.0.0.1:4000'),
    remove('demo/app', '10.0.0.1:4001'),
  ]);
  assert.deepEqual(addresses(state, 'demo/app'), ['10.0.0.2:4000']);
});

test('scenario 24: an endpoint that another application announces is lost by its former owner at once', () => {
  const result = lastOf([add('demo/old', '10.0.0.1:4000'), add('demo/new', '10.0.0.1:4000')]);
  assert.deepEqual([...result.touched].sort(), ['demo/new', 'demo/old']);
  assert.deepEqual(codesOf(result), ['TABLE_ENDPOINT_TAKEN_OVER']);
  assert.deepEqual(addresses(result.state, 'demo/old'), []);
  assert.deepEqual(
    routed(result.state, 'demo/new').map(({ id }) => id),
    ['demo/new 10.0.0.1:4000 tcp'],
    'the new owner gets a pool of its own',
  );
});

test('scenario 24: the former owner’s late remove, or its deletion, does not take the endpoint from the new owner', () => {
  const taken = stateAfter([add('demo/old', '10.0.0.1:4000'), add('demo/new', '10.0.0.1:4000')]);
  const late = step(taken, remove('demo/old', '10.0.0.1:4000'), policy);
  assert.equal(late.state, taken);
  assert.deepEqual(codesOf(late), ['TABLE_NOT_OWNER']);
  const deleted = stateAfter([destroy('demo/old')], taken);
  assert.deepEqual(addresses(deleted, 'demo/new'), ['10.0.0.1:4000']);
});

test('scenario 24: another spelling of an address does not get round its ownership', () => {
  const state = stateAfter([
    add('demo/old', '10.0.0.1:4000'),
    add('demo/new', '::ffff:10.0.0.1:4000'),
    add('demo/six', '2001:db8:0:0::1:4000'),
    remove('demo/six', '2001:0db8::0001:4000'),
  ]);
  assert.deepEqual(addresses(state, 'demo/old'), []);
  assert.deepEqual(addresses(state, 'demo/new'), ['10.0.0.1:4000']);
  assert.deepEqual(addresses(state, 'demo/six'), []);
});

test('scenario 28: tcp endpoints typed web_framework or load_balancer never receive HTTP', () => {
  const both = { ...policy, routableTypes: ['load_balancer', 'web_framework'] };
  const state = stateAfter([
    add('demo/jboss', '10.0.0.1:7600', { types: ['web_framework'], protocols: ['tcp'] }),
    add('demo/jboss', '10.0.0.1:5445', { types: ['load_balancer'], protocols: ['tcp'] }),
    add('demo/jboss', '10.0.0.1:8080', { types: ['web_framework'] }),
  ]);
  const app = state.apps.get('demo/jboss');
  assert.ok(app);
  assert.deepEqual(
    appRoute(app, both).endpoints.map(({ port }) => port),
    [8080],
  );
});

test('scenario 29: an https/wss endpoint is dialled by TLS, a tls-only one is not routed, and plain wins where both are spoken', () => {
  const state = stateAfter([
    add('demo/app', '10.0.0.1:1', { protocols: ['https', 'wss'] }),
    add('demo/app', '10.0.0.1:2', { protocols: ['tls'] }),
    add('demo/app', '10.0.0.1:3', { protocols: ['https', 'http'] }),
  ]);
  assert.deepEqual(
    routed(state, 'demo/app').map(({ port, tls }) => [port, tls]),
    [
      [1, true],
      [3, false],
    ],
  );
});

test('the head gear is the lowest gear id ever seen, whatever came first and whatever went', () => {
  const state = stateAfter([
    add('demo/app', '10.0.0.1:1', { gearId: gear2 }),
    add('demo/app', '10.0.0.1:2', { gearId: gear1 }),
    remove('demo/app', '10.0.0.1:2', gear1),
  ]);
  assert.equal(state.apps.get('demo/app')?.headGearId, gear1);
});

test('a hostile application cannot hold endpoints without bound, and a known one may still be updated at the bound', () => {
  const endpoints = Array.from({ length: maxEndpointsPerApp }, (_, i) =>
    facts(`10.1.${i >> 8}.${i & 255}:80`),
  );
  const app = stateAfter([create('demo/big')]).apps.get('demo/big');
  assert.ok(app);
  let state = stateAfter([create('demo/big')]);
  state = {
    ...state,
    apps: state.apps.set('demo/big', { ...app, endpoints }),
    endpointOwners: endpoints.reduce(
      (owners, { address }) => owners.set(`${address}:80`, 'demo/big'),
      state.endpointOwners,
    ),
  };
  const refused = step(state, add('demo/big', '10.2.0.0:80'), policy);
  assert.equal(refused.rejection?.code, 'TABLE_TOO_MANY_ENDPOINTS');
  assert.equal(refused.state, state);
  assert.equal(step(state, add('demo/big', '10.1.0.0:80', { cartridge: 'x' }), policy).rejection, null);
});

test('an endpoint with endless texts is refused', () => {
  const mappings = Array.from({ length: 2000 }, () => ({ frontend: '/abcdef', backend: '/abcdef' }));
  const result = lastOf([add('demo/app', '10.0.0.1:1', { mappings })]);
  assert.equal(result.rejection?.code, 'TABLE_ENDPOINT_TOO_LARGE');
  assert.equal(result.state, emptyState);
});

test('what an endpoint is spoken to in follows from its protocols alone, plain before TLS', () => {
  const spoken = (...protocols: string[]): string => {
    const state = stateAfter([add('demo/app', '10.0.0.1:4000', { protocols })]);
    const [endpoint] = routed(state, 'demo/app');
    return endpoint === undefined ? 'none' : `${endpoint.tls ? 'tls' : 'tcp'} ${endpoint.versions}`;
  };
  for (const [protocols, wanted] of [
    [['http', 'ws'], 'tcp http1'],
    [['https', 'wss'], 'tls http1'],
    [['h2c'], 'tcp http2'],
    [['grpc', 'h2c'], 'tcp http2'],
    [['h2'], 'tls http2'],
    [['grpcs'], 'tls http2'],
    [['http', 'h2c'], 'tcp both'],
    [['ws', 'grpc'], 'tcp both'],
    [['https', 'h2'], 'tls both'],
    [['http', 'h2'], 'tcp http1'],
    [['h2c', 'https'], 'tcp http2'],
    [['tls'], 'none'],
    [['tcp', 'HTTP2', 'http/2', 'h2-17'], 'none'],
    [[], 'none'],
  ] as const) {
    assert.equal(spoken(...protocols), wanted, protocols.join(' '));
  }
});

test('an endpoint that is spoken to otherwise from now on is another one: its connections are not used on', () => {
  const id = (...protocols: string[]) =>
    routed(stateAfter([add('demo/app', '10.0.0.1:4000', { protocols })]), 'demo/app')[0]?.id;
  assert.equal(new Set([id('http'), id('h2c'), id('http', 'h2c'), id('https'), id('h2')]).size, 5);
  assert.equal(id('http'), id('ws'));
});

test('an endpoint whose gear nobody knew takes the gear that the broker names, and never gives a known one up', () => {
  const unknown = { gearId: UNKNOWN_GEAR };
  const imported = stateAfter([add('demo/app', '10.0.0.1:4000', unknown)]);
  assert.equal(imported.apps.get('demo/app')?.headGearId, null);
  const named = step(imported, add('demo/app', '10.0.0.1:4000')).state;
  assert.equal(named.apps.get('demo/app')?.endpoints[0]?.gearId, gear1);
  assert.equal(named.apps.get('demo/app')?.headGearId, gear1);
  assert.equal(step(named, add('demo/app', '10.0.0.1:4000', unknown)).state, named);
  // The remove of a gear that was never announced here.
  const removed = step(imported, remove('demo/app', '10.0.0.1:4000')).state;
  assert.deepEqual(removed.apps.get('demo/app')?.endpoints, []);
});
