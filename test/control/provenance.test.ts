/** The journal on the real store: why, what changed, and what the table was. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { createProvenance } from '../../src/control/provenance.ts';
import { tablePolicyOf } from '../../src/control/table-policy.ts';
import { emptyTransaction } from '../../src/store/empty-transaction.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/types.ts';
import { recordChanges, undoChange } from '../../src/table/record-changes.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { eventIn, sharedWorld } from '../table/arbitrary-events.ts';
import { stateAfter } from '../table/scenery.ts';
import { body, delivery, endpointFacts, memoryStore } from './fakes.ts';
import { config, policyWithGrace, scene } from './scenery.ts';

const alias = 'www.x.test';
const { chainPem, privateKeyPem } = testCertificate([alias]);
const policy = tablePolicyOf(config, new Set());

const bare = {
  ...{ key: 'demo/app', appName: 'app', namespace: 'demo', scalable: null, ha: null, headGearId: null },
  ...{ endpoints: [], aliases: [] },
} as const;
const endpointRecord = {
  ...{ gearId: 'g', cartridge: 'haproxy-1.4', address: '10.0.0.1', protocols: ['http'] },
  ...{ types: ['load_balancer'], mappings: [] },
} as const;

interface House {
  readonly store: Store;
  readonly it: ReturnType<typeof scene>;
  readonly provenance: ReturnType<typeof createProvenance>;
  send(...bodies: Buffer[]): Promise<void>;
  stop(): Promise<void>;
  clock: number;
}

async function house(
  t: TestContext,
  dir = folder(t),
  journal = { maxAgeMs: 1e12, maxBytes: 1e8 },
): Promise<House> {
  const now = () => here.clock;
  const store = await openStore({ dir, maxQuarantined: 10, log: memoryLog(), journal, now });
  const it = scene({ store, now, policy: policyWithGrace(0) }, memoryStore());
  const here: House = {
    store,
    it,
    provenance: createProvenance(store, it.control.state, policy),
    clock: 1_000_000,
    async send(...bodies) {
      for (const one of bodies) {
        here.clock += 1_000;
        const sent = delivery(one, {
          messageId: `m${here.clock}`,
          sentAt: here.clock - 5,
          receivedAt: here.clock,
        });
        it.control.deliver(sent);
        await eventually(() => sent.acks() === 1, 'the ack');
      }
    },
    async stop() {
      await it.control.stop();
      await store.close();
    },
  };
  here.clock = 1_000_000;
  await it.control.recover();
  return here;
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-provenance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const addSsl = body('add_ssl', 'demo/app', {
  alias,
  ssl: chainPem,
  private_key: privateKeyPem,
  pass_phrase: null,
});
const life = [
  body('create_application', 'demo/app', { scalable: true, ha: false }),
  body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000)),
  body('add_alias', 'demo/app', { alias }),
  addSsl,
];

test('why says for each part of a route which event made it: time, source, message id, time stamp; also over a restart', async (t) => {
  const dir = folder(t);
  const first = await house(t, dir);
  await first.send(...life);
  await first.stop();
  const here = await house(t, dir);
  const why = await here.provenance.why(alias);
  assert.equal(why.now?.route.app, 'demo/app');
  assert.deepEqual(
    why.because.map(({ what, event }) => [
      what,
      event?.action,
      event?.messageId,
      event?.sentAt,
      event?.source,
    ]),
    [
      ['application demo/app', 'create_application', 'm1001000', 1_000_995, 'test'],
      [`alias ${alias}`, 'add_alias', 'm1003000', 1_002_995, 'test'],
      [`certificate of ${alias}`, 'add_ssl', 'm1004000', 1_003_995, 'test'],
      ['endpoint 10.0.0.1:4000', 'add_public_endpoint', 'm1002000', 1_001_995, 'test'],
    ],
  );
  await here.stop();
});

test('why of a host that leads nowhere any more says which event took it away', async (t) => {
  const here = await house(t);
  await here.send(
    ...life,
    body('remove_alias', 'demo/app', { alias }),
    body('delete_application', 'demo/app'),
  );
  assert.equal((await here.provenance.why(alias)).lastMention?.action, 'remove_alias');
  assert.equal((await here.provenance.why('app-demo.apps.test')).lastMention?.action, 'delete_application');
  assert.equal((await here.provenance.why('never.test')).lastMention, null);
  assert.equal(here.store.originsOf('demo/app').size, 0, 'no origin outlives what it is the origin of');
  await here.stop();
});

test('changes lists what changed between two times, oldest first, and at most so many of the latest', async (t) => {
  const here = await house(t);
  await here.send(...life);
  const all = await here.provenance.changes(0, 2e9, 100);
  assert.deepEqual(
    all.entries.map(({ action, at }) => [action, at]),
    [
      ['create_application', 1_001_000],
      ['add_public_endpoint', 1_002_000],
      ['add_alias', 1_003_000],
      ['add_ssl', 1_004_000],
    ],
  );
  assert.equal(all.cut, false);
  const some = await here.provenance.changes(1_002_000, 1_003_000, 100);
  assert.deepEqual(
    some.entries.map(({ action }) => action),
    ['add_public_endpoint', 'add_alias'],
  );
  const latest = await here.provenance.changes(0, 2e9, 1);
  assert.deepEqual([latest.entries.map(({ action }) => action), latest.cut], [['add_ssl'], true]);
  await here.stop();
});

test('the table as of a time is what it was then, certificates by fingerprint', async (t) => {
  const here = await house(t);
  await here.send(...life, body('remove_ssl', 'demo/app', { alias }), body('delete_application', 'demo/app'));
  const at = async (time: number) => {
    const past = await here.provenance.tableAt(time);
    assert.ok(past);
    const apps = [...past.apps];
    assert.equal(apps.length, past.total);
    return apps;
  };
  assert.deepEqual(await at(1_000_500), []);
  const [then] = await at(1_004_500);
  assert.equal(then?.endpoints[0]?.port, 4000);
  assert.match(then?.aliases[0]?.certificate?.fingerprint ?? '', /^[0-9a-f:]{64,}$/i);
  assert.equal((await at(1_005_500))[0]?.aliases[0]?.certificate, null);
  assert.deepEqual(await at(1_006_000), []);
  await here.stop();
});

test('the table as of a time has endpoints and aliases in the order that they had, whatever went and came since', async (t) => {
  const here = await house(t);
  const facts = (port: number) => endpointFacts('10.0.0.1', port);
  const ports = [4000, 4001, 4002, 4003, 4004];
  const aliases = ['c.x.test', 'a.x.test', 'b.x.test'];
  await here.send(
    ...ports.map((port) => body('add_public_endpoint', 'demo/app', facts(port))),
    ...aliases.map((name) => body('add_alias', 'demo/app', { alias: name })),
  );
  const whole = here.clock;
  await here.send(
    body('remove_public_endpoint', 'demo/app', facts(4003)),
    body('remove_public_endpoint', 'demo/app', facts(4001)),
    body('remove_alias', 'demo/app', { alias: 'a.x.test' }),
    body('add_public_endpoint', 'demo/app', facts(4009)),
    body('add_public_endpoint', 'demo/app', facts(4001)),
    body('remove_public_endpoint', 'demo/app', facts(4000)),
  );
  const late = here.clock;
  await here.send(body('delete_application', 'demo/app'));
  const at = async (time: number) => {
    const [app] = (await here.provenance.tableAt(time))?.apps ?? [];
    return [app?.endpoints.map(({ port }) => port), app?.aliases.map((one) => one.alias)];
  };
  assert.deepEqual(await at(whole), [ports, aliases]);
  assert.deepEqual(await at(late), [
    [4002, 4004, 4009, 4001],
    ['c.x.test', 'b.x.test'],
  ]);
  await here.stop();
});

test('what a journal of before places were recorded says went, comes back at the end', () => {
  const [first, second] = [4000, 4001].map((port) => ({ ...endpointRecord, port }));
  assert.ok(first !== undefined && second !== undefined);
  const app = { ...bare, endpoints: [second] };
  const change = {
    kind: 'endpoint',
    app: bare.key,
    endpoint: '10.0.0.1:4000',
    before: first,
    after: null,
  } as const;
  assert.deepEqual(undoChange(app, change)?.endpoints, [second, first]);
  assert.deepEqual(undoChange(app, { ...change, place: 0 })?.endpoints, [first, second]);
});

test('the journal never holds a key or a pass phrase, not even of what was refused', async (t) => {
  const here = await house(t);
  const secret = 'correct horse battery staple';
  const bad = body('add_ssl', 'demo/app', {
    alias,
    ssl: 'no certificate',
    private_key: privateKeyPem,
    pass_phrase: secret,
  });
  await here.send(...life, bad);
  const said = JSON.stringify([here.store.journalPage(null, 100), [...here.store.originsOf('demo/app')]]);
  const keyLine = privateKeyPem.split('\n')[5] ?? '';
  assert.ok(keyLine.length > 20);
  for (const text of [secret, 'PRIVATE KEY', keyLine]) assert.equal(said.includes(text), false, text);
  await here.stop();
});

test('no key outlives its certificate in the store, though the journal remembers the certificate', async (t) => {
  const here = await house(t);
  await here.send(...life, body('remove_ssl', 'demo/app', { alias }));
  assert.equal(here.store.certificate('demo/app', alias), null);
  const [latest] = here.store.journalPage(null, 1);
  assert.equal(latest?.changes[0]?.kind, 'alias');
  await here.stop();
});

test('the journal is bounded by size and by age, the oldest goes first, and a table beyond it is said to be out of reach', async (t) => {
  const dir = folder(t);
  const here = await house(t, dir, { maxAgeMs: 1e12, maxBytes: 3_000 });
  await here.send(...life);
  for (let port = 5000; port < 5040; port += 1)
    await here.send(body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', port)));
  const entries = here.store.journalPage(null, 1_000);
  assert.ok(JSON.stringify(entries).length < 3_200);
  assert.ok(entries.length >= 2);
  assert.equal(entries[0]?.number, 44);
  assert.equal(await here.provenance.tableAt(1_001_500), null);
  assert.ok(await here.provenance.tableAt(here.clock));
  const why = await here.provenance.why(alias);
  assert.ok(
    why.because.every(({ event }) => event !== null),
    'origins of what still exists stay',
  );
  await here.stop();
  const aged = await house(t, dir, { maxAgeMs: 1_500, maxBytes: 1e8 });
  aged.clock = 9_000_000;
  await aged.send(body('add_alias', 'demo/app', { alias: 'late.test' }));
  assert.deepEqual(
    aged.store.journalPage(null, 10).map(({ subject }) => subject),
    ['late.test'],
  );
  await aged.stop();
});

test('times in the journal never fall, though the clock is set back', async (t) => {
  const here = await house(t);
  await here.send(...life.slice(0, 2));
  here.clock = 5;
  await here.send(...life.slice(2));
  const times = here.store.journalPage(null, 10).map(({ at }) => at);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  );
  await here.stop();
});

test('whatever comes, taking back what was recorded of it, from the latest on, gives every state before it, in its order', () => {
  fc.assert(
    fc.property(fc.array(eventIn(sharedWorld), { maxLength: 25 }), (events) => {
      let state = stateAfter([]);
      const steps = events.map((event) => {
        const before = state;
        state = stateAfter([event], before);
        return { before, changes: recordChanges(before, state, sharedWorld.apps) };
      });
      const records = new Map(sharedWorld.apps.map((key) => [key, state.apps.get(key) ?? null]));
      for (const { before, changes } of steps.toReversed()) {
        for (const change of changes.toReversed())
          records.set(change.app, undoChange(records.get(change.app) ?? null, change));
        for (const key of sharedWorld.apps) {
          assert.deepEqual(records.get(key) ?? null, before.apps.get(key) ?? null);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('a state folder from before the journal works: what is older is said to be', async (t) => {
  const dir = folder(t);
  const here = await house(t, dir);
  await here.store.commit({
    ...emptyTransaction(1, 1),
    apps: [
      [
        'demo/old',
        {
          key: 'demo/old',
          appName: 'old',
          namespace: 'demo',
          scalable: null,
          ha: null,
          headGearId: null,
          endpoints: [],
          aliases: [],
        },
      ],
    ],
  });
  await here.stop();
  const again = await house(t, dir);
  const why = await again.provenance.why('old-demo.apps.test');
  assert.deepEqual(why.because, [{ what: 'application demo/old', event: null }]);
  await again.stop();
});
