import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { controlView } from '../../src/admin/control-view.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { tablePolicyOf } from '../../src/control/table-policy.ts';
import { startTestAdmin } from '../admin/admin-actor.ts';
import { body, endpointFacts } from '../control/fakes.ts';
import { config, scene } from '../control/scenery.ts';
import { testCertificate } from '../support/certificates.ts';
import { brokerEndpoint, startOpenShiftBroker } from '../support/openshift-broker.ts';
import { memoryIo } from './memory-io.ts';

const GEAR = '542b72abafec2de3aa000009';

/** A Headgear's control plane behind a real admin listener. */
async function headgear(t: TestContext) {
  const it = scene();
  await it.control.recover();
  const policy = tablePolicyOf(config, new Set());
  const { admin, url, stateDir } = await startTestAdmin({ control: controlView(it.control, policy) });
  t.after(async () => {
    await admin.stop();
    await it.control.stop();
  });
  const reconcile = async (from: string, ...args: string[]) => {
    const io = memoryIo({ env: {} });
    const tokenFile = join(stateDir, 'admin-token');
    const code = await runCli(
      ['reconcile', '--from', from, '--admin', url, '--token-file', tokenFile, ...args],
      io,
    );
    return { code, text: [...io.lines, ...io.errors].join('\n') };
  };
  return { ...it, url, reconcile };
}

const endpoint = (app: string, address: string, port: number) =>
  body('add_public_endpoint', app, endpointFacts(address, port));

test('reconcile with OpenShift shows the difference, applies it when told to, and keeps certificates', async (t) => {
  const broker = await startOpenShiftBroker();
  t.after(broker.stop);
  const it = await headgear(t);
  const { chainPem, privateKeyPem } = testCertificate(['www.x.test']);
  await it.send(
    endpoint('shop/store', '10.0.0.1', 4000),
    endpoint('shop/store', '10.0.0.9', 4009),
    body('add_alias', 'shop/store', { alias: 'www.x.test' }),
    body('add_ssl', 'shop/store', {
      alias: 'www.x.test',
      ssl: chainPem,
      private_key: privateKeyPem,
      pass_phrase: null,
    }),
  );
  broker.applications = [
    {
      name: 'Store',
      namespace: 'shop',
      scalable: true,
      aliases: ['www.x.test', 'new.x.test'],
      gears: { [GEAR]: [brokerEndpoint('10.0.0.1', 4000), brokerEndpoint('10.0.0.2', 4001)] },
    },
  ];
  const from = `openshift:${broker.url}`;
  const before = it.control.state();
  const shown = await it.reconcile(from);
  assert.equal(shown.code, 0, shown.text);
  assert.match(shown.text, /\+ add_public_endpoint shop\/store 10\.0\.0\.2:4001/);
  assert.match(shown.text, /\+ add_alias shop\/store new\.x\.test/);
  assert.match(shown.text, /to be deleted:\n- remove_public_endpoint shop\/store 10\.0\.0\.9:4009/);
  assert.equal(it.control.state(), before);

  const refused = await it.reconcile(from, '--apply');
  assert.equal(refused.code, 1);
  assert.match(refused.text, /nothing was applied: 1 of 4 would be deleted/);
  assert.equal(it.control.state(), before);

  const applied = await it.reconcile(from, '--apply', '--max-delete', '30');
  assert.equal(applied.code, 0, applied.text);
  assert.match(applied.text, /applied 3 of 3/);
  const app = it.control.state().apps.get('shop/store');
  assert.deepEqual(
    app?.endpoints.map(({ address }) => address),
    ['10.0.0.1', '10.0.0.2'],
  );
  assert.ok(app?.aliases.find(({ alias }) => alias === 'www.x.test')?.certificate);
  assert.match((await it.reconcile(from)).text, /0 to add or change, 0 to delete/);
});

