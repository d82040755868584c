/**
 * Keys and pass phrases go in; nothing that comes out holds one: log, admin, metrics, access log, state, a crash report, a heap snapshot,
 * the environment of processes that it starts.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newKeyText } from '../../src/seal/key-ring.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { pemFixture, testCertificate } from '../support/certificates.ts';
import { connectRaw } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import {
  type HeadgearHome,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
} from '../support/headgear-process.ts';
import { addAlias, addSsl, createApplication, keyOf } from '../support/spi-bodies.ts';

const app = { appName: 'shop', namespace: 'tenant' };
const alias = 'www.shop.test';
const PASS_PHRASE = 'open sesame';
const WRONG_PHRASE = 'xyzzy plugh plover';

/** Lines from the middle of a PEM: no two keys share one. */
const linesOf = (pem: string) => pem.split('\n').slice(5, 12);

describe('secrets', () => {
  const masterKey = newKeyText();
  const uploaded = testCertificate([alias], 2);
  const encrypted = pemFixture('rsa-pkcs8-aes256.key');
  const secrets = [
    ...[masterKey, PASS_PHRASE, WRONG_PHRASE],
    ...[uploaded.privateKeyPem, encrypted, pemFixture('rsa.key')].flatMap(linesOf),
  ];
  let home: HeadgearHome;
  let headgear: HeadgearProcess;

  function assertHarmless(text: string, what: string): void {
    for (const secret of secrets) {
      assert.equal(text.includes(secret), false, `${what} holds ${secret.slice(0, 12)}...`);
    }
  }

  before(async () => {
    home = headgearHome({ intake: { port: 0 }, keepAwake: { enabled: false } });
    headgear = await home.start({
      env: {
        HEADGEAR_MASTER_KEY: masterKey,
        NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --report-on-signal --report-signal=SIGWINCH --report-directory=${home.folder}`,
      },
    });
    const pair = { certificatePem: uploaded.chainPem, privateKeyPem: uploaded.privateKeyPem };
    const opened = {
      certificatePem: pemFixture('rsa.crt'),
      privateKeyPem: encrypted,
      passPhrase: PASS_PHRASE,
    };
    const poison = Buffer.concat([
      addSsl(app, alias, { ...opened, passPhrase: WRONG_PHRASE }),
      Buffer.from(`\n:x: [${linesOf(encrypted).join('')}`),
    ]);
    await publishBodies({
      ...{ host: '127.0.0.1', port: headgear.intakePort, destination: '/queue/routinginfo' },
      ...{ persistent: true, timeoutMs: PATIENCE_MS },
      bodies: [
        createApplication(app),
        addAlias(app, alias),
        addSsl(app, alias, pair),
        addAlias(app, 'rsa.example.org'),
        addSsl(app, 'rsa.example.org', opened),
        addSsl(app, alias, { ...opened, passPhrase: WRONG_PHRASE }),
        poison,
      ],
    });
    await headgear.untilStatus('two in quarantine', ({ control }) => control.quarantined === 2);
    await headgear.untilApp(keyOf(app), (view) => view?.aliases.length === 2);
    for (const servername of [alias, 'rsa.example.org']) {
      (await connectRaw({ port: headgear.httpsPort, tls: { servername } })).destroy();
    }
  });
  after(() => home?.remove());

  const produced = async (ending: RegExp) =>
    eventually(
      () => {
        const name = readdirSync(home.folder).find((one) => ending.test(one));
        return name === undefined ? null : join(home.folder, name);
      },
      String(ending),
      PATIENCE_MS,
    );

  it('are in no answer of admin, no metric and no line of a log', async () => {
    const paths = ['/table', '/certificates', '/quarantine', '/quarantine/1', '/quarantine/2', '/findings'];
    for (const path of [...paths, '/status', '/metrics', `/apps/${keyOf(app)}`]) {
      assertHarmless(await headgear.adminText(path), path);
    }
    assertHarmless(headgear.child.stderr() + headgear.child.stdout(), 'the log');
  });

  it('are in no file of the state directory', () => {
    const dir = join(home.folder, 'state');
    for (const file of readdirSync(dir, { withFileTypes: true })) {
      if (file.isFile()) assertHarmless(readFileSync(join(dir, file.name), 'latin1'), file.name);
    }
  });

  it('are not in a crash report, which prints the environment', async () => {
    process.kill(headgear.child.pid, 'SIGWINCH');
    const file = await produced(/^report.*\.json$/);
    const text = await eventually(
      () => {
        const now = readFileSync(file, 'utf8');
        return now.includes('"sharedObjects"') && now.trimEnd().endsWith('}') ? now : null;
      },
      'the whole report',
      PATIENCE_MS,
    );
    assert.ok(text.includes('"environmentVariables"'));
    assertHarmless(text, 'the report');
  });

  it('of tenants and the master key are not on the JavaScript heap, with their certificates in use', async () => {
    process.kill(headgear.child.pid, 'SIGUSR2');
    const file = await produced(/\.heapsnapshot$/);
    const text = await eventually(
      () => {
        const now = readFileSync(file, 'latin1');
        return now.trimEnd().endsWith(']}') ? now.replaceAll('\\n', '\n') : null;
      },
      'the whole snapshot',
      PATIENCE_MS,
    );
    assert.ok(text.includes(alias), 'it is a snapshot of this program');
    assertHarmless(text, 'the heap');
  });
});
