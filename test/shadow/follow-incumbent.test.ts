import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { tablePolicyOf } from '../../src/control/table-policy.ts';
import { followIncumbent } from '../../src/shadow/follow-incumbent.ts';
import type { AppRoute, PublishedEndpoint, TableChanges } from '../../src/table/routing-table.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { nginxFolder } from '../support/nginx-folder.ts';

const POOL = 'pool_ose_store_shop_80';
const HOST = 'ha-store-shop.apps.test';

const endpoint = (address: string, port: number): PublishedEndpoint => ({
  ...{ id: `${address}:${port}`, gearId: 'g', address, port },
  ...{ tls: false, versions: 'http1', verifyTls: false },
});
const routeTo = (...endpoints: PublishedEndpoint[]): AppRoute => ({
  ...{ app: 'shop/store', name: 'store-shop.apps.test', endpoints },
  ...{ nodeFrontendsHttp: [], nodeFrontendsHttps: [], passThrough: [] },
});
const appIs = (route: AppRoute | null): TableChanges => ({
  generation: 1,
  apps: [['shop/store', route]],
  hosts: [[HOST, route && { app: 'shop/store', kind: 'ha', viaNodeFrontend: false }]],
  certificates: [],
});

function scene(t: TestContext, settleMs = 0, scanIntervalMs = 3_600_000) {
  const nginx = nginxFolder();
  nginx.pool(POOL, ['10.0.0.1:4000']);
  nginx.alias(POOL, HOST);
  const config = configSchema.parse({
    cloudDomain: 'apps.test',
    listeners: {},
    endpoints: { addressMap: { '10.0.0.7': '192.168.0.7' } },
  });
  const log = memoryLog();
  const metrics = memoryMetrics();
  const incumbent = followIncumbent({
    nginxConfDir: nginx.dir,
    config: { settleMs, scanIntervalMs },
    policy: tablePolicyOf(config, new Set()),
    fingerprintOf: (_app, _alias, id) => id,
    log,
    metrics,
  });
  t.after(async () => {
    await incumbent.stop();
    nginx.remove();
  });
  const differs = () =>
    [...incumbent.differing()].flatMap(({ host, deviations }) =>
      deviations.map(({ kind, subject }) => `${host} ${kind} ${subject}`.trimEnd()),
    );
  const becomes = (...expected: string[]) =>
    eventually(() => JSON.stringify(differs().sort()) === JSON.stringify(expected.sort()), `${expected}`);
  return { nginx, incumbent, log, metrics, differs, becomes };
}

test('what changes on either side is compared host by host', async (t) => {
  const { nginx, incumbent, becomes, metrics } = scene(t);
  await becomes(`${HOST} missing`);
  assert.equal(metrics.value('shadow_differing_hosts'), 1);
  incumbent.changed(appIs(routeTo(endpoint('10.0.0.1', 4000))));
  await becomes();
  nginx.pool(POOL, ['10.0.0.1:4000', '10.0.0.2:4000', '10.0.0.7:4000']);
  await becomes(`${HOST} endpoint-missing 10.0.0.2:4000`, `${HOST} endpoint-missing 192.168.0.7:4000`);
  incumbent.changed(
    appIs(routeTo(endpoint('10.0.0.2', 4000), endpoint('10.0.0.1', 4000), endpoint('192.168.0.7', 4000))),
  );
  await becomes();
  nginx.alias(POOL, 'www.example.com');
  await becomes('www.example.com missing');
  rmSync(join(nginx.dir, `alias_${POOL}_www.example.com.conf`));
  rmSync(join(nginx.dir, `alias_${POOL}_${HOST}.conf`));
  await becomes(`${HOST} extra`);
  incumbent.changed(appIs(null));
  await becomes();
  assert.equal(metrics.value('shadow_differing_hosts'), 0);
});

