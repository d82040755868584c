import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EXIT } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { problemText } from '../../src/config/problem.ts';
import { startApp } from '../../src/start-app.ts';
import { openStore } from '../../src/store/open-store.ts';
import { pemFixture, testCertificate } from '../support/certificates.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { memoryIo } from './memory-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'headgear-check-'));
after(() => rmSync(folder, { recursive: true }));

const fixtures = new URL('../../../test/fixtures/client-certificates/', import.meta.url);
for (const name of ['ca.crt', 'alice.crt', 'empty.crl'])
  copyFileSync(new URL(name, fixtures), join(folder, name));
const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
const wildcard = testCertificate(['*.apps.example.test']);
write('good.crt', wildcard.chainPem);
write('good.key', wildcard.privateKeyPem);
write('other.key', pemFixture('leaf-2.key'));
write('tickets', `${Buffer.from([...Array(48).keys()]).toString('base64')}\n`);
write('weak-tickets', `${Buffer.alloc(48).toString('base64')}\n`);
write('rubbish', 'rubbish\n');
write('no-key', '# to be filled in\n');
write('no-keys-at-all', '#\n'.repeat(40_000));
write('master.key', `${'ab'.repeat(32)}\n`);

const good = { certFile: 'good.crt', keyFile: 'good.key' };
const base = {
  cloudDomain: 'apps.example.test',
  stateDir: 'state',
  listeners: { https: [{ host: '127.0.0.1', port: 0 }] },
  admin: { host: '127.0.0.1', port: 0 },
  intake: { host: '127.0.0.1', port: 0, login: 'a', passcode: 'b' },
  tls: { certificates: [good] },
  endpoints: { verifyTls: true },
};

async function check(config: object) {
  const file = join(folder, 'headgear.json');
  write('headgear.json', JSON.stringify(config));
  const io = memoryIo();
  return { file, code: await runCli(['check', file], io), lines: io.lines };
}

test('a configuration whose certificates, ciphers, CAs and ticket keys are good is found good, and nothing is made', async () => {
  const { file, code, lines } = await check({
    ...base,
    tls: { certificates: [good], ciphers: 'ECDHE+AESGCM', tickets: { keysFile: 'tickets' } },
    clientCertificates: {
      rules: [{ names: ['a.apps.example.test'], mode: 'require', caFile: 'ca.crt', crlFile: 'empty.crl' }],
    },
    upstream: { tls: { caFile: 'ca.crt', ciphers: 'DEFAULT@SECLEVEL=0' } },
    masterKey: { file: 'master.key' },
  });
  assert.deepEqual(lines, [`${file}: ok`]);
  assert.equal(code, EXIT.ok);
  assert.equal(existsSync(join(folder, 'state')), false);
});

