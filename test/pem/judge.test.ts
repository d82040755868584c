import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecureContext } from 'node:tls';
import fc from 'fast-check';
import { issueCertificate } from '../../src/pem/development.ts';
import { judgeCertificate, type Submission } from '../../src/pem/judge.ts';
import type { Judged } from '../../src/pem/types.ts';
import { pemFixture, testCa, testCertificate } from '../support/certificates.ts';

const NOW = Date.now();
const leaf = testCertificate(['www.example.org', '*.shop.example.org']);

function judge(changes: Partial<Submission> = {}): Judged {
  return judgeCertificate({
    certificatePem: leaf.chainPem,
    privateKeyPem: leaf.privateKeyPem,
    passPhrase: null,
    alias: 'www.example.org',
    now: NOW,
    ...changes,
  });
}

function accepted(judged: Judged): Extract<Judged, { ok: true }> {
  assert.ok(judged.ok, judged.ok ? '' : `${judged.code}: ${judged.reason}`);
  return judged;
}

function codeOf(judged: Judged): string {
  return judged.ok ? 'accepted' : judged.code;
}

test('a good certificate is accepted with its facts', () => {
  const { facts, warnings, chainPem, keyPem } = accepted(judge());
  assert.deepEqual(facts.names, ['www.example.org', '*.shop.example.org']);
  assert.equal(facts.keyType, 'rsa');
  assert.equal(facts.keyBits, 2048);
  assert.match(facts.id, /^[0-9a-f]{64}$/);
  assert.match(facts.fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(facts.issuer, 'CN=Headgear test CA');
  assert.ok(facts.notBefore < NOW && facts.notAfter > NOW);
  assert.deepEqual(warnings, []);
  assert.equal(chainPem, leaf.chainPem);
  assert.ok(keyPem.startsWith('-----BEGIN PRIVATE KEY-----\n'));
});

test('scenario 39: CRLF, a text preamble, text in between and no final newline change nothing', () => {
  const plain = accepted(judge());
  const messy = [
    'Bag Attributes\n  friendlyName: www\n',
    leaf.certificatePem,
    'subject=CN = the CA: key 1\n\n',
    testCa().certificatePem.trimEnd(),
  ].join('');
  const judged = accepted(
    judge({
      certificatePem: messy.replaceAll('\n', '\r\n'),
      privateKeyPem: leaf.privateKeyPem.trimEnd().replaceAll('\n', '\r\n'),
    }),
  );
  assert.equal(judged.facts.id, plain.facts.id);
  assert.equal(judged.chainPem, plain.chainPem);
});

test('blank lines, indentation, a byte order mark and files joined without a newline are mended', () => {
  const joined = leaf.certificatePem.trimEnd() + testCa().certificatePem;
  for (const certificatePem of [
    joined,
    `\ufeff${joined}`,
    joined.replaceAll('\n', '\n\n'),
    joined.replaceAll('\n', '\n  '),
  ]) {
    assert.equal(accepted(judge({ certificatePem })).facts.id, accepted(judge()).facts.id);
  }
});

test('a file that also holds the key and parameters is read for its certificates', () => {
  const combined = leaf.privateKeyPem + leaf.chainPem;
  accepted(judge({ certificatePem: combined, privateKeyPem: combined }));
});

test('a key of another certificate is refused', () => {
  const { privateKeyPem } = testCertificate(['other.example.org'], 2);
  assert.equal(codeOf(judge({ privateKeyPem })), 'PEM_KEY_MISMATCH');
});

test('a new key under the same name is a new id', () => {
  const other = testCertificate(['www.example.org', '*.shop.example.org'], 2);
  const judged = judge({ certificatePem: other.chainPem, privateKeyPem: other.privateKeyPem });
  assert.notEqual(accepted(judged).facts.id, accepted(judge()).facts.id);
});

test('expired, not yet valid and a name that is not covered are warnings, not refusals', () => {
  const { facts } = accepted(judge());
  assert.deepEqual(accepted(judge({ now: facts.notAfter + 1 })).warnings, ['CERT_EXPIRED']);
  assert.deepEqual(accepted(judge({ now: facts.notBefore - 1 })).warnings, ['CERT_NOT_YET_VALID']);
  for (const alias of ['example.org', 'a.b.shop.example.org', 'shop.example.org', 'xwww.example.org']) {
    assert.deepEqual(accepted(judge({ alias })).warnings, ['CERT_NAME_MISMATCH'], alias);
  }
  for (const alias of ['a.shop.example.org', 'WWW.Example.Org', 'www.example.org.', null]) {
    assert.deepEqual(accepted(judge({ alias })).warnings, [], String(alias));
  }
});

test('a name that tries to smuggle a second one into the list does not cover it', () => {
  const forged = issueCertificate({ ca: testCa(), names: ['a.test, DNS:victim.example.org'] });
  const judged = judge({
    certificatePem: forged.chainPem,
    privateKeyPem: forged.privateKeyPem,
    alias: 'victim.example.org',
  });
  assert.deepEqual(accepted(judged).warnings, ['CERT_NAME_MISMATCH']);
  assert.deepEqual(accepted(judged).facts.names, []);
});

const served = [
  ['ec-prime256v1', 'ec', 256],
  ['ec-secp384r1', 'ec', 384],
  ['ed25519', 'ed25519', 256],
  ['rsa', 'rsa', 2048],
] as const;
for (const [name, type, bits] of served) {
  test(`a key of kind ${name} is accepted and can be served`, () => {
    const { facts, chainPem, keyPem } = accepted(
      judge({ certificatePem: pemFixture(`${name}.crt`), privateKeyPem: pemFixture(`${name}.key`) }),
    );
    assert.equal(facts.keyType, type);
    assert.equal(facts.keyBits, bits);
    createSecureContext({ cert: chainPem, key: keyPem });
  });
}

const refused = [
  ['dsa', 'PEM_KEY_DSA'],
  ['rsa-1024', 'PEM_KEY_TOO_SMALL'],
  ['rsa-pss', 'PEM_KEY_TYPE'],
  ['ec-secp256k1', 'PEM_KEY_CURVE'],
  ['ec-explicit', 'PEM_KEY_CURVE'],
] as const;
for (const [name, code] of refused) {
  test(`a key of kind ${name} is refused as ${code}`, () => {
    const submission = {
      certificatePem: pemFixture(`${name}.crt`),
      privateKeyPem: pemFixture(`${name}.key`),
    };
    assert.equal(codeOf(judge(submission)), code);
  });
}

test('a certificate signed with SHA-1 is refused, whether or not this OpenSSL would serve it', () => {
  const submission = { certificatePem: pemFixture('sha1.crt'), privateKeyPem: pemFixture('rsa.key') };
  assert.equal(codeOf(judge(submission)), 'PEM_SIGNATURE_WEAK');
});

test('missing and broken input has codes of its own', () => {
  assert.equal(codeOf(judge({ certificatePem: '' })), 'PEM_CERTIFICATE_MISSING');
  assert.equal(codeOf(judge({ privateKeyPem: '' })), 'PEM_KEY_MISSING');
  assert.equal(codeOf(judge({ certificatePem: leaf.certificatePem.slice(0, 600) })), 'PEM_MALFORMED');
  assert.equal(codeOf(judge({ certificatePem: leaf.certificatePem.replace('M', '!') })), 'PEM_MALFORMED');
  const block = (label: string, bytes: Buffer) =>
    `-----BEGIN ${label}-----\n${bytes.toString('base64')}\n-----END ${label}-----\n`;
  const junk = Buffer.from('not a certificate');
  assert.equal(codeOf(judge({ certificatePem: block('CERTIFICATE', junk) })), 'PEM_CERTIFICATE_MALFORMED');
  assert.equal(codeOf(judge({ privateKeyPem: block('PRIVATE KEY', junk) })), 'PEM_KEY_MALFORMED');
  assert.equal(codeOf(judge({ privateKeyPem: block('OPENSSH PRIVATE KEY', junk) })), 'PEM_KEY_TYPE');
});

test('too much of anything is refused before it is parsed', () => {
  assert.equal(codeOf(judge({ certificatePem: 'x'.repeat(200_000) })), 'PEM_TOO_LARGE');
  assert.equal(codeOf(judge({ privateKeyPem: 'x'.repeat(200_000) })), 'PEM_TOO_LARGE');
  assert.equal(codeOf(judge({ passPhrase: 'x'.repeat(2_000) })), 'PEM_TOO_LARGE');
  const longChain = leaf.certificatePem + testCa().certificatePem.repeat(11);
  assert.equal(codeOf(judge({ certificatePem: longChain })), 'PEM_CHAIN_TOO_LONG');
});

test('mutilated input never throws and never names key material', () => {
  const texts = [
    leaf.chainPem,
    leaf.privateKeyPem,
    pemFixture('rsa-pkcs8-aes256.key'),
    pemFixture('rsa-traditional-des.key'),
  ];
  const mutilated = fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat(40), fc.string({ maxLength: 40 }))
    .map(([text, at, cut, put]) => {
      const place = at % text.length;
      return text.slice(0, place) + put + text.slice(place + cut);
    });
  fc.assert(
    fc.property(mutilated, mutilated, (certificatePem, privateKeyPem) => {
      const judged = judge({ certificatePem, privateKeyPem, passPhrase: 'hunter2' });
      if (judged.ok) return;
      assert.match(judged.code, /^PEM_[A-Z_]+$/);
      assert.ok(judged.reason.length < 200 && !judged.reason.includes('hunter2'));
    }),
    { numRuns: 150 },
  );
});
