import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeApp, describeHost, describePage, describeTable } from '../../src/table/describe.ts';
import { add, addAlias, addSsl, create, policy, stateAfter } from './scenery.ts';

const state = stateAfter([
  add('demo/a', '10.0.0.1:1'),
  add('demo/a', '10.0.0.1:3306', { types: ['database'], protocols: ['mysql'] }),
  addAlias('demo/a', 'www.x.test'),
  addSsl('demo/a', 'www.x.test', 'c1'),
  addAlias('demo/b', 'www.x.test'),
]);

test('an application is shown with its names, the way to each endpoint and who its aliases are served for', () => {
  const view = describeApp(state, 'demo/a', policy);
  assert.equal(view?.plainName, 'a-demo.apps.test');
  assert.equal(view.haName, 'ha-a-demo.apps.test');
  assert.deepEqual(
    view.endpoints.map(({ port, transport }) => [port, transport]),
    [
      [1, 'tcp'],
      [3306, null],
    ],
  );
  assert.equal(view.aliases[0]?.servedFor, 'demo/b');
  assert.equal(describeApp(state, 'demo/none', policy), null);
});

test('an endpoint that the policy of today refuses is shown with the reason', () => {
  const strict = { ...policy, ownListeners: new Set(['10.0.0.1:1']) };
  const endpoint = describeApp(state, 'demo/a', strict)?.endpoints[0];
  assert.deepEqual(
    [endpoint?.transport, endpoint?.dial, endpoint?.refused],
    [null, null, 'TABLE_ADDRESS_OWN_LISTENER'],
  );
});

test('a host is shown with its route and every claim on it', () => {
  const view = describeHost(state, 'www.x.test', policy);
  assert.equal(view?.route.app, 'demo/b');
  assert.deepEqual(
    view.claims.aliases.map(({ app }) => app),
    ['demo/a', 'demo/b'],
  );
  assert.equal(view.certificateId, null);
  assert.equal(describeHost(state, 'unknown.test', policy), null);
});

test('views are plain JSON, and the pages of one state together are the whole table', () => {
  const many = stateAfter(Array.from({ length: 25 }, (_, i) => create(`demo/app${i}`)));
  const all = [...describeTable(many, policy)];
  assert.deepEqual(JSON.parse(JSON.stringify(all)), all);
  const paged = [];
  for (let offset: number | null = 0; offset !== null; ) {
    const page = describePage(many, policy, offset, 10);
    assert.equal(page.total, 25);
    paged.push(...page.apps);
    offset = page.next;
  }
  assert.deepEqual(paged, all);
});
