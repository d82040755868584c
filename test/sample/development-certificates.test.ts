import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { prepareDevelopmentCertificates } from '../../src/sample/development-certificates.ts';
import { request } from '../support/client.ts';

const day = 86_400_000;
function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-certs-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}
const names = { domain: 'apps.example.test', alias: 'www.sample.test' };

test('a first start makes a CA, a wildcard and the certificate of the alias, keys for their owner alone', (t) => {
  const dir = join(folder(t), 'certs');
  const made = prepareDevelopmentCertificates({ dir, ...names });
  assert.deepEqual(made.made, ['ca', 'wildcard', 'sample-alias']);
  const ca = new X509Certificate(readFileSync(made.caFile));
  assert.ok(ca.ca);
  const wildcard = new X509Certificate(readFileSync(made.wildcard.certFile));
  assert.ok(wildcard.verify(ca.publicKey));
  assert.ok(wildcard.checkHost('demo-sample.apps.example.test'));
  assert.ok(wildcard.checkHost('apps.example.test'));
  assert.ok(new X509Certificate(made.alias.certificatePem).checkHost('www.sample.test'));
  for (const key of [made.wildcard.keyFile, made.alias.keyFile, join(dir, 'ca.key')])
    assert.equal(statSync(key).mode & 0o777, 0o600, key);
});

test('a client that trusts the CA file gets through', async (t) => {
  const { wildcard, caFile } = prepareDevelopmentCertificates({ dir: folder(t), ...names });
  const server = createServer({ cert: wildcard.certificatePem, key: wildcard.privateKeyPem }, (_, response) =>
    response.end('in'),
  );
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const answer = await request({
    port: (server.address() as AddressInfo).port,
    tls: { servername: 'demo-sample.apps.example.test', ca: readFileSync(caFile, 'utf8') },
  });
  assert.equal(answer.body.toString(), 'in');
});

test('a second start keeps what is good', (t) => {
  const dir = folder(t);
  const first = prepareDevelopmentCertificates({ dir, ...names });
  const second = prepareDevelopmentCertificates({ dir, ...names });
  assert.deepEqual(second, { ...first, made: [] });
});

test('what is missing, damaged, of another name or about to expire is made anew, and only that', (t) => {
  const dir = folder(t);
  const prepare = (over: Partial<Parameters<typeof prepareDevelopmentCertificates>[0]> = {}) =>
    prepareDevelopmentCertificates({ dir, ...names, ...over }).made;
  prepare();
  rmSync(join(dir, 'sample-alias.key'));
  assert.deepEqual(prepare(), ['sample-alias']);
  writeFileSync(join(dir, 'wildcard.pem'), 'not a certificate');
  assert.deepEqual(prepare(), ['wildcard']);
  writeFileSync(join(dir, 'sample-alias.key'), readFileSync(join(dir, 'wildcard.key')));
  assert.deepEqual(prepare(), ['sample-alias'], 'a key that belongs to another certificate');
  assert.deepEqual(prepare({ domain: 'apps.other.test' }), ['wildcard']);
  assert.deepEqual(prepare({ domain: 'apps.other.test' }), []);
  assert.deepEqual(prepare({ domain: 'apps.other.test', now: Date.now() + 819 * day }), [
    'wildcard',
    'sample-alias',
  ]);
  rmSync(join(dir, 'ca.key'));
  assert.deepEqual(
    prepare({ domain: 'apps.other.test' }),
    ['ca', 'wildcard', 'sample-alias'],
    'a new CA signs all anew',
  );
});

test('a key file that others could read does not stay readable', (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'wildcard.key'), 'old', { mode: 0o644 });
  const { wildcard } = prepareDevelopmentCertificates({ dir, ...names });
  assert.equal(statSync(wildcard.keyFile).mode & 0o777, 0o600);
});
