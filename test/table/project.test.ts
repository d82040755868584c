import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateFacts, packCertificate } from '../../src/table/certificate-ref.ts';
import type { TableEvent } from '../../src/table/events.ts';
import type { TablePolicy } from '../../src/table/policy.ts';
import { isEmpty, project } from '../../src/table/project.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import {
  add,
  addAlias,
  addSsl,
  create,
  destroy,
  gear1,
  gear2,
  load,
  policy,
  removeAlias,
  stateAfter,
  step,
  tableOf,
} from './scenery.ts';

/** What the last of these events changes in the published table. */
function changesOf(start: RoutingState, event: TableEvent, rules: TablePolicy = policy) {
  const { state, touched } = step(start, event, rules);
  return project(start, state, touched, rules, load);
}

test('an added endpoint changes its application’s route and nothing else', () => {
  const start = stateAfter([create('demo/a'), create('demo/b'), addAlias('demo/a', 'www.x.test')]);
  const changes = changesOf(start, add('demo/a', '10.0.0.1:1'));
  assert.deepEqual(
    changes.apps.map(([key]) => key),
    ['demo/a'],
  );
  assert.deepEqual([changes.hosts, changes.certificates], [[], []]);
});

test('what is not routable changes nothing in the published table', () => {
  const start = stateAfter([add('demo/a', '10.0.0.1:1')]);
  const database = add('demo/a', '10.0.0.1:3306', { types: ['database'], protocols: ['mysql'] });
  assert.ok(isEmpty(changesOf(start, database)));
  assert.ok(isEmpty(changesOf(start, add('demo/a', '10.0.0.1:1', { cartridge: 'haproxy-1.5' }))));
});

test('a displaced alias changes hands with its certificate, though only one record was touched', () => {
  const start = stateAfter([
    addAlias('demo/a', 'www.x.test'),
    addSsl('demo/a', 'www.x.test', 'cert-a'),
    addSsl('demo/b', 'www.x.test', 'cert-b'),
  ]);
  const changes = changesOf(start, addAlias('demo/b', 'www.x.test'));
  assert.deepEqual(changes.hosts, [['www.x.test', { app: 'demo/b', kind: 'alias', viaNodeFrontend: false }]]);
  assert.deepEqual(
    changes.certificates.map(([host, certificate]) => [host, certificate?.id]),
    [['www.x.test', 'cert-b']],
  );
});

test('a deletion takes route, hosts and certificates out of the table', () => {
  const start = stateAfter([
    create('demo/a'),
    addAlias('demo/a', 'www.x.test'),
    addSsl('demo/a', 'www.x.test', 'c'),
  ]);
  const changes = changesOf(start, destroy('demo/a'));
  assert.deepEqual(changes.apps, [['demo/a', null]]);
  assert.deepEqual(
    new Map(changes.hosts),
    new Map([
      ['a-demo.apps.test', null],
      ['ha-a-demo.apps.test', null],
      ['www.x.test', null],
    ]),
  );
  assert.deepEqual(changes.certificates, [['www.x.test', null]]);
});

test('a certificate that the store lost is published as gone, so that the platform’s serves', () => {
  const after = stateAfter([addAlias('demo/a', 'www.x.test'), addSsl('demo/a', 'www.x.test', 'c')]);
  const changes = project(emptyState, after, ['demo/a'], policy, () => null);
  assert.deepEqual(changes.certificates, [['www.x.test', null]]);
});

test('only the certificates that changed are loaded', () => {
  const start = stateAfter([
    addAlias('demo/a', 'one.test'),
    addSsl('demo/a', 'one.test', 'c1'),
    addAlias('demo/a', 'two.test'),
  ]);
  const loaded: string[] = [];
  const { state, touched } = step(start, addSsl('demo/a', 'two.test', 'c2'), policy);
  project(start, state, touched, policy, (app, alias, id) => {
    loaded.push(id);
    return load(app, alias, id);
  });
  assert.deepEqual(loaded, ['c2']);
});

test('alias traffic goes to the node frontends where the policy says so; plain and ha- names go to the endpoints', () => {
  const rules = { ...policy, nodeFrontend: { ...policy.nodeFrontend, applications: { 'demo/a': true } } };
  const events = ['demo/a', 'demo/b'].flatMap((key, i) => [
    add(key, `10.0.${i}.1:1`, { gearId: gear1 }),
    add(key, `10.0.${i}.1:2`, { gearId: gear1 }),
    add(key, `10.0.${i}.2:1`, { gearId: gear2 }),
    addAlias(key, `www${i}.x.test`),
  ]);
  const table = tableOf(stateAfter(events, emptyState, rules), rules);
  assert.deepEqual(table.hosts.get('www0.x.test'), { app: 'demo/a', kind: 'alias', viaNodeFrontend: true });
  assert.deepEqual(table.hosts.get('www1.x.test'), { app: 'demo/b', kind: 'alias', viaNodeFrontend: false });
  assert.deepEqual(table.hosts.get('a-demo.apps.test'), {
    app: 'demo/a',
    kind: 'plain',
    viaNodeFrontend: false,
  });
  assert.deepEqual(table.hosts.get('ha-a-demo.apps.test'), {
    app: 'demo/a',
    kind: 'ha',
    viaNodeFrontend: false,
  });
  const route = table.apps.get('demo/a') as { nodeFrontendsHttp: unknown[]; nodeFrontendsHttps: unknown[] };
  assert.deepEqual(
    route.nodeFrontendsHttps,
    ['10.0.0.1', '10.0.0.2'].map((address, i) => ({
      id: `demo/a ${address}:443 tls frontend`,
      gearId: [gear1, gear2][i],
      address,
      port: 443,
      tls: true,
      versions: 'http1',
      verifyTls: false,
    })),
    'one a distinct node',
  );
  assert.equal(route.nodeFrontendsHttp.length, 2);
});

