import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxAliasesPerApp } from '../../src/table/bounds.ts';
import { resolveHost } from '../../src/table/resolve-host.ts';
import type { RoutingState } from '../../src/table/state.ts';
import {
  add,
  addAlias,
  addSsl,
  codesOf,
  create,
  destroy,
  lastOf,
  policy,
  refuseSsl,
  removeAlias,
  removeSsl,
  servedId,
  stateAfter,
  step,
} from './scenery.ts';

const www = 'www.shop.test';
const ownerOf = (state: RoutingState, host = www) => resolveHost(state, host, policy)?.app ?? null;
const idOf = (state: RoutingState, host = www) => servedId(state, host);
const recordOf = (state: RoutingState, app: string, alias = www) =>
  state.apps.get(app)?.aliases.find((record) => record.alias === alias);

test('scenario 9: an alias or a certificate without a create_application before it creates the application', () => {
  assert.equal(ownerOf(stateAfter([addAlias('demo/app', www)])), 'demo/app');
  assert.ok(stateAfter([addSsl('demo/app', www, 'c1')]).apps.has('demo/app'));
});

test('scenario 10: a certificate that comes before its alias is held, not routed, and used once the alias is announced', () => {
  const held = stateAfter([addSsl('demo/app', www, 'c1')]);
  assert.equal(ownerOf(held), null);
  assert.equal(recordOf(held, 'demo/app')?.announced, false);
  const announced = stateAfter([addAlias('demo/app', www)], held);
  assert.equal(ownerOf(announced), 'demo/app');
  assert.equal(idOf(announced), 'c1');
});

test('scenario 10: a held certificate that is removed again leaves nothing', () => {
  const state = stateAfter([create('demo/app'), addSsl('demo/app', www, 'c1'), removeSsl('demo/app', www)]);
  assert.deepEqual(state.apps.get('demo/app')?.aliases, []);
});

test('scenario 20: the rollback pair add_alias and remove_alias leaves nothing', () => {
  const before = stateAfter([create('demo/app')]);
  const after = stateAfter([addAlias('demo/app', www), removeAlias('demo/app', www)], before);
  assert.deepEqual(after.apps.get('demo/app'), before.apps.get('demo/app'));
  assert.equal(after.names.has(www), false);
});

test('adding an alias that the application holds already changes nothing, even after another one claimed it', () => {
  const one = stateAfter([addAlias('demo/a', www)]);
  assert.equal(step(one, addAlias('demo/a', www), policy).state, one);
  const two = stateAfter([addAlias('demo/b', www)], one);
  const redelivered = stateAfter([addAlias('demo/a', www), addAlias('demo/b', www)], two);
  assert.equal(redelivered, two);
  assert.equal(ownerOf(stateAfter([addAlias('demo/a', www)], two)), 'demo/b');
});

test('scenario 37: of two applications with one alias the last claim wins, and removing it from the other does not matter', () => {
  const both = lastOf([addAlias('demo/a', www), addAlias('demo/b', www)]);
  assert.equal(ownerOf(both.state), 'demo/b');
  assert.deepEqual(codesOf(both), ['TABLE_ALIAS_DISPLACED']);
  assert.deepEqual(both.touched, ['demo/b'], 'the record of the displaced application stays as it is');
  assert.equal(ownerOf(stateAfter([removeAlias('demo/a', www)], both.state)), 'demo/b');
});

test('scenario 37: after the winner removes the alias, or is deleted, the former claim returns with its certificate', () => {
  const both = stateAfter([
    addAlias('demo/a', www),
    addSsl('demo/a', www, 'cert-a'),
    addAlias('demo/b', www),
    addSsl('demo/b', www, 'cert-b'),
  ]);
  assert.equal(idOf(both), 'cert-b');
  for (const event of [removeAlias('demo/b', www), destroy('demo/b')]) {
    const after = stateAfter([event], both);
    assert.equal(ownerOf(after), 'demo/a');
    assert.equal(idOf(after), 'cert-a');
  }
});

test('scenario 37: a winner without a certificate does not serve the displaced one’s', () => {
  const state = stateAfter([
    addAlias('demo/a', www),
    addSsl('demo/a', www, 'cert-a'),
    addAlias('demo/b', www),
  ]);
  assert.equal(idOf(state), null);
});

test('scenario 38: an alias moves from A to B, add before remove, A’s remove_ssl after B’s add_ssl: B’s certificate and route stay', () => {
  const state = stateAfter([
    addAlias('demo/a', www),
    addSsl('demo/a', www, 'cert-a'),
    addAlias('demo/b', www),
    addSsl('demo/b', www, 'cert-b'),
    removeSsl('demo/a', www),
    removeAlias('demo/a', www),
  ]);
  assert.equal(ownerOf(state), 'demo/b');
  assert.equal(idOf(state), 'cert-b');
});

