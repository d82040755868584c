/** Certificates for tests, made once a process and kept. Their keys come from test/fixtures/pem: a new one takes up to a second. */
import { readFileSync } from 'node:fs';
import {
  type DevelopmentCa,
  type IssuedCertificate,
  issueCertificate,
  makeDevelopmentCa,
} from '../../src/pem/development.ts';
import { judgeCertificate } from '../../src/pem/judge.ts';
import type { CertificateFacts } from '../../src/pem/types.ts';

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

/** As it would be published, with its facts. */
export function publishedCertificate(
  names: readonly string[],
  edition = 1,
): { id: string; chainPem: string; keyPem: string; facts: CertificateFacts } {
  const certificate = testCertificate(names, edition);
  const judged = judgeCertificate({
    certificatePem: certificate.chainPem,
    privateKeyPem: certificate.privateKeyPem,
    passPhrase: null,
    alias: null,
    now: Date.now(),
  });
  if (!judged.ok) throw new Error(`${judged.code}: ${judged.reason}`);
  return { id: judged.facts.id, chainPem: judged.chainPem, keyPem: judged.keyPem, facts: judged.facts };
}

/** A file of test/fixtures/pem. */
export function pemFixture(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}