test('endpoints that OpenShift lost after a move are kept', async (t) => {
  const broker = await startOpenShiftBroker();
  t.after(broker.stop);
  const it = await headgear(t);
  await it.send(endpoint('shop/store', '10.0.0.1', 4000));
  broker.applications = [
    { name: 'store', namespace: 'shop', scalable: true, aliases: [], gears: { [GEAR]: [] } },
  ];
  const { text } = await it.reconcile(`openshift:${broker.url}`, '--apply', '--force');
  assert.match(text, /SOURCES_NO_ENDPOINTS/);
  assert.equal(it.control.state().apps.get('shop/store')?.endpoints.length, 1);
});

test('another Headgear is a source, and two that agree show no difference', async (t) => {
  const [first, second] = [await headgear(t), await headgear(t)];
  await first.send(
    endpoint('shop/store', '10.0.0.1', 4000),
    body('add_alias', 'shop/store', { alias: 'a.test' }),
  );
  await second.send(endpoint('old/app', '10.0.0.7', 4000));
  const from = `headgear:${first.url}`;
  const compare = async () => {
    const io = memoryIo();
    return { code: await runCli(['digest', first.url, second.url], io), lines: io.lines };
  };
  const differ = await compare();
  assert.deepEqual([differ.code, differ.lines.at(-1)], [1, 'they differ']);
  const guarded = await second.reconcile(from, '--apply');
  assert.match(guarded.text, /- delete_application old\/app/);
  assert.match(guarded.text, /2 of 2 would be deleted/);
  const { code, text } = await second.reconcile(from, '--apply', '--force');
  assert.equal(code, 0, text);
  assert.deepEqual([...second.control.state().apps.keys()], ['shop/store']);
  const agree = await compare();
  assert.equal(agree.code, 0, agree.lines.join('\n'));
  assert.match(agree.lines[0] ?? '', /^[0-9a-f]{32} 127\.0\.0\.1:\d+ \(1 applications/);
  assert.match((await second.reconcile(from)).text, /0 to add or change, 0 to delete/);
});

test('a file of events is played to its end, with its certificates', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-events-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const it = await headgear(t);
  const { chainPem, privateKeyPem } = testCertificate(['www.x.test']);
  const file = join(dir, 'events.yml');
  const ssl = { alias: 'www.x.test', ssl: chainPem, private_key: privateKeyPem, pass_phrase: null };
  const events = [
    endpoint('shop/store', '10.0.0.1', 4000),
    endpoint('shop/gone', '10.0.0.2', 4000),
    body('add_alias', 'shop/store', { alias: 'www.x.test' }),
    body('add_ssl', 'shop/store', ssl),
    body('delete_application', 'shop/gone'),
    body('add_alias', 'shop/store', { alias: '*' }),
  ];
  writeFileSync(file, Buffer.concat(events));
  const { code, text } = await it.reconcile(`file:${file}`, '--apply');
  assert.equal(code, 0, text);
  assert.match(text, /events\.yml, event 6: .*SPI_ALIAS_INVALID/);
  assert.doesNotMatch(text, /PRIVATE KEY|shop\/gone/);
  assert.ok(it.control.state().apps.get('shop/store')?.aliases[0]?.certificate);
  assert.match((await it.reconcile(`file:${file}`)).text, /0 to add or change, 0 to delete/);
});

test('a source or option that makes no sense is refused before anything is asked', async (t) => {
  const it = await headgear(t);
  for (const args of [
    ['elsewhere:x'],
    ['openshift:ftp://x'],
    ['openshift:https://user:secret@broker.test/'],
    ['file:x', '--max-delete', '101'],
    ['file:x', '--apply', '--dry-run'],
    ['openshift:https://broker.test/', '--user', 'admin'],
  ]) {
    const { code, text } = await it.reconcile(args[0] ?? '', ...args.slice(1));
    assert.equal(code, 2, args.join(' '));
    assert.doesNotMatch(text, /secret/);
  }
  const missing = await it.reconcile('file:/nonexistent/events.yml', '--apply');
  assert.equal(missing.code, 1);
});