test('scenario 36: an alias equal to another application’s plain or ha- name does not take it, in either order', () => {
  for (const host of ['app-demo.apps.test', 'ha-app-demo.apps.test']) {
    const late = lastOf([create('demo/app'), addAlias('evil/x', host)]);
    assert.equal(ownerOf(late.state, host), 'demo/app');
    assert.deepEqual(codesOf(late), ['TABLE_ALIAS_SHADOWED']);
    const early = lastOf([addAlias('evil/x', host), create('demo/app')]);
    assert.equal(ownerOf(early.state, host), 'demo/app');
    assert.deepEqual(codesOf(early), ['TABLE_ALIAS_SHADOWED']);
    assert.equal(early.findings[0]?.app, 'evil/x');
    assert.equal(ownerOf(stateAfter([destroy('demo/app')], early.state), host), 'evil/x');
  }
});

test('scenario 36: nor does its certificate serve that name', () => {
  const host = 'ha-app-demo.apps.test';
  const state = stateAfter([create('demo/app'), addAlias('evil/x', host), addSsl('evil/x', host, 'evil')]);
  assert.equal(idOf(state, host), null);
});

test('an application that holds its own ha- name as an alias serves that alias’s certificate there', () => {
  const host = 'ha-app-demo.apps.test';
  const state = stateAfter([create('demo/app'), addAlias('demo/app', host), addSsl('demo/app', host, 'own')]);
  assert.equal(idOf(state, host), 'own');
});

test('scenario 35: events under one canonical name are one application', () => {
  const state = stateAfter([add('demo/app', '10.0.0.1:1'), addAlias('demo/app', www)]);
  assert.equal(state.apps.size, 1);
});

test('scenario 42: remove_ssl keeps the alias routed; remove_alias drops a leftover certificate', () => {
  const start = stateAfter([addAlias('demo/app', www), addSsl('demo/app', www, 'c1')]);
  const bare = stateAfter([removeSsl('demo/app', www)], start);
  assert.equal(ownerOf(bare), 'demo/app');
  assert.equal(idOf(bare), null);
  const again = stateAfter([removeAlias('demo/app', www), addAlias('demo/app', www)], start);
  assert.equal(idOf(again), null);
});

test('a refused certificate is remembered beside the former one, which is still served', () => {
  const state = stateAfter([
    addAlias('demo/app', www),
    addSsl('demo/app', www, 'good'),
    refuseSsl('demo/app', www, 'PEM_KEY_MISMATCH'),
  ]);
  assert.equal(idOf(state), 'good');
  assert.equal(recordOf(state, 'demo/app')?.refusal?.code, 'PEM_KEY_MISMATCH');
});

test('the same refusal again changes nothing and keeps its first time; a good certificate or remove_ssl ends it', () => {
  const refused = stateAfter([addAlias('demo/app', www), refuseSsl('demo/app', www, 'PEM_X', 5)]);
  assert.equal(stateAfter([refuseSsl('demo/app', www, 'PEM_X', 9)], refused), refused);
  assert.equal(recordOf(refused, 'demo/app')?.refusal?.at, 5);
  for (const event of [addSsl('demo/app', www, 'good'), removeSsl('demo/app', www)]) {
    assert.equal(recordOf(stateAfter([event], refused), 'demo/app')?.refusal, null);
  }
});

test('the former certificate, sent again after a refusal, ends the refusal', () => {
  const state = stateAfter([
    addSsl('demo/app', www, 'good'),
    refuseSsl('demo/app', www, 'PEM_X'),
    addSsl('demo/app', www, 'good'),
  ]);
  assert.equal(recordOf(state, 'demo/app')?.refusal, null);
});

test('an application holds a bounded number of aliases, announced or not; those it has still work', () => {
  const many = Array.from({ length: maxAliasesPerApp }, (_, i) => addAlias('demo/app', `a${i}.test`));
  const full = stateAfter(many);
  for (const event of [
    addAlias('demo/app', www),
    addSsl('demo/app', www, 'c'),
    refuseSsl('demo/app', www, 'P'),
  ]) {
    const result = step(full, event, policy);
    assert.equal(result.rejection?.code, 'TABLE_TOO_MANY_ALIASES');
    assert.equal(result.state, full);
  }
  assert.equal(step(full, addSsl('demo/app', 'a7.test', 'c'), policy).rejection, null);
  assert.equal(step(full, addAlias('demo/other', www), policy).rejection, null);
});
