import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { judgeCertificate } from '../../src/pem/judge.ts';
import type { Judged } from '../../src/pem/types.ts';
import { pemFixture } from '../support/certificates.ts';

const PASS = 'open sesame';

function judgeKey(privateKeyPem: string, passPhrase: string | null, certificate = 'rsa.crt'): Judged {
  const certificatePem = pemFixture(certificate);
  return judgeCertificate({ certificatePem, privateKeyPem, passPhrase, alias: null, now: Date.now() });
}

function codeOf(judged: Judged): string {
  return judged.ok ? 'accepted' : judged.code;
}

const readable = [
  'rsa-traditional-aes128',
  'rsa-traditional-aes256',
  'rsa-traditional-des3',
  'rsa-traditional-des',
  'rsa-pkcs8-aes256',
  'rsa-pkcs8-aes128-sha1',
  'rsa-pkcs8-des3',
  'rsa-pkcs8-scrypt',
  'rsa-pkcs8-pbe1-3des',
];
const plainId = (() => {
  const judged = judgeKey(pemFixture('rsa.key'), null);
  return judged.ok ? judged.facts.id : '';
})();

for (const name of readable) {
  test(`scenario 40: ${name} opens with its pass phrase and is the same certificate as with the plain key`, () => {
    const judged = judgeKey(pemFixture(`${name}.key`), PASS);
    assert.ok(judged.ok, judged.ok ? '' : judged.code);
    assert.equal(judged.facts.id, plainId);
    assert.ok(!judged.keyPem.includes('ENCRYPTED'));
  });

  test(`scenario 40: ${name} is refused without a pass phrase and with a wrong one`, () => {
    const pem = pemFixture(`${name}.key`);
    assert.equal(codeOf(judgeKey(pem, null)), 'PEM_PASS_PHRASE_MISSING');
    assert.equal(codeOf(judgeKey(pem, '')), 'PEM_PASS_PHRASE_MISSING');
    for (let i = 0; i < 20; i += 1) {
      assert.equal(codeOf(judgeKey(pem, `wrong ${i}`)), 'PEM_PASS_PHRASE_WRONG');
    }
  });
}

test('a traditional single-DES key of an elliptic curve opens too', () => {
  const pem = pemFixture('ec-traditional-des.key');
  assert.equal(codeOf(judgeKey(pem, PASS, 'ec-prime256v1.crt')), 'accepted');
});

for (const name of ['rsa-pkcs8-pbe1-md5-des', 'rsa-pkcs8-rc2']) {
  test(`${name} is refused as an encryption that is not supported, whatever the pass phrase`, () => {
    for (const passPhrase of [PASS, 'wrong', null]) {
      assert.equal(codeOf(judgeKey(pemFixture(`${name}.key`), passPhrase)), 'PEM_KEY_ENCRYPTION_UNSUPPORTED');
    }
  });
}

test('a pass phrase that is not needed does no harm', () => {
  assert.equal(codeOf(judgeKey(pemFixture('rsa.key'), PASS)), 'accepted');
});

test('pass phrases beyond ASCII open what Node encrypted with them', () => {
  const passphrase = 'schlüssel 🔑';
  const key = createPrivateKey(pemFixture('rsa.key'));
  const pkcs8 = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
  const pkcs1 = key.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase });
  for (const pem of [pkcs8, pkcs1]) assert.equal(codeOf(judgeKey(String(pem), passphrase)), 'accepted');
});

// What a hostile tenant could upload. Each of these would hold the event loop for minutes or more; that the test ends is the proof.

const length = (n: number) =>
  n < 128 ? Buffer.from([n]) : n < 256 ? Buffer.from([0x81, n]) : Buffer.from([0x82, n >> 8, n & 255]);
