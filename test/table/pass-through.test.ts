import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeApp } from '../../src/table/describe.ts';
import { keepAwakeTargets } from '../../src/table/keep-awake-targets.ts';
import { project } from '../../src/table/project.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';
import { add, addAlias, gear1, load, muchLater, policy, remove, stateAfter } from './scenery.ts';

const TLS = { protocols: ['tls'] };

function published(state: RoutingState) {
  const { apps, hosts } = project(emptyState, state, state.apps.keys(), policy, load);
  return { apps: new Map(apps), hosts: new Map(hosts) };
}

test('an endpoint that speaks tls takes undecrypted connections and no HTTP (domain.md 8, 29)', () => {
  const state = stateAfter([add('demo/a', '10.0.0.1:1', TLS)]);
  const route = published(state).apps.get('demo/a');
  assert.deepEqual(route?.endpoints, []);
  assert.deepEqual(route?.passThrough, [
    {
      id: 'demo/a 10.0.0.1:1 through',
      gearId: gear1,
      address: '10.0.0.1',
      port: 1,
      tls: false,
      versions: 'http1',
      verifyTls: false,
    },
  ]);
  assert.equal(describeApp(state, 'demo/a', policy)?.endpoints[0]?.transport, 'pass-through');
  assert.equal(keepAwakeTargets(state, 'demo/a', policy).length, 1, 'its node may idle it all the same');
});

test('https endpoints take both; plain ones, those of other types and those that speak something else take none', () => {
  const passThroughOf = (over: object): number =>
    published(stateAfter([add('demo/a', '10.0.0.1:1', over)])).apps.get('demo/a')?.passThrough.length ?? 0;
  assert.equal(passThroughOf({ protocols: ['https', 'wss'] }), 1);
  for (const protocols of [['http'], ['http', 'tls'], ['tcp'], ['tls', 'tcp'], []]) {
    assert.equal(passThroughOf({ protocols }), 0, String(protocols));
  }
  assert.equal(passThroughOf({ ...TLS, types: ['web_framework'] }), 0);
  assert.equal(passThroughOf({ ...TLS, types: ['database'] }), 0);
});

test('addresses that HTTP may not be sent to take no undecrypted connections either', () => {
  for (const at of ['127.0.0.1:5', '0.0.0.0:5', '169.254.169.254:80', '192.168.0.1:443']) {
    const route = published(stateAfter([add('demo/a', at, TLS)])).apps.get('demo/a');
    assert.deepEqual(route?.passThrough ?? [], [], at);
  }
});

test('an endpoint that comes to speak tls, or goes, is a change of its application’s route', () => {
  const before = stateAfter([add('demo/a', '10.0.0.1:1', TLS)]);
  const { state, touched } = transition(before, remove('demo/a', '10.0.0.1:1'), policy, muchLater());
  const changes = project(before, state, touched, policy, load);
  assert.deepEqual(changes.apps[0]?.[1]?.passThrough, []);
});

test('a tenant gets no connection of another by a tls endpoint, whatever it claims', () => {
  const table = published(
    stateAfter([
      add('demo/victim', '10.0.0.1:1'),
      add('demo/thief', '10.0.0.9:9', TLS),
      // Names that the victim has by itself, with and without the prefix.
      addAlias('demo/thief', 'victim-demo.apps.test'),
      addAlias('demo/thief', 'ha-victim-demo.apps.test'),
    ]),
  );
  for (const host of ['victim-demo.apps.test', 'ha-victim-demo.apps.test']) {
    const app = table.hosts.get(host)?.app;
    assert.equal(app, 'demo/victim');
    assert.deepEqual(table.apps.get('demo/victim')?.passThrough, []);
  }
});
