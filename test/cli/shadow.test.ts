import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../../src/cli/run-cli.ts';
import { eventually } from '../support/eventually.ts';
import { PATIENCE_MS, startHeadgearCommand } from '../support/headgear-process.ts';
import { nginxFolder } from '../support/nginx-folder.ts';
import { memoryIo } from './memory-io.ts';

test('a shadow follows events without serving, and says what it would route otherwise than nginx', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-shadow-'));
  const nginx = nginxFolder();
  const pool = 'pool_ose_store_shop_80';
  nginx.pool(pool, ['10.0.0.1:4000', '10.0.0.2:4000']);
  nginx.alias(pool, 'ha-store-shop.apps.test');
  const file = join(dir, 'headgear.json');
  const config = {
    cloudDomain: 'apps.test',
    listeners: { http: [{ port: 1 }] },
    admin: { port: 0 },
    stateDir: './state',
    shadow: { nginxConfDir: './nowhere', settleMs: 200 },
  };
  writeFileSync(file, JSON.stringify(config));
  const args = ['run', '--config', file, '--shadow', '--nginx-confdir', nginx.dir];
  const child = await startHeadgearCommand(args, { cwd: dir });
  t.after(async () => {
    await child.end('SIGKILL');
    nginx.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const line = await eventually(
    () => {
      assert.ok(child.running, child.stderr());
      return child
        .stderr()
        .split('\n')
        .find((text) => text.includes('"message":"ready"'));
    },
    'ready',
    PATIENCE_MS,
  );
  const ready = JSON.parse(line) as { http: object[]; admin: { port: number } };
  assert.deepEqual(ready.http, []);
  assert.deepEqual([existsSync(join(dir, 'state')), existsSync(join(dir, 'state-shadow'))], [false, true]);

  const admin = `http://127.0.0.1:${ready.admin.port}`;
  const event = {
    action: 'add_public_endpoint',
    app_name: 'store',
    namespace: 'shop',
    gear_id: '542b72abafec2de3aa000009',
    public_address: '10.0.0.1',
    public_port: 4000,
    protocols: ['http'],
    types: ['load_balancer'],
  };
  const token = readFileSync(join(dir, 'state-shadow', 'admin-token'), 'utf8').trim();
  const answer = await fetch(`${admin}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(event),
  });
  assert.equal(answer.status, 200, await answer.text());
  const io = memoryIo();
  assert.equal(await runCli(['reconcile', '--from', `nginx:${nginx.dir}`, '--admin', admin], io), 0);
  assert.deepEqual(io.lines.slice(0, 1), ['+ add_public_endpoint shop/store 10.0.0.2:4000 load_balancer']);
  assert.match(io.lines.at(-1) ?? '', /1 to add or change, 0 to delete/);

  const shadow = async () => {
    const said = memoryIo();
    const code = await runCli(['shadow', '--admin', admin], said);
    return { code, lines: said.lines };
  };
  const differing = await eventually(async () => {
    const answer = await shadow();
    return answer.lines.length > 1 && answer;
  }, 'the difference to count');
  assert.equal(differing.code, 1);
  assert.equal(differing.lines[0], 'ha-store-shop.apps.test (shop/store)');
  assert.match(differing.lines[1] ?? '', /^ {2}nginx sends to 10\.0\.0\.2:4000, Headgear would not, since /);
  assert.match(await (await fetch(`${admin}/metrics`)).text(), /^headgear_shadow_differing_hosts 1$/m);
  nginx.pool(pool, ['10.0.0.1:4000']);
  await eventually(async () => (await shadow()).code === 0, 'both to agree');
});

test('a shadow says at its start that there is no such folder', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-shadow-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'headgear.json');
  const config = {
    cloudDomain: 'apps.test',
    listeners: { http: [{ port: 1 }] },
    shadow: { nginxConfDir: './nowhere' },
  };
  writeFileSync(file, JSON.stringify(config));
  const child = await startHeadgearCommand(['run', '--config', file, '--shadow'], { cwd: dir });
  t.after(() => child.end('SIGKILL'));
  await eventually(() => !child.running, 'the end', PATIENCE_MS);
  assert.match(child.stderr(), /shadow\.nginxConfDir.*nowhere does not exist/);
});
