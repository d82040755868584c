import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableEvent } from '../../src/table/events.ts';
import { recoverState } from '../../src/table/recover-state.ts';
import { certificateOfHost, resolveHost } from '../../src/table/resolve-host.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';
import {
  add,
  addAlias,
  addSsl,
  codesOf,
  create,
  destroy,
  facts,
  plain,
  policy,
  ref,
  remove,
  removeAlias,
  same,
  stateAfter,
  step,
  tableOf,
} from './scenery.ts';

const www = 'www.shop.test';
const here = '10.0.0.1:1';
const pin = (key: string, at = here): TableEvent => ({
  action: 'pin_endpoint',
  app: ref(key),
  endpoint: facts(at),
});
const unpin = (key: string, at = here): TableEvent => {
  const { address, port } = facts(at);
  return { action: 'unpin_endpoint', app: ref(key), address, port };
};
const pinAlias = (key: string, alias = www): TableEvent => ({ action: 'pin_alias', app: ref(key), alias });
const unpinAlias = (key: string, alias = www): TableEvent => ({
  action: 'unpin_alias',
  app: ref(key),
  alias,
});
const ownerOf = (state: RoutingState, host = www) => resolveHost(state, host, policy)?.app ?? null;
const endpoints = (state: RoutingState, key: string) => state.apps.get(key)?.endpoints.length ?? null;
const byHand = { at: 0, sentAt: null, byHand: true };

test('a pinned endpoint survives removal, deletion, an update and another tenant’s announcement', () => {
  const state = stateAfter([
    add('demo/a', here),
    pin('demo/a'),
    add('demo/a', here, { types: ['web_framework'] }),
    remove('demo/a', here),
  ]);
  assert.equal(endpoints(state, 'demo/a'), 1);
  assert.deepEqual(state.apps.get('demo/a')?.endpoints[0]?.types, ['load_balancer']);
  const taken = step(state, add('demo/b', here));
  assert.equal(taken.rejection?.code, 'TABLE_PINNED');
  assert.equal(taken.state, state);
  const deleted = step(state, destroy('demo/a'));
  assert.equal(endpoints(deleted.state, 'demo/a'), 1);
  assert.deepEqual(codesOf(deleted), ['TABLE_PINNED']);
});

test('unpinning ends with what events say by then', () => {
  const announced = stateAfter([add('demo/a', here), pin('demo/a'), unpin('demo/a')]);
  assert.ok(same(announced, stateAfter([add('demo/a', here)])));
  const removed = stateAfter([add('demo/a', here), pin('demo/a'), remove('demo/a', here), unpin('demo/a')]);
  assert.equal(endpoints(removed, 'demo/a'), 0);
  const added = stateAfter([create('demo/a'), pin('demo/a'), add('demo/a', here), unpin('demo/a')]);
  assert.equal(endpoints(added, 'demo/a'), 1);
  const never = stateAfter([create('demo/a'), pin('demo/a'), unpin('demo/a')]);
  assert.equal(endpoints(never, 'demo/a'), 0);
});

test('of a deleted application only what is pinned is left, no certificate, and with the last pin it goes', () => {
  const state = stateAfter([
    add('demo/a', here),
    add('demo/a', '10.0.0.1:2'),
    addAlias('demo/a', www),
    addAlias('demo/a', 'other.test'),
    addSsl('demo/a', www, 'c1'),
    pin('demo/a'),
    pinAlias('demo/a'),
    destroy('demo/a'),
  ]);
  assert.deepEqual(
    [endpoints(state, 'demo/a'), ownerOf(state), ownerOf(state, 'other.test')],
    [1, 'demo/a', null],
  );
  assert.equal(certificateOfHost(state, www, policy), null);
  assert.equal(state.endpointOwners.size, 1);
  const gone = stateAfter([unpin('demo/a'), unpinAlias('demo/a')], state);
  assert.ok(same(gone, emptyState), JSON.stringify(plain(gone)));
});

