/** Certificates for tests, made once a process and kept. Their keys come from test/fixtures/pem: a new one takes up to a second. */
import { readFileSync } from 'node:fs';
import type { PlatformCertificate } from '../../src/certificates/load-platform.ts';
import {
  type DevelopmentCa,
  type IssuedCertificate,
  issueCertificate,
  makeDevelopmentCa,
} from '../../src/pem/development.ts';
import { judgeCertificate } from '../../src/pem/judge.ts';
import type { CertificateFacts } from '../../src/pem/types.ts';
import type { ClearPublishedCertificate } from '../../src/table/routing-table.ts';

const fixtures = new URL('../../../test/fixtures/pem/', import.meta.url);
const issued = new Map<string, IssuedCertificate>();
let ca: DevelopmentCa | undefined;

/** The CA that every test certificate is under. */
export function testCa(): DevelopmentCa {
  ca ??= makeDevelopmentCa({ commonName: 'Headgear test CA', privateKeyPem: pemFixture('rsa.key') });
  return ca;
}

/** A certificate for `names`; the same one for the same names and `edition`. Odd and even editions have different keys. */
export function testCertificate(names: readonly string[], edition = 1): IssuedCertificate {
  const key = `${names.join(' ')} ${edition}`;
  let certificate = issued.get(key);
  if (certificate === undefined) {
    certificate = issueCertificate({
      ca: testCa(),
      names,
      privateKeyPem: pemFixture(`leaf-${edition % 2 === 0 ? 2 : 1}.key`),
    });
    issued.set(key, certificate);
  }
  return certificate;
}

export type TestPublished = ClearPublishedCertificate & { readonly facts: CertificateFacts };

/** As it would be published, with its facts. */
export function publishedCertificate(names: readonly string[], edition = 1): TestPublished {
  const certificate = testCertificate(names, edition);
  return published(certificate.chainPem, certificate.privateKeyPem);
}

/** A fixture of another kind of key, under the test CA, for `*.apps.example.test` and `both.example.test`. */
export function appsCertificate(kind: 'ec-prime256v1' | 'ec-secp384r1' | 'ed25519'): TestPublished {
  return published(pemFixture(`apps-${kind}.crt`), pemFixture(`${kind}.key`));
}

function published(certificatePem: string, privateKeyPem: string): TestPublished {
  const judged = judgeCertificate({
    certificatePem,
    privateKeyPem,
    passPhrase: null,
    alias: null,
    now: Date.now(),
  });
  if (!judged.ok) throw new Error(`${judged.code}: ${judged.reason}`);
  const { facts, chainPem, keyPem } = judged;
  const { id, keyType, keyBits } = facts;
  return { id, keyType, keyBits, chainPem, keyPem, facts };
}

/** As it is read from the files of the configuration. */
export function platformCertificate(
  certificate: TestPublished,
  more: Partial<PlatformCertificate> = {},
): PlatformCertificate {
  return { ...certificate, warnings: [], isDefault: false, origin: 'test', ...more };
}

/** A file of test/fixtures/pem. */
export function pemFixture(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}
