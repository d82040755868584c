import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadPlatformCertificates } from '../../src/certificates/load-platform.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { pemFixture, testCertificate } from '../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'headgear-platform-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function tlsConfig(tls: object): Config['tls'] {
  return configSchema.parse({ cloudDomain: 'example.test', listeners: {}, tls }).tls;
}

test('certificates are read in order, with a pass phrase from its own file', () => {
  const wildcard = testCertificate(['*.apps.example.test']);
  const { certificates, problems } = loadPlatformCertificates(
    tlsConfig({
      certificates: [
        {
          certFile: file('wildcard.crt', wildcard.chainPem),
          keyFile: file('wildcard.key', wildcard.privateKeyPem),
        },
        {
          certFile: file('rsa.crt', pemFixture('rsa.crt')),
          keyFile: file('rsa.key', pemFixture('rsa-pkcs8-aes256.key')),
          passPhraseFile: file('rsa.pass', 'open sesame\n'),
        },
      ],
    }),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    certificates.map(({ facts }) => facts.names),
    [['*.apps.example.test'], ['rsa.example.org']],
  );
  assert.deepEqual(structuredClone(certificates), certificates);
});

test('every problem is told at once, each with its key, and good certificates are read all the same', () => {
  const good = testCertificate(['*.apps.example.test']);
  const certFile = file('good.crt', good.chainPem);
  const keyFile = file('good.key', good.privateKeyPem);
  const { certificates, problems } = loadPlatformCertificates(
    tlsConfig({
      ciphers: 'NO-SUCH-CIPHER',
      certificates: [
        { certFile: join(folder, 'missing.crt'), keyFile: folder },
        { certFile, keyFile: file('other.key', pemFixture('leaf-2.key')) },
        { certFile, keyFile, passPhraseFile: file('huge.pass', 'x'.repeat(300_000)) },
        { certFile, keyFile },
      ],
    }),
  );
  assert.equal(certificates.length, 1);
  assert.deepEqual(
    problems.map(({ path, code }) => `${path} ${code}`),
    [
      'tls.ciphers CERTIFICATES_CIPHERS',
      'tls.certificates[0].certFile CERTIFICATES_FILE',
      'tls.certificates[0].keyFile CERTIFICATES_FILE',
      'tls.certificates[1] PEM_KEY_MISMATCH',
      'tls.certificates[2].passPhraseFile CERTIFICATES_FILE',
    ],
  );
});
