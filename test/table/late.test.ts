/** What comes too late, or in the wrong order: tombstones, grace times, overtaken removes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoverState } from '../../src/table/recover-state.ts';
import { resolveHost } from '../../src/table/resolve-host.ts';
import type { RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';
import {
  add,
  addAlias,
  addSsl,
  codesOf,
  create,
  destroy,
  policy,
  refuseSsl,
  remove,
  removeAlias,
  removeSsl,
  servedId,
  stateAfter,
  type Timed,
  timed,
} from './scenery.ts';

const www = 'www.shop.test';
const { certificateGraceMs, swapMs, tombstoneMs } = policy.windows;
const idOf = (state: RoutingState) => servedId(state, www);
const recordOf = (state: RoutingState, app = 'demo/app') =>
  state.apps.get(app)?.aliases.find(({ alias }) => alias === www);

test('scenario 13: no late add brings back a deleted application, a real re-creation does', () => {
  const deleted = timed([0, create('demo/app')], [1_000, destroy('demo/app')]).state;
  for (const late of [
    addAlias('demo/app', www),
    add('demo/app', '10.0.0.1:1'),
    addSsl('demo/app', www, 'c1'),
    refuseSsl('demo/app', www, 'PEM_X'),
  ]) {
    const result = transition(deleted, late, policy, { at: 1_000 + tombstoneMs - 1, sentAt: null });
    assert.equal(result.rejection?.code, 'TABLE_LATE_ADD', late.action);
    assert.equal(result.state, deleted);
  }
  const again = transition(deleted, create('demo/app'), policy, { at: 2_000, sentAt: null }).state;
  assert.ok(again.apps.has('demo/app'));
  assert.equal(again.tombstones.size, 0);
  assert.equal(
    transition(again, addAlias('demo/app', www), policy, { at: 2_001, sentAt: null }).rejection,
    null,
  );
});

test('scenario 13: after its time a tombstone holds nothing up, nor does it hold up an operator', () => {
  const deleted = timed([0, destroy('demo/app')]).state;
  const later = { at: tombstoneMs, sentAt: null };
  assert.equal(transition(deleted, addAlias('demo/app', www), policy, later).rejection, null);
  const byHand = transition(deleted, addAlias('demo/app', www), policy, {
    at: 1,
    sentAt: null,
    byHand: true,
  });
  assert.equal(byHand.rejection, null);
  assert.deepEqual(byHand.buried, ['demo/app']);
});

test('scenario 13: an add that was overtaken by the deletion of an application nobody knew is late, too', () => {
  const { state, touched, buried } = timed([0, destroy('demo/app')]);
  assert.deepEqual([touched, buried], [[], ['demo/app']]);
  assert.equal(
    transition(state, addAlias('demo/app', www), policy, { at: 1, sentAt: null }).rejection?.code,
    'TABLE_LATE_ADD',
  );
  assert.equal(transition(state, destroy('demo/app'), policy, { at: 2, sentAt: null }).state, state);
});

test('the reason of a late add says by the message bus’s time stamps that it was sent before the deletion', () => {
  const deleted = transition(stateAfter([create('demo/app')]), destroy('demo/app'), policy, {
    at: 10,
    sentAt: 5,
  });
  const late = transition(deleted.state, addAlias('demo/app', www), policy, { at: 12, sentAt: 4 });
  assert.match(late.rejection?.reason ?? '', /after this event was sent/);
  const create2 = transition(deleted.state, create('demo/app'), policy, { at: 12, sentAt: 4 });
  assert.deepEqual(codesOf(create2), ['TABLE_LATE_CREATE'], 'honoured, but said');
  assert.ok(create2.state.apps.has('demo/app'));
});

test('tombstones are bounded by number and by age, the oldest go first, and they survive a restart', () => {
  const rules = { ...policy, windows: { ...policy.windows, maxTombstones: 3 } };
  let state = stateAfter([]);
  for (let i = 0; i < 5; i += 1)
    state = transition(state, destroy(`demo/app${i}`), rules, { at: i, sentAt: null }).state;
  assert.deepEqual([...state.tombstones.keys()], ['demo/app2', 'demo/app3', 'demo/app4']);
  const aged = transition(state, destroy('demo/x'), rules, { at: tombstoneMs + 3, sentAt: null });
  assert.deepEqual([...aged.state.tombstones.keys()], ['demo/app4', 'demo/x']);
  assert.deepEqual([...aged.buried].sort(), ['demo/app2', 'demo/app3', 'demo/x']);
  const stored = [...aged.state.tombstones].reverse();
  const recovered = recoverState([], 1, policy, stored);
  assert.deepEqual([...recovered.tombstones.keys()], ['demo/app4', 'demo/x']);
});

test('a clock that is set back makes a tombstone last longer, not shorter', () => {
  const deleted = timed([5_000_000, destroy('demo/app')]).state;
  const late = transition(deleted, addAlias('demo/app', www), policy, { at: 0, sentAt: null });
  assert.equal(late.rejection?.code, 'TABLE_LATE_ADD');
});

test('a hostile bus that deletes what never was fills no memory', () => {
  const rules = { ...policy, windows: { ...policy.windows, maxTombstones: 50 } };
  let state = stateAfter([]);
  for (let i = 0; i < 5_000; i += 1)
    state = transition(state, destroy(`demo/app${i}`), rules, { at: i, sentAt: null }).state;
  assert.equal(state.tombstones.size, 50);
});

test('scenario 12: remove_ssl keeps the certificate served until the grace time is over, and its end takes it', () => {
  const removed = timed(
    [0, addAlias('demo/app', www)],
    [1, addSsl('demo/app', www, 'c1')],
    [10, removeSsl('demo/app', www)],
  ).state;
  assert.equal(idOf(removed), 'c1');
  const retiresAt = recordOf(removed)?.retiresAt;
  assert.equal(retiresAt, 10 + certificateGraceMs);
  const app = { namespace: 'demo', appName: 'app' };
  const stamp = { at: retiresAt ?? 0, sentAt: null };
  const over = transition(
    removed,
    { action: 'retire_ssl', app, alias: www, retiresAt: retiresAt ?? 0 },
    policy,
    stamp,
  );
  assert.equal(idOf(over.state), null);
  assert.ok(resolveHost(over.state, www, policy), 'the alias stays');
  const another = { action: 'retire_ssl', app, alias: www, retiresAt: 7 } as const;
  assert.equal(transition(removed, another, policy, stamp).state, removed, 'the end of another grace time');
});

test('scenario 12: the new certificate, or a refused one, ends the grace time of the removed', () => {
  const removed: readonly Timed[] = [
    [0, addAlias('demo/app', www)],
    [1, addSsl('demo/app', www, 'c1')],
    [10, removeSsl('demo/app', www)],
  ];
  for (const [event, id] of [
    [addSsl('demo/app', www, 'c2'), 'c2'],
    [addSsl('demo/app', www, 'c1'), 'c1'],
    [refuseSsl('demo/app', www, 'PEM_X'), 'c1'],
  ] as const) {
    const { state } = timed(...removed, [20, event]);
    assert.equal(idOf(state), id);
    assert.equal(recordOf(state)?.retiresAt, undefined);
  }
});

test('scenario 12: a second remove_ssl prolongs no grace time', () => {
  const once = timed(
    [0, addAlias('demo/app', www)],
    [1, addSsl('demo/app', www, 'c1')],
    [10, removeSsl('demo/app', www)],
  );
  const twice = transition(once.state, removeSsl('demo/app', www), policy, { at: 20, sentAt: null });
  assert.equal(twice.state, once.state);
});

test('scenario 42: remove_alias and delete_application end a grace time at once, and so does an operator’s own removal', () => {
  const removed = timed(
    [0, addAlias('demo/app', www)],
    [1, addSsl('demo/app', www, 'c1')],
    [10, removeSsl('demo/app', www)],
  ).state;
  for (const event of [removeAlias('demo/app', www), destroy('demo/app')])
    assert.equal(idOf(transition(removed, event, policy, { at: 11, sentAt: null }).state), null);
  const byHand = transition(removed, removeSsl('demo/app', www), policy, {
    at: 11,
    sentAt: null,
    byHand: true,
  });
  assert.equal(idOf(byHand.state), null);
});

test('scenario 11: add_ssl overtakes the remove_ssl before it: within the swap window the last add wins, and that is said', () => {
  const replaced: readonly Timed[] = [
    [0, addAlias('demo/app', www)],
    [1, addSsl('demo/app', www, 'c1')],
    [100, addSsl('demo/app', www, 'c2')],
  ];
  const swapped = timed(...replaced, [100 + swapMs - 1, removeSsl('demo/app', www)]);
  assert.equal(idOf(swapped.state), 'c2');
  assert.deepEqual(codesOf(swapped), ['TABLE_REMOVE_OVERTAKEN']);
  assert.equal(recordOf(swapped.state)?.retiresAt, undefined);
  const late = timed(...replaced, [100 + swapMs, removeSsl('demo/app', www)]);
  assert.ok(recordOf(late.state)?.retiresAt, 'after the window a remove is a remove');
});

test('scenario 11: a remove_ssl right after a replacement in the right order is a removal', () => {
  const { state } = timed(
    [0, addAlias('demo/app', www)],
    [1, addSsl('demo/app', www, 'c1')],
    [100, removeSsl('demo/app', www)],
    [101, addSsl('demo/app', www, 'c2')],
    [102, removeSsl('demo/app', www)],
  );
  assert.ok(recordOf(state)?.retiresAt);
});

test('scenario 21: an endpoint that is announced anew keeps, though the remove before it comes after', () => {
  const changed = { types: ['load_balancer'], protocols: ['https'] };
  const swapped = timed(
    [0, add('demo/app', '10.0.0.1:1')],
    [100, add('demo/app', '10.0.0.1:1', changed)],
    [101, remove('demo/app', '10.0.0.1:1')],
  );
  assert.equal(swapped.state.apps.get('demo/app')?.endpoints.length, 1);
  assert.deepEqual(codesOf(swapped), ['TABLE_REMOVE_OVERTAKEN']);
  const same = timed(
    [0, add('demo/app', '10.0.0.1:1')],
    [100, add('demo/app', '10.0.0.1:1')],
    [101, remove('demo/app', '10.0.0.1:1')],
  );
  assert.equal(same.state.apps.get('demo/app')?.endpoints.length, 0, 'a mere duplicate owes no remove');
});

test('a bus gone wild cannot fill the memory: above the bounds new ones are refused and nothing is evicted', () => {
  const rules = { ...policy, limits: { maxApplications: 2, maxNames: 6 } };
  const full = stateAfter([create('demo/a'), create('demo/b')], undefined, rules);
  for (const event of [create('demo/c'), addAlias('demo/c', www), add('demo/c', '10.0.0.1:1')]) {
    const refused = transition(full, event, rules, { at: 0, sentAt: null });
    assert.equal(refused.rejection?.code, 'TABLE_TOO_MANY_APPLICATIONS');
    assert.equal(refused.state, full);
  }
  const named = stateAfter([addAlias('demo/a', www), addAlias('demo/a', 'shop.test')], full, rules);
  const refused = transition(named, addAlias('demo/b', 'more.test'), rules, { at: 0, sentAt: null });
  assert.equal(refused.rejection?.code, 'TABLE_TOO_MANY_NAMES');
  assert.equal(
    transition(named, addAlias('demo/b', www), rules, { at: 0, sentAt: null }).rejection,
    null,
    'a name that is known is none more',
  );
});
