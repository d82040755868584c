import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepAwakeTargets } from '../../src/table/keep-awake-targets.ts';
import { add, create, gear1, gear2, policy, stateAfter } from './scenery.ts';

test('each proxy gear is one target: the head gear under the application’s name, the others under their own', () => {
  const state = stateAfter([
    add('demo/app', '10.0.0.2:1', { gearId: gear2 }),
    add('demo/app', '10.0.0.1:1', { gearId: gear1 }),
    add('demo/app', '10.0.0.1:2', { gearId: gear1 }),
  ]);
  assert.deepEqual(keepAwakeTargets(state, 'demo/app', policy), [
    {
      app: 'demo/app',
      gearId: gear2,
      address: '10.0.0.2',
      host: `${gear2}-demo.apps.test`,
      fallbackHost: 'app-demo.apps.test',
      head: false,
    },
    {
      app: 'demo/app',
      gearId: gear1,
      address: '10.0.0.1',
      host: 'app-demo.apps.test',
      fallbackHost: 'app-demo.apps.test',
      head: true,
    },
  ]);
});

test('gears without a load_balancer endpoint are no targets, even where their endpoints are routable', () => {
  const rules = { ...policy, routableTypes: ['load_balancer', 'web_framework'] };
  const state = stateAfter([
    add('demo/app', '10.0.0.1:1', { types: ['web_framework'] }),
    add('demo/app', '10.0.0.1:2', { types: ['database'], protocols: ['mysql'] }),
  ]);
  assert.deepEqual(keepAwakeTargets(state, 'demo/app', rules), []);
  assert.deepEqual(keepAwakeTargets(stateAfter([create('demo/bare')]), 'demo/bare', rules), []);
  assert.deepEqual(keepAwakeTargets(state, 'demo/none', rules), []);
});

test('while a gear moves, the node announced last is probed', () => {
  const state = stateAfter([add('demo/app', '10.0.0.1:1'), add('demo/app', '10.0.0.2:1')]);
  assert.deepEqual(
    keepAwakeTargets(state, 'demo/app', policy).map(({ address }) => address),
    ['10.0.0.2'],
  );
});

test('the address to probe is the dial address, and a gear id that is no host label gets the application’s name', () => {
  const rules = { ...policy, addressMap: { '10.0.0.1': '172.16.0.1' } };
  const hostile = `${gear1}\r\nX-Evil: 1`;
  const state = stateAfter([
    add('demo/app', '10.0.0.1:1', { gearId: hostile }),
    add('demo/app', '10.0.0.2:1', { gearId: '0' }),
  ]);
  const target = keepAwakeTargets(state, 'demo/app', rules).find(({ gearId }) => gearId === hostile);
  assert.equal(target?.address, '172.16.0.1');
  assert.equal(target?.host, 'app-demo.apps.test');
});

test('each endpoint whose gear is not known is probed under the application’s name', () => {
  const state = stateAfter([
    add('demo/app', '10.0.0.1:1', { gearId: 'unknown' }),
    add('demo/app', '10.0.0.2:1', { gearId: 'unknown' }),
  ]);
  assert.deepEqual(
    keepAwakeTargets(state, 'demo/app', policy).map(({ address, host, head }) => [address, host, head]),
    [
      ['10.0.0.1', 'app-demo.apps.test', false],
      ['10.0.0.2', 'app-demo.apps.test', false],
    ],
  );
});
