/** Who won, who was displaced, and why: as values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { winnerOfName } from '../../src/table/ownership.ts';
import { add, addAlias, create, destroy, lastOf, removeAlias } from './scenery.ts';

const www = 'www.shop.test';
const decisionsOf = (...events: Parameters<typeof lastOf>[0]) =>
  lastOf(events).findings.flatMap(({ decision }) =>
    decision === undefined ? [] : [[decision.policy, decision.subject, decision.winner, decision.displaced]],
  );

test('scenario 37: the last add of an alias wins, and its loser gets it back when the winner gives it up', () => {
  const both = [addAlias('demo/a', www), addAlias('demo/b', www)];
  assert.deepEqual(decisionsOf(...both), [['last-add-wins', www, 'demo/b', 'demo/a']]);
  for (const end of [removeAlias('demo/b', www), destroy('demo/b')])
    assert.deepEqual(decisionsOf(...both, end), [['former-claim-returns', www, 'demo/a', null]]);
  assert.deepEqual(decisionsOf(...both, removeAlias('demo/a', www)), [], 'the loser’s end changes nothing');
  assert.deepEqual(decisionsOf(...both, removeAlias('demo/a', www), removeAlias('demo/b', www)), []);
});

test('scenario 36: an implied name wins over an alias, whoever was first, and the alias returns after it', () => {
  const host = 'ha-app-demo.apps.test';
  const expected = [['implied-name-wins', host, 'demo/app', 'evil/x']];
  assert.deepEqual(decisionsOf(create('demo/app'), addAlias('evil/x', host)), expected);
  assert.deepEqual(decisionsOf(addAlias('evil/x', host), create('demo/app')), expected);
  assert.deepEqual(decisionsOf(addAlias('evil/x', host), create('demo/app'), destroy('demo/app')), [
    ['former-claim-returns', host, 'evil/x', null],
  ]);
});

test('scenario 36: every alias that an application’s birth shadows is said, each with its holder', () => {
  const host = 'app-demo.apps.test';
  assert.deepEqual(decisionsOf(addAlias('evil/x', host), addAlias('evil/y', host), create('demo/app')), [
    ['implied-name-wins', host, 'demo/app', 'evil/x'],
    ['implied-name-wins', host, 'demo/app', 'evil/y'],
  ]);
});

test('scenario 24: a port belongs to whom it was announced for last', () => {
  assert.deepEqual(decisionsOf(add('demo/a', '10.0.0.1:1'), add('demo/b', '10.0.0.1:1')), [
    ['last-announcement-wins', '10.0.0.1:1', 'demo/b', 'demo/a'],
  ]);
});

test('the order of precedence is one function: plain name, ha- name, latest alias', () => {
  const aliases = [
    { app: 'x/a', claim: 1 },
    { app: 'x/b', claim: 2 },
  ];
  assert.deepEqual(winnerOfName({ plain: 'x/p', ha: 'x/h', aliases }), { app: 'x/p', kind: 'plain' });
  assert.deepEqual(winnerOfName({ plain: null, ha: 'x/h', aliases }), { app: 'x/h', kind: 'ha' });
  assert.deepEqual(winnerOfName({ plain: null, ha: null, aliases }), { app: 'x/b', kind: 'alias' });
  assert.equal(winnerOfName({ plain: null, ha: null, aliases: [] }), null);
});