const refused: readonly (readonly [what: string, config: object, path: string, reason: RegExp])[] = [
  [
    'a key of another certificate',
    { tls: { certificates: [good, { certFile: 'good.crt', keyFile: 'other.key' }] } },
    'tls.certificates[1]',
    /PEM_KEY_MISMATCH/,
  ],
  [
    'a certificate file without a certificate',
    { tls: { certificates: [{ certFile: 'rubbish', keyFile: 'good.key' }] } },
    'tls.certificates[0]',
    /PEM_/,
  ],
  [
    'ciphers that OpenSSL does not know',
    { tls: { ...base.tls, ciphers: 'NO-SUCH' } },
    'tls.ciphers',
    /OpenSSL/,
  ],
  [
    'ticket keys that are not random',
    { tls: { ...base.tls, tickets: { keysFile: 'weak-tickets' } } },
    'tls.tickets.keysFile',
    /not random/,
  ],
  [
    'client certificates under a CA that is none',
    {
      clientCertificates: {
        rules: [{ names: ['a.apps.example.test'], mode: 'require', caFile: 'alice.crt' }],
      },
    },
    'clientCertificates.rules[0].caFile',
    /no CA certificate/,
  ],
  [
    'a revocation list that is none',
    {
      clientCertificates: {
        rules: [{ names: ['a.apps.example.test'], mode: 'require', caFile: 'ca.crt', crlFile: 'rubbish' }],
      },
    },
    'clientCertificates.rules[0].crlFile',
    /CERTIFICATES_CLIENT_CRL/,
  ],
  [
    'a CA bundle for gears without a certificate',
    { upstream: { tls: { caFile: 'rubbish' } } },
    'upstream.tls.caFile',
    /holds no certificate/,
  ],
  [
    'ciphers towards gears that OpenSSL does not know',
    { upstream: { tls: { ciphers: 'NO-SUCH' } } },
    'upstream.tls.ciphers',
    /cipher/i,
  ],
  [
    'a master key that is none',
    { masterKey: { file: 'rubbish' } },
    'masterKey.file',
    /rubbish: key 1 is not 32 bytes .*openssl rand -hex 32 \(STORE_KEY_INVALID\)/,
  ],
  [
    'a master key file without a key',
    { masterKey: { file: 'no-key' } },
    'masterKey.file',
    /there is no key; make one with/,
  ],
  [
    'a master key file that is far too large',
    { masterKey: { file: 'no-keys-at-all' } },
    'masterKey.file',
    /not a file of keys/,
  ],
  [
    'a master key file that is not there',
    { masterKey: { file: 'gone.key' } },
    'masterKey.file',
    /gone\.key does not exist/,
  ],
];

for (const [what, config, path, reason] of refused) {
  test(`${what}: check says what run refuses to start with, word for word`, async () => {
    const { file, code, lines } = await check({ ...base, ...config });
    assert.equal(code, EXIT.failed);
    const [told = '', end] = lines;
    assert.ok(told.startsWith(`problem: ${path}: `), told);
    assert.match(told, reason);
    assert.equal(end, `${file}: 1 problem`);
    await assert.rejects(startApp({ configFile: file }), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => `problem: ${problemText(problem)}`),
        [told],
      );
      return true;
    });
  });
}

test('a start with a bad configuration lets go of the state that it began to read, and leaves it as it was', async () => {
  const stateDir = join(folder, 'state');
  const open = () => openStore({ dir: stateDir, maxQuarantined: 1, log: memoryLog() });
  await (await open()).close();
  const before = readFileSync(join(stateDir, 'state.mdb'));
  const { file } = await check({
    ...base,
    stateDir,
    tls: { certificates: [{ certFile: 'a', keyFile: 'b' }] },
  });
  await assert.rejects(startApp({ configFile: file }), ConfigError);
  const { file: unknown } = await check({ ...base, stateDir, noSuchKey: 1 });
  await assert.rejects(startApp({ configFile: unknown }), ConfigError);
  assert.deepEqual(readFileSync(join(stateDir, 'state.mdb')), before);
  await (await open()).close();
});

test('a master key that everybody can read is warned of', async () => {
  writeFileSync(join(folder, 'open.key'), `${'ab'.repeat(32)}\n`);
  chmodSync(join(folder, 'open.key'), 0o644);
  const { code, lines } = await check({ ...base, masterKey: { file: 'open.key' } });
  assert.equal(code, EXIT.ok);
  assert.match(lines[0] ?? '', /^warning: masterKey\.file: everybody .*open\.key: chmod 600 it$/);
});

test('problems of several kinds come at once; where a file is missing, that is said once and not in other words too', async () => {
  const several = await check({
    ...base,
    tls: { certificates: [{ certFile: 'good.crt', keyFile: 'other.key' }], ciphers: 'NO-SUCH' },
    upstream: { tls: { caFile: 'rubbish' } },
  });
  assert.equal(several.lines.at(-1), `${several.file}: 3 problems`);
  const missing = await check({
    ...base,
    tls: { certificates: [{ certFile: 'gone.crt', keyFile: 'good.key' }] },
  });
  assert.match(
    missing.lines[0] ?? '',
    /^problem: tls\.certificates\[0\]\.certFile: .*gone\.crt does not exist$/,
  );
  assert.equal(missing.lines.at(-1), `${missing.file}: 1 problem`);
});
