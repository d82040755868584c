import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runCli } from '../../src/cli/run-cli.ts';
import { openStore } from '../../src/store/open-store.ts';
import { testCertificate } from '../support/certificates.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { nginxFolder } from '../support/nginx-folder.ts';
import { memoryIo } from './memory-io.ts';

const POOL = 'pool_ose_store_shop_80';
const alias = 'www.example.com';

function home(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-import-'));
  const folder = nginxFolder();
  t.after(() => {
    rmSync(dir, { recursive: true, force: true });
    folder.remove();
  });
  const conf = join(dir, 'routing-daemon.conf');
  writeFileSync(
    conf,
    `CLOUD_DOMAIN=apps.test\nACTIVEMQ_PASSWORD=sesame\nNGINX_CONFDIR=${folder.dir}\nSOMETHING_ELSE=1\n`,
  );
  const stateDir = join(dir, 'state');
  const importing = async (...args: string[]) => {
    const io = memoryIo({ terminal: true });
    const code = await runCli(['import', conf, '--state-dir', stateDir, ...args], io);
    return { code, io, text: [...io.lines, ...io.errors].join('\n') };
  };
  const stored = async () => {
    const store = await openStore({ dir: stateDir, maxQuarantined: 10, log: memoryLog() });
    const { apps } = store.recover();
    const certificate = store.certificate('shop/store', alias);
    const quarantined = store.quarantined(10);
    await store.close();
    return { apps, certificate, quarantined };
  };
  return { dir, folder, conf, stateDir, importing, stored };
}

test('import brings the folder into the state, and a second time changes nothing', async (t) => {
  const { folder, importing, stored, dir } = home(t);
  folder.pool(POOL, ['10.0.0.1:4000']);
  folder.alias(POOL, 'ha-store-shop.apps.test');
  folder.alias(POOL, alias, testCertificate([alias]));
  const written = join(dir, 'headgear.json');
  const first = await importing('--write', written);
  assert.equal(first.code, 0, first.text);
  assert.match(first.text, /imported 1 applications, 1 aliases; of 4 events 4 changed the state/);
  assert.match(first.text, /SOMETHING_ELSE: is no key/);
  assert.match(first.io.drawn.join(''), /importing \[#+\] 4\/4 100 %/);
  assert.doesNotMatch(first.text, /sesame|PRIVATE KEY/);
  assert.equal(statSync(written).mode & 0o777, 0o600);
  assert.match(readFileSync(written, 'utf8'), /"passcode": "sesame"/);

  const { apps, certificate } = await stored();
  assert.deepEqual(
    apps.map(({ key, endpoints, aliases }) => [
      key,
      endpoints.map(({ port }) => port),
      aliases.map((one) => one.alias),
    ]),
    [['shop/store', [4000], [alias]]],
  );
  assert.ok((certificate?.sealed.length ?? 0) > 0);

  const again = await importing('--config', written);
  assert.equal(again.code, 0, again.text);
  assert.match(again.text, /4 were known/);
  const refused = await importing('--write', written);
  assert.equal(refused.code, 1);
  assert.match(refused.text, /exists already/);
});

test('a certificate that is refused is said, kept in quarantine, and makes the exit code 1', async (t) => {
  const { folder, importing, stored } = home(t);
  folder.pool(POOL, ['10.0.0.1:4000']);
  const { chainPem } = testCertificate([alias]);
  folder.alias(POOL, alias, { chainPem, privateKeyPem: 'none' });
  const { code, text, io } = await importing();
  assert.equal(code, 1);
  assert.match(text, /not taken over: add_ssl shop\/store www\.example\.com: .*\(PEM_/);
  // The configuration is all that goes to standard output, and it is whole but for the passcode.
  const config = JSON.parse(io.lines.join('\n')) as { cloudDomain: string };
  assert.equal(config.cloudDomain, 'apps.test');
  assert.doesNotMatch(text, /sesame/);
  const { apps, certificate, quarantined } = await stored();
  assert.deepEqual([apps.length, certificate, quarantined.length], [1, null, 1]);
});

test('a dry run writes nothing and says what would come of it', async (t) => {
  const { folder, importing, dir } = home(t);
  folder.pool(POOL, ['10.0.0.1:4000', '127.0.0.1:1']);
  const { code, text } = await importing('--dry-run', '--write', join(dir, 'headgear.json'));
  assert.equal(code, 1);
  assert.match(text, /would write/);
  assert.match(text, /127\.0\.0\.1:1 .*TABLE_ADDRESS_LOOPBACK/);
  assert.match(text, /would hold 1 applications \(0 before\), 1 endpoints/);
  assert.deepEqual(readdirSync(dir), ['routing-daemon.conf']);
});

test('import does not touch a state folder that is in use, and says what to do', async (t) => {
  const { folder, importing, stateDir } = home(t);
  folder.pool(POOL, ['10.0.0.1:4000']);
  const store = await openStore({ dir: stateDir, maxQuarantined: 10, log: memoryLog() });
  t.after(store.close);
  const { code, text } = await importing();
  assert.equal(code, 1);
  assert.match(text, /is in use: stop the Headgear/);
});

test('an imported endpoint has no gear until the broker names one', async (t) => {
  const { folder, importing, stored } = home(t);
  folder.pool(POOL, ['10.0.0.1:4000', '10.0.0.2:4000']);
  assert.equal((await importing()).code, 0);
  const [app] = (await stored()).apps;
  assert.deepEqual(
    [app?.headGearId, app?.endpoints.map(({ gearId }) => gearId)],
    [null, ['unknown', 'unknown']],
  );
});
