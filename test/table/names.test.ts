import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gearName, impliedNames, isHostName } from '../../src/table/names.ts';
import { resolveHost } from '../../src/table/resolve-host.ts';
import { addAlias, codesOf, create, lastOf, policy, ref, stateAfter } from './scenery.ts';

const app = ref('demo/app');

test('scenario 34: the ha- name has the configured prefix and suffix, a suffix may hold dots', () => {
  assert.deepEqual(impliedNames(app, policy), { plain: 'app-demo.apps.test', ha: 'ha-app-demo.apps.test' });
  const dotted = { plain: 'app-demo.apps.test', ha: 'app-demo.ha.apps.test' };
  assert.deepEqual(impliedNames(app, { ...policy, haPrefix: '', haSuffix: '.ha' }), dotted);
  assert.deepEqual(impliedNames(app, { ...policy, haPrefix: '', haSuffix: '.ha.' }), dotted);
  assert.equal(impliedNames(app, { ...policy, haPrefix: 'HA-' }).ha, 'ha-app-demo.apps.test');
});

test('scenario 34: with an empty prefix and suffix the plain name is the ha- name', () => {
  const rules = { ...policy, haPrefix: '', haSuffix: '' };
  assert.deepEqual(impliedNames(app, rules), { plain: 'app-demo.apps.test', ha: null });
  const state = stateAfter([create('demo/app')], undefined, rules);
  assert.deepEqual(resolveHost(state, 'app-demo.apps.test', rules)?.kind, 'plain');
});

test('a name longer than DNS allows is not published, the rest of the application is', () => {
  const long = `demo/${'a'.repeat(60)}`;
  const result = lastOf([create(long)]);
  assert.deepEqual(codesOf(result), ['TABLE_NAME_NOT_PUBLISHED']);
  assert.equal(result.state.names.size, 0);
  const aliased = stateAfter([addAlias(long, 'www.x.test')], result.state);
  assert.equal(resolveHost(aliased, 'www.x.test', policy)?.app, long);
});

test('the plain name may fit into DNS where the ha- name does not', () => {
  const { plain, ha } = impliedNames(ref(`demo/${'a'.repeat(57)}`), policy);
  assert.ok(plain);
  assert.equal(ha, null);
});

test('two applications never share an implied name: one with a dash in its name has none', () => {
  const state = stateAfter([create('c/a-b'), create('b-c/a')]);
  assert.equal(state.names.size, 0);
});

test('a plain name wins over another application’s ha- name', () => {
  const rules = { ...policy, haPrefix: 'ha' };
  for (const order of [
    [create('demo/app'), create('demo/haapp')],
    [create('demo/haapp'), create('demo/app')],
  ]) {
    const result = lastOf(order, rules);
    assert.deepEqual(codesOf(result), ['TABLE_NAME_COLLISION']);
    assert.equal(resolveHost(result.state, 'haapp-demo.apps.test', rules)?.app, 'demo/haapp');
  }
});

test('a gear id that is no host label makes no gear name, so it cannot smuggle bytes into a Host field', () => {
  assert.equal(gearName('542b72abafec2de3aa000009', app, policy), '542b72abafec2de3aa000009-demo.apps.test');
  for (const gearId of ['a\r\nX: y', 'a b', 'a/b', 'a_b', 'x'.repeat(64)]) {
    assert.equal(gearName(gearId, app, policy), null);
  }
});

test('a host name has labels of 1 to 63 characters and 253 in all', () => {
  assert.equal(isHostName(`${'a'.repeat(63)}.test`), true);
  for (const name of [
    '',
    '.',
    'a..b',
    'a.',
    `${'a'.repeat(64)}.test`,
    'a.'.repeat(130),
    'A.test',
    'a_b.test',
  ]) {
    assert.equal(isHostName(name), false, name);
  }
});