test('a real re-creation finds the pins of its predecessor, and unpinning then leaves it alive', () => {
  const state = stateAfter([
    add('demo/a', here),
    pin('demo/a'),
    destroy('demo/a'),
    create('demo/a'),
    unpin('demo/a'),
  ]);
  assert.ok(state.apps.has('demo/a'));
  assert.equal(state.apps.get('demo/a')?.ghost, undefined);
  assert.equal(state.tombstones.size, 0);
});

test('late adds do not come to life with a ghost', () => {
  const ghost = stateAfter([add('demo/a', here), pin('demo/a')]);
  const deleted = transition(ghost, destroy('demo/a'), policy, { at: 1e12, sentAt: null }).state;
  const late = transition(deleted, addAlias('demo/a', www), policy, { at: 1e12 + 1, sentAt: null });
  assert.equal(late.rejection?.code, 'TABLE_LATE_ADD');
});

test('a pinned alias stays with its application, whoever claims it later and whatever its own removal says', () => {
  const pinned = stateAfter([addAlias('demo/a', www), addAlias('demo/b', www), pinAlias('demo/a')]);
  assert.equal(ownerOf(pinned), 'demo/a');
  const claimed = step(pinned, addAlias('demo/c', www));
  assert.equal(ownerOf(claimed.state), 'demo/a');
  assert.deepEqual(
    claimed.findings.map(({ decision }) => [decision?.policy, decision?.winner, decision?.displaced]),
    [['pinned-wins', 'demo/a', 'demo/c']],
  );
  const removed = stateAfter([removeAlias('demo/a', www)], claimed.state);
  assert.equal(ownerOf(removed), 'demo/a');
  assert.equal(ownerOf(stateAfter([unpinAlias('demo/a')], removed)), 'demo/c');
  assert.equal(
    ownerOf(stateAfter([unpinAlias('demo/a')], pinned)),
    'demo/b',
    'its claim is as old again as it was before the pin',
  );
});

test('pins survive a restart, with the order of claims', () => {
  const state = stateAfter([
    addAlias('demo/a', www),
    addAlias('demo/b', www),
    pinAlias('demo/a'),
    pin('demo/a'),
  ]);
  const recovered = recoverState(
    JSON.parse(JSON.stringify([...state.apps.values()])),
    state.nextClaim,
    policy,
  );
  assert.deepEqual(plain(recovered), plain(state));
  assert.equal(recovered.nextClaim, state.nextClaim, 'a pinned claim does not drive the counter up');
  assert.equal(ownerOf(stateAfter([addAlias('demo/c', www)], recovered)), 'demo/a');
});

test('an alias that is another application’s own name cannot be pinned, nor a port that is pinned already', () => {
  const state = stateAfter([create('demo/a'), pin('demo/a')]);
  assert.equal(step(state, pinAlias('evil/x', 'a-demo.apps.test')).rejection?.code, 'TABLE_PIN_SHADOWED');
  assert.equal(step(state, pin('evil/x')).rejection?.code, 'TABLE_PINNED');
  assert.equal(step(state, pin('demo/a', '127.0.0.1:1')).rejection?.code, 'TABLE_ADDRESS_LOOPBACK');
});

test('an operator who deletes something pinned is told to unpin it first', () => {
  const state = stateAfter([add('demo/a', here), pin('demo/a'), pinAlias('demo/a')]);
  for (const event of [remove('demo/a', here), removeAlias('demo/a', www), destroy('demo/a')]) {
    assert.equal(transition(state, event, policy, byHand).rejection?.code, 'TABLE_PINNED', event.action);
  }
  assert.equal(step(state, unpin('demo/a', '10.0.0.9:1')).rejection?.code, 'TABLE_NOT_PINNED');
});

test('pinning twice changes nothing, and what is pinned is published like anything else', () => {
  const state = stateAfter([pin('demo/a'), pinAlias('demo/a')]);
  assert.equal(step(state, pin('demo/a')).state, state);
  assert.equal(step(state, pinAlias('demo/a')).state, state);
  assert.ok(tableOf(state).hosts.has(www));
});