const tlv = (tag: number, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), length(body.length), body]);
};
const sequence = (...parts: Buffer[]) => tlv(0x30, ...parts);
const integer = (bytes: Buffer) =>
  tlv(2, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
const number = (value: number) =>
  integer(
    Buffer.from(value.toString(16).padStart(8, '0'), 'hex').subarray(
      value > 0xffffff ? 0 : value > 0xffff ? 1 : value > 0xff ? 2 : 3,
    ),
  );
const oid = (hex: string) => tlv(6, Buffer.from(hex, 'hex'));
const octets = (bytes: Buffer) => tlv(4, bytes);
const pem = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
const PBES2 = oid('2a864886f70d01050d');
const AES_256 = sequence(oid('60864801650304012a'), octets(randomBytes(16)));
const encrypted = (kdf: Buffer) =>
  pem('ENCRYPTED PRIVATE KEY', sequence(sequence(PBES2, sequence(kdf, AES_256)), octets(randomBytes(64))));

test('PBKDF2 with two thousand million iterations is refused before it begins', () => {
  const kdf = sequence(oid('2a864886f70d01050c'), sequence(octets(randomBytes(8)), number(0x7fffffff)));
  assert.equal(codeOf(judgeKey(encrypted(kdf), PASS)), 'PEM_KEY_ENCRYPTION_COSTLY');
});

test('an iteration count beyond every integer is refused', () => {
  const count = integer(Buffer.concat([Buffer.from([0x40]), randomBytes(30)]));
  const kdf = sequence(oid('2a864886f70d01050c'), sequence(octets(randomBytes(8)), count));
  assert.equal(codeOf(judgeKey(encrypted(kdf), PASS)), 'PEM_KEY_ENCRYPTION_COSTLY');
});

test('PKCS#12 derivation with many iterations is refused before it begins', () => {
  const scheme = sequence(oid('2a864886f70d010c0103'), sequence(octets(randomBytes(8)), number(0x7fffffff)));
  const key = pem('ENCRYPTED PRIVATE KEY', sequence(scheme, octets(randomBytes(64))));
  assert.equal(codeOf(judgeKey(key, PASS)), 'PEM_KEY_ENCRYPTION_COSTLY');
});

for (const [what, n, r, p] of [
  ['memory', 1 << 24, 8, 1],
  ['lanes', 1 << 14, 8, 1 << 20],
] as const) {
  test(`scrypt with too much ${what} is refused before it begins`, () => {
    const params = sequence(octets(randomBytes(8)), number(n), number(r), number(p));
    const kdf = sequence(oid('2b06010401da47040b'), params);
    assert.equal(codeOf(judgeKey(encrypted(kdf), PASS)), 'PEM_KEY_ENCRYPTION_COSTLY');
  });
}

test('scrypt parameters that make no sense are a refusal, not an error', () => {
  const params = sequence(octets(randomBytes(8)), number(12_345), number(8), number(1));
  const kdf = sequence(oid('2b06010401da47040b'), params);
  assert.equal(codeOf(judgeKey(encrypted(kdf), PASS)), 'PEM_KEY_MALFORMED');
});

/** A DSA key of PKCS#8 with numbers so long that computing its public half takes OpenSSL minutes. */
function ruinousDsaKey(): Buffer {
  const long = () => {
    const bytes = randomBytes(5_000);
    bytes[0] = 0x7f;
    bytes[4_999] = 0x7f;
    return bytes;
  };
  const params = sequence(integer(long()), integer(randomBytes(20)), number(2));
  return sequence(number(0), sequence(oid('2a8648ce380401'), params), octets(integer(long())));
}

test('a DSA key of ruinous size is refused unread', () => {
  assert.equal(codeOf(judgeKey(pem('PRIVATE KEY', ruinousDsaKey()), null)), 'PEM_KEY_DSA');
});

for (const label of ['RSA PRIVATE KEY', 'EC PRIVATE KEY']) {
  test(`a DSA key of ruinous size under the label ${label} is refused unread`, () => {
    assert.equal(codeOf(judgeKey(pem(label, ruinousDsaKey()), null)), 'PEM_KEY_MALFORMED');
  });
}

test('an encrypted key under the label of a plain one is not decrypted', () => {
  const key = pemFixture('rsa-pkcs8-aes256.key').replaceAll('ENCRYPTED PRIVATE', 'PRIVATE');
  assert.equal(codeOf(judgeKey(key, PASS)), 'PEM_KEY_MALFORMED');
});

test('an RSA key whose private exponent is far longer than its modulus is refused', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = privateKey.export({ format: 'jwk' });
  const part = (value: string | undefined) => integer(Buffer.from(value ?? '', 'base64url'));
  const bytes = randomBytes(6_000);
  bytes[0] = 0x7f;
  const huge = integer(bytes);
  const key = sequence(
    integer(Buffer.from([0])),
    part(jwk.n),
    part(jwk.e),
    huge,
    part(jwk.p),
    part(jwk.q),
    part(jwk.dp),
    part(jwk.dq),
    part(jwk.qi),
  );
  assert.equal(codeOf(judgeKey(pem('RSA PRIVATE KEY', key), null)), 'PEM_KEY_MALFORMED');
});

test('an RSA key above 8192 bits is refused by its size', () => {
  const modulus = randomBytes(2_048);
  modulus[0] = 0x80;
  modulus[2_047] = 1;
  const half = randomBytes(1_024);
  half[0] = 0x80;
  const key = sequence(
    integer(Buffer.from([0])),
    integer(modulus),
    number(65_537),
    integer(modulus),
    integer(half),
    integer(half),
    integer(half),
    integer(half),
    integer(half),
  );
  assert.equal(codeOf(judgeKey(pem('RSA PRIVATE KEY', key), null)), 'PEM_KEY_TOO_LARGE');
});
