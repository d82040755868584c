import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoverState } from '../../src/table/recover-state.ts';
import { resolveHost } from '../../src/table/resolve-host.ts';
import { emptyState } from '../../src/table/state.ts';
import {
  add,
  addAlias,
  addSsl,
  create,
  destroy,
  facts,
  plain,
  policy,
  ref,
  same,
  stateAfter,
  step,
  tableOf,
} from './scenery.ts';

const life = [
  create('demo/app'),
  add('demo/app', '10.0.0.1:1'),
  addAlias('demo/app', 'www.x.test'),
  addSsl('demo/app', 'www.x.test', 'c1'),
  addSsl('demo/app', 'held.x.test', 'c2'),
];

test('scenario 15: delete_application alone removes endpoints, names, aliases and certificates', () => {
  const state = stateAfter([...life, destroy('demo/app')]);
  assert.ok(same(state, emptyState));
  assert.deepEqual([state.apps.size, state.endpointOwners.size, state.names.size], [0, 0, 0]);
});

test('scenario 20: create and delete leave nothing', () => {
  assert.ok(same(stateAfter([create('demo/app'), destroy('demo/app')]), emptyState));
});

test('scenario 14: an application re-created under the same name starts from nothing', () => {
  const state = stateAfter([...life, destroy('demo/app'), create('demo/app')]);
  assert.ok(same(state, stateAfter([create('demo/app')])));
});

test('a second create_application updates the flags, an odd null takes nothing back, and nothing else changes', () => {
  const state = stateAfter(life);
  const event = { action: 'create_application', app: ref('demo/app') } as const;
  const flagged = step(state, { ...event, scalable: null, ha: true }, policy).state.apps.get('demo/app');
  assert.deepEqual([flagged?.scalable, flagged?.ha], [true, true]);
  assert.equal(flagged?.endpoints.length, 1);
  assert.equal(step(state, { ...event, scalable: null, ha: null }, policy).state, state);
});

test('scenario 31: a non-scalable application with an alias is published without endpoints and harms nobody', () => {
  const table = tableOf(
    stateAfter([create('demo/plain'), addAlias('demo/plain', 'www.x.test'), ...life.slice(0, 2)]),
  );
  assert.deepEqual((table.apps.get('demo/plain') as { endpoints: unknown[] }).endpoints, []);
  assert.equal((table.apps.get('demo/app') as { endpoints: unknown[] }).endpoints.length, 1);
});

test('recovery from the records gives the state they came from, in whatever order they are read', () => {
  const state = stateAfter([...life, addAlias('demo/b', 'www.x.test'), add('demo/b', '10.0.0.2:1')]);
  const records = [...state.apps.values()];
  for (const order of [records, records.toReversed()]) {
    const recovered = recoverState(order, state.nextClaim, policy);
    assert.deepEqual(plain(recovered), plain(state));
    assert.equal(recovered.nextClaim, state.nextClaim);
  }
});

test('recovery under another policy gives the names of that policy', () => {
  const state = stateAfter(life);
  const rules = { ...policy, cloudDomain: 'new.test' };
  const recovered = recoverState(state.apps.values(), state.nextClaim, rules);
  assert.equal(resolveHost(recovered, 'app-demo.new.test', rules)?.app, 'demo/app');
  assert.equal(resolveHost(recovered, 'app-demo.apps.test', rules), null);
});

test('a damaged store in which two applications hold one endpoint, or a claim counter fell back, recovers to a sound state', () => {
  const [one, two] = [...stateAfter([create('demo/a'), create('demo/b')]).apps.values()];
  assert.ok(one && two);
  const endpoints = [facts('10.0.0.1:1')];
  const aliases = [{ alias: 'x.test', announced: true, claim: 7, certificate: null, refusal: null }];
  const state = recoverState(
    [
      { ...one, endpoints },
      { ...two, endpoints, aliases },
    ],
    1,
    policy,
  );
  assert.equal(state.apps.get(two.key)?.endpoints.length, 0);
  assert.equal(state.endpointOwners.get('10.0.0.1:1'), one.key);
  assert.equal(state.nextClaim, 8);
});