test('certificates are compared by their files, also when only these are replaced', async (t) => {
  const { nginx, incumbent, becomes } = scene(t);
  const [one, two] = [testCertificate(['www.example.com'], 1), testCertificate(['www.example.com'], 2)];
  const fingerprint = (pem: string) =>
    new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
  nginx.alias(POOL, 'www.example.com', one);
  const route = routeTo(endpoint('10.0.0.1', 4000));
  const certificate = (pem: string): TableChanges['certificates'] => [
    [
      'www.example.com',
      {
        id: fingerprint(pem),
        app: 'shop/store',
        alias: 'www.example.com',
        sealed: new Uint8Array(),
      },
    ],
  ];
  incumbent.changed({
    ...appIs(route),
    hosts: [
      ...appIs(route).hosts,
      ['www.example.com', { app: 'shop/store', kind: 'alias', viaNodeFrontend: false }],
    ],
    certificates: certificate(one.chainPem),
  });
  await eventually(() => incumbent.status().readAt !== null, 'a first look');
  await becomes();
  writeFileSync(join(nginx.dir, 'www.example.com.crt'), two.chainPem);
  await becomes(
    `www.example.com certificate ${fingerprint(one.chainPem)} instead of ${fingerprint(two.chainPem)}`,
  );
  incumbent.changed({ ...appIs(route), certificates: certificate(two.chainPem) });
  await becomes();
  writeFileSync(join(nginx.dir, 'www.example.com.crt'), 'no certificate');
  await becomes(`www.example.com certificate ${fingerprint(two.chainPem)} instead of unreadable`);
});

test('the log tells of a host when it begins and ceases to differ, and is silent otherwise', async (t) => {
  const { nginx, incumbent, log, becomes } = scene(t, 0, 100);
  await becomes(`${HOST} missing`);
  const looks = new Set<number | null>();
  await eventually(() => looks.add(incumbent.status().readAt).size > 5, 'more looks at the folder');
  incumbent.changed(appIs(routeTo(endpoint('10.0.0.1', 4000))));
  await becomes();
  await eventually(() => log.lines.length === 2, 'both lines');
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields.code, fields.host]),
    [
      ['warn', 'SHADOW_DIFFERS', HOST],
      ['info', 'SHADOW_AGREES', HOST],
    ],
  );
  assert.deepEqual(log.lines[0]?.fields.how, ['nginx serves it, Headgear would not']);
  for (let i = 0; i < 50; i += 1) nginx.alias(POOL, `a${i}.example.com`);
  await eventually(() => incumbent.status().differingHosts === 50, 'all of them');
  const about = log.lines.slice(2);
  assert.ok(about.length < 50, `${about.length} lines`);
  assert.ok(about.some(({ fields }) => fields.code === 'SHADOW_MORE'));
});

test('a difference that has not lasted is none', async (t) => {
  const { incumbent, differs, log } = scene(t, 3_600_000);
  await eventually(() => incumbent.status().settling === 1, 'the difference to be seen');
  assert.deepEqual([differs(), log.lines], [[], []]);
  incumbent.changed(appIs(routeTo(endpoint('10.0.0.1', 4000))));
  await eventually(() => incumbent.status().settling === 0, 'the difference to be over');
});

test('a folder that goes away is told once, forgets nothing, and is followed again when it is back', async (t) => {
  const { nginx, incumbent, log, becomes } = scene(t, 0, 100);
  await becomes(`${HOST} missing`);
  const away = `${nginx.dir}-away`;
  renameSync(nginx.dir, away);
  t.after(() => rmSync(away, { recursive: true, force: true }));
  await eventually(() => incumbent.status().trouble, 'the trouble to be seen');
  await becomes(`${HOST} missing`);
  renameSync(away, nginx.dir);
  await eventually(() => incumbent.status().trouble === null, 'the folder to be back');
  nginx.pool(POOL, []);
  await becomes();
  const codes = log.lines.map(({ fields }) => fields.code);
  assert.equal(codes.filter((code) => code === 'SHADOW_FOLDER_UNREADABLE').length, 1);
});

test('names that cannot be compared and files that cannot be read are named', async (t) => {
  const { nginx, incumbent } = scene(t);
  nginx.file('big.conf', '#'.repeat(1_048_577));
  nginx.file('alias_by_hand.conf', `server { server_name *.example.com; proxy_pass http://${POOL}; }`);
  await eventually(() => incumbent.status().problems.length === 2, 'both problems');
  assert.deepEqual(
    incumbent.status().problems.map(({ code }) => code),
    ['SOURCES_UNREADABLE', 'SOURCES_NOT_MAPPED'],
  );
});