test('a ha- name that the same application also holds as an alias goes to the node frontend, another’s alias does not matter', () => {
  const rules = { ...policy, nodeFrontend: { ...policy.nodeFrontend, aliases: true } };
  const host = 'ha-a-demo.apps.test';
  const kindOf = (events: TableEvent[]) =>
    tableOf(stateAfter(events, emptyState, rules), rules).hosts.get(host);
  assert.deepEqual(kindOf([create('demo/a'), addAlias('demo/a', host)]), {
    app: 'demo/a',
    kind: 'ha',
    viaNodeFrontend: true,
  });
  assert.deepEqual(kindOf([create('demo/a'), addAlias('evil/x', host)]), {
    app: 'demo/a',
    kind: 'ha',
    viaNodeFrontend: false,
  });
});

test('an application’s first alias brings its node frontends, its last one takes them away', () => {
  const rules = { ...policy, nodeFrontend: { ...policy.nodeFrontend, aliases: true } };
  const start = stateAfter([add('demo/a', '10.0.0.1:1')], emptyState, rules);
  const first = changesOf(start, addAlias('demo/a', 'www.x.test'), rules);
  assert.equal(first.apps[0]?.[1]?.nodeFrontendsHttp.length, 1);
  const withAlias = stateAfter([addAlias('demo/a', 'www.x.test')], start, rules);
  assert.equal(changesOf(withAlias, addAlias('demo/a', 'two.x.test'), rules).apps.length, 0);
  const last = changesOf(withAlias, removeAlias('demo/a', 'www.x.test'), rules);
  assert.deepEqual(last.apps[0]?.[1]?.nodeFrontendsHttp, []);
});

test('what crosses to the data plane is plain data', () => {
  const state = stateAfter([add('demo/a', '10.0.0.1:1'), addAlias('demo/a', 'www.x.test')]);
  const changes = project(emptyState, state, state.apps.keys(), policy, load);
  assert.deepEqual(structuredClone(changes), changes);
});

const strict = (over: Partial<TablePolicy['certificates']>): TablePolicy => ({
  ...policy,
  certificates: { ...policy.certificates, ...over },
});

test('scenario 43: a certificate is published with its time of service where the policy says fallback, and without where not', () => {
  const start = stateAfter([addAlias('demo/a', 'www.x.test')]);
  const servedBy = (rules: TablePolicy) =>
    changesOf(start, addSsl('demo/a', 'www.x.test', 'c1'), rules).certificates[0]?.[1]?.served;
  assert.equal(servedBy(policy), undefined);
  assert.deepEqual(servedBy(strict({ expired: 'fallback' })), { from: null, until: 1 });
  assert.deepEqual(servedBy(strict({ notYetValid: 'fallback' })), { from: 0, until: null });
});

test('until when clients can believe a certificate follows from how it was judged: it may hold more names than are remembered', () => {
  const start = stateAfter([addAlias('demo/a', 'www.x.test')]);
  const validUntil = (warnings: readonly string[]) => {
    const event = addSsl('demo/a', 'www.x.test', 'c1');
    assert.ok(event.action === 'add_ssl' && 'certificate' in event);
    const facts = certificateFacts(event.certificate);
    assert.deepEqual([facts.names, facts.notAfter], [[], 1]);
    const certificate = packCertificate({ ...facts, warnings });
    return changesOf(start, { ...event, certificate }).certificates[0]?.[1]?.validUntil;
  };
  assert.equal(validUntil([]), 1);
  assert.equal(validUntil(['CERT_CHAIN_REORDERED']), 1);
  assert.equal(validUntil(['CERT_CHAIN_REORDERED', 'CERT_NAME_MISMATCH']), 0);
});

test('a certificate for other names than its alias is published or not, as the policy says', () => {
  const start = stateAfter([addAlias('demo/a', 'www.x.test')]);
  const event = addSsl('demo/a', 'www.x.test', 'c1');
  assert.ok(event.action === 'add_ssl' && 'certificate' in event);
  const other: TableEvent = {
    ...event,
    certificate: packCertificate({
      ...certificateFacts(event.certificate),
      warnings: ['CERT_NAME_MISMATCH'],
    }),
  };
  assert.equal(changesOf(start, other).certificates.length, 1);
  assert.equal(changesOf(start, other, strict({ nameMismatch: 'fallback' })).certificates.length, 0);
});
