/** The commands that change something by hand or ask for the past, against a real control loop behind a real admin listener. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { controlView } from '../../src/admin/control-view.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { createProvenance } from '../../src/control/provenance.ts';
import { tablePolicyOf } from '../../src/control/table-policy.ts';
import { openStore } from '../../src/store/open-store.ts';
import { startTestAdmin } from '../admin/admin-actor.ts';
import { body, endpointFacts, memoryStore } from '../control/fakes.ts';
import { config, scene } from '../control/scenery.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { memoryIo } from './memory-io.ts';

async function house(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-by-hand-'));
  const store = await openStore({ dir, maxQuarantined: 10, log: memoryLog() });
  const it = scene({ store, now: Date.now }, memoryStore());
  await it.control.recover();
  const policy = tablePolicyOf(config, new Set());
  const actor = await startTestAdmin({
    control: controlView(it.control, policy),
    history: createProvenance(store, it.control.state, policy),
  });
  t.after(async () => {
    await actor.admin.stop();
    await it.control.stop();
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const headgear = async (...args: string[]) => {
    const io = memoryIo();
    const changes = ['pools', 'members', 'aliases'].includes(args[0] ?? '');
    const token = changes ? ['--token-file', join(actor.stateDir, 'admin-token')] : [];
    const code = await runCli([...args, '--admin', actor.url, ...token], io);
    return { code, out: io.lines.join('\n'), err: io.errors.join('\n') };
  };
  return { it, headgear, actor };
}

test('pools, members and aliases are added, listed and deleted by hand', async (t) => {
  const { headgear } = await house(t);
  assert.equal((await headgear('pools', 'add', 'demo/app')).out, 'applied');
  assert.equal((await headgear('pools', 'add', 'demo/app')).out, 'nothing to change');
  assert.equal((await headgear('members', 'add', 'demo/app', '10.0.0.1:35531')).code, 0);
  assert.equal((await headgear('aliases', 'add', 'demo/app', 'www.x.test')).code, 0);
  assert.equal((await headgear('pools')).out, 'demo/app 1 members, 1 aliases');
  assert.equal(
    (await headgear('members', 'list', 'demo/app')).out,
    '10.0.0.1:35531 load_balancer gear unknown (tcp)',
  );
  assert.equal((await headgear('aliases', 'list', 'demo/app')).out, 'www.x.test (served for demo/app)');
  await headgear('members', 'delete', 'demo/app', '10.0.0.1:35531');
  await headgear('aliases', 'delete', 'demo/app', 'www.x.test');
  assert.equal((await headgear('pools', 'list')).out, 'demo/app 0 members, 0 aliases');
  await headgear('pools', 'delete', 'demo/app');
  assert.equal((await headgear('pools', 'list')).out, '');
});

test('what is pinned by hand is marked, stays when events take it away, and is not deleted before it is unpinned', async (t) => {
  const { it, headgear } = await house(t);
  await it.send(body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000)));
  await headgear('members', 'pin', 'demo/app', '10.0.0.1:4000');
  await it.send(body('remove_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000)));
  assert.match((await headgear('members', 'list', 'demo/app')).out, /\(tcp, pinned\)$/);
  const refused = await headgear('members', 'delete', 'demo/app', '10.0.0.1:4000');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /TABLE_PINNED: .*unpin it first/);
  assert.equal((await headgear('members', 'unpin', 'demo/app', '10.0.0.1:4000')).code, 0);
  assert.equal((await headgear('members', 'list', 'demo/app')).out, '');
  await headgear('aliases', 'pin', 'demo/app', 'www.x.test');
  assert.match((await headgear('aliases', 'list', 'demo/app')).out, /pinned/);
});

test('why, changes and table tell what happened, manual doings among it', async (t) => {
  const { it, headgear } = await house(t);
  await it.send(body('add_alias', 'demo/app', { alias: 'www.x.test' }));
  const between = new Date().toISOString();
  await eventually(() => Date.now() > Date.parse(between) + 1, 'the next moment');
  await headgear('members', 'add', 'demo/app', '10.0.0.1:4000');
  const why = await headgear('why', 'www.x.test');
  assert.match(why.out, /^www\.x\.test is served by demo\/app \(alias name\)\n/);
  assert.match(why.out, /alias www\.x\.test: \S+ add_alias from test/);
  assert.match(why.out, /endpoint 10\.0\.0\.1:4000: \S+ add_public_endpoint from manual/);
  assert.match((await headgear('why', 'never.test')).out, /leads nowhere\n {2}no event spoke of it/);
  const changes = await headgear('changes', '--from', '1h');
  assert.match(changes.out, /#1 .*add_alias/);
  assert.match(changes.out, / {2}\+ demo\/app endpoint 10\.0\.0\.1:4000/);
  assert.equal((await headgear('changes', '--from', '1h', '--to', '30m')).out, 'nothing changed');
  assert.match((await headgear('table')).out, /endpoint 10\.0\.0\.1 4000/);
  const then = (await headgear('table', '--at', between)).out;
  assert.equal(then, 'demo/app\n  alias www.x.test');
  assert.equal(JSON.parse((await headgear('table', '--json')).out).apps.length, 1);
});

test('a mistyped verb, endpoint or time is told what it should be, and nothing is asked', async (t) => {
  const { headgear } = await house(t);
  for (const args of [
    ['pools', 'remove', 'demo/app'],
    ['members', 'add', 'demo/app', '10.0.0.1'],
    ['members', 'add', 'demo/app'],
    ['aliases', 'add'],
    ['why'],
    ['changes', '--from', 'yesterday'],
    ['table', '--at', 'soon'],
  ]) {
    const { code, err } = await headgear(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, /See headgear/);
  }
  assert.equal((await headgear('pools', 'add', 'no-app')).code, 1);
});

test('without the token nothing is changed', async (t) => {
  const { it, actor } = await house(t);
  const io = memoryIo({ env: { HEADGEAR_ADMIN_TOKEN: 'guess' } });
  const code = await runCli(['pools', 'add', 'demo/app', '--admin', actor.url], io);
  assert.equal(code, 1);
  assert.match(io.errors.join(), /401: ADMIN_NOT_AUTHORISED/);
  assert.equal(it.control.state().apps.size, 0);
});

test('a freeze holds back what events would change until the thaw, is shown, and needs the token', async (t) => {
  const { it, headgear, actor } = await house(t);
  const publications = (): number => it.plane.changes.length;
  const token = ['--token-file', join(actor.stateDir, 'admin-token')];
  const nobody = await headgear('freeze', '--token-file', join(actor.stateDir, 'no-such-file'));
  assert.notEqual(nobody.code, 0);
  assert.equal((await headgear('freeze', ...token)).code, 0);
  const before = publications();
  await it.send(body('add_public_endpoint', 'demo/app', endpointFacts('10.0.0.1', 4000)));
  assert.match(
    (await headgear('members', 'list', 'demo/app')).out,
    /^10\.0\.0\.1:4000 /,
    'known and durable',
  );
  assert.equal(publications(), before, 'not published');
  assert.equal((await headgear('thaw', ...token)).code, 0);
  await eventually(() => publications() > before, 'the publication of what was held back');
});
