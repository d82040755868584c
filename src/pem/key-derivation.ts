/** Pass phrase to key: PBKDF2 and scrypt (RFC 8018, RFC 7914) and PKCS#12's own way (RFC 7292), their cost bounded beforehand. */
import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { type Element, integerOf, octetsOf, oidOf, sequenceOf, TAG_INTEGER, TAG_SEQUENCE } from './der.ts';
import { forge } from './forge.ts';
import { encryptionCostly, encryptionUnsupported, notAKey, type Refusal } from './refusal.ts';

/** About 0.5 s of one core at worst, on the event loop. OpenSSL writes 2,048, password managers up to 600,000. */
const MAX_ITERATIONS = 1_000_000;
/** PKCS#12's derivation runs in forge, in plain JavaScript; its writers use 2,048. */
const MAX_PKCS12_ITERATIONS = 50_000;
/** scrypt's 128 * N * r; OpenSSL's default (N 16384, r 8) needs 16 MiB. */
const MAX_SCRYPT_BYTES = 64 * 1024 * 1024;
/** scrypt's N * r * p: some 0.4 s. */
const MAX_SCRYPT_WORK = 1_048_576;

const PBKDF2 = '1.2.840.113549.1.5.12';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
]);

/** Costs what its parameters say. May throw on parameters that OpenSSL does not like. */
export type Derivation = (passPhrase: string) => Buffer;

/** The derivation that PBES2's `kdf` element describes, unless it is unknown or too costly. */
export function planDerivation(
  der: Buffer,
  kdf: Element | undefined,
  keyBytes: number,
): Derivation | Refusal {
  const [id, params] = sequenceOf(der, kdf) ?? [];
  const oid = oidOf(der, id);
  if (oid === null) return notAKey;
  if (oid !== PBKDF2 && oid !== SCRYPT) return encryptionUnsupported;
  const fields = sequenceOf(der, params);
  const salt = octetsOf(der, fields?.[0]);
  if (fields === null || salt === null) return notAKey;
  return oid === PBKDF2 ? planPbkdf2(der, fields, salt, keyBytes) : planScrypt(der, fields, salt, keyBytes);
}

/** The derivations of key (24 bytes) and IV (8 bytes) for PKCS#12's 3DES. */
export function planPkcs12Derivation(
  der: Buffer,
  params: Element | undefined,
): { readonly key: Derivation; readonly iv: Derivation } | Refusal {
  const fields = sequenceOf(der, params);
  const salt = octetsOf(der, fields?.[0]);
  const iterations = integerOf(der, fields?.[1]);
  if (salt === null || iterations === null || iterations < 1) return notAKey;
  if (iterations > MAX_PKCS12_ITERATIONS) return encryptionCostly;
  const derivation =
    (purpose: number, length: number): Derivation =>
    (passPhrase) => {
      const { pkcs12, util } = forge();
      const saltBuffer = util.createBuffer(salt.toString('binary'));
      const bytes = pkcs12.generateKey(passPhrase, saltBuffer, purpose, iterations, length);
      return Buffer.from(bytes.getBytes(), 'binary');
    };
  return { key: derivation(1, 24), iv: derivation(2, 8) };
}

function planPbkdf2(
  der: Buffer,
  fields: readonly Element[],
  salt: Buffer,
  keyBytes: number,
): Derivation | Refusal {
  const iterations = integerOf(der, fields[1]);
  if (iterations === null || iterations < 1) return notAKey;
  if (iterations > MAX_ITERATIONS) return encryptionCostly;
  const statedBytes = fields[2]?.tag === TAG_INTEGER ? integerOf(der, fields[2]) : keyBytes;
  if (statedBytes !== keyBytes) return notAKey;
  const prf = fields.find(({ tag }) => tag === TAG_SEQUENCE);
  const digest = prf === undefined ? 'sha1' : DIGESTS.get(oidOf(der, sequenceOf(der, prf)?.[0]) ?? '');
  if (digest === undefined) return encryptionUnsupported;
  return (passPhrase) => pbkdf2Sync(passPhrase, salt, iterations, keyBytes, digest);
}

function planScrypt(
  der: Buffer,
  fields: readonly Element[],
  salt: Buffer,
  keyBytes: number,
): Derivation | Refusal {
  const N = integerOf(der, fields[1]);
  const r = integerOf(der, fields[2]);
  const p = integerOf(der, fields[3]);
  if (N === null || r === null || p === null || N < 2 || r < 1 || p < 1) return notAKey;
  if (128 * N * r > MAX_SCRYPT_BYTES || N * r * p > MAX_SCRYPT_WORK) return encryptionCostly;
  return (passPhrase) => scryptSync(passPhrase, salt, keyBytes, { N, r, p, maxmem: 2 * MAX_SCRYPT_BYTES });
}
