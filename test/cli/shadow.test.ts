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
  nginx.pool('pool_ose_store_shop_80', ['10.0.0.1:4000', '10.0.0.2:4000']);
  const file = join(dir, 'headgear.json');
  const config = {
    cloudDomain: 'apps.test',
    listeners: { http: [{ port: 1 }] },
    admin: { port: 0 },
    stateDir: './state',
  };
  writeFileSync(file, JSON.stringify(config));
  const child = await startHeadgearCommand(['run', '--config', file, '--shadow'], { cwd: dir });
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
});
