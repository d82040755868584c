/**
 * PKCS#8 (RFC 5958), plain and encrypted (RFC 8018), opened by hand as far as the algorithm's name. Two attacks of a hostile tenant are
 * why OpenSSL is not simply handed the PEM and the pass phrase. It derives the key at whatever cost the file asks for: 2^31 rounds of
 * PBKDF2 stop the process for half an hour. And it computes a DSA or DH key's public half while reading it: 6 KB of chosen numbers
 * take 9 s, 24 KB minutes. So the work factor is bounded first, and what is inside must be a kind of key that TLS serves with.
 */
import { createDecipheriv } from 'node:crypto';
import {
  type Element,
  octetsOf,
  oidOf,
  readElement,
  sequenceOf,
  TAG_INTEGER,
  TAG_OCTET_STRING,
} from './der.ts';
import { planDerivation, planPkcs12Derivation } from './key-derivation.ts';
import {
  dsaRefused,
  encryptionUnsupported,
  missingPassPhrase,
  notAKey,
  type Refusal,
  typeRefused,
  wrongPassPhrase,
} from './refusal.ts';

const PBES2 = '1.2.840.113549.1.5.13';
/** SHA-1 and three-key 3DES: old, but what `openssl pkcs8 -topk8` wrote for many years. */
const PKCS12_3DES = '1.2.840.113549.1.12.1.3';
const DSA = '1.2.840.10040.4.1';
/** RSA, ECDSA, Ed25519. */
const SERVABLE = new Set(['1.2.840.113549.1.1.1', '1.2.840.10045.2.1', '1.3.101.112']);

const CIPHERS: ReadonlyMap<string, { readonly name: string; readonly keyBytes: number }> = new Map([
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyBytes: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyBytes: 24 }],
  ['2.16.840.1.101.3.4.1.42', { name: 'aes-256-cbc', keyBytes: 32 }],
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyBytes: 24 }],
]);

/** Derives key and IV and decrypts; null when that fails, which is how a wrong pass phrase shows. */
type Decryption = (passPhrase: string) => Buffer | null;

/** Decrypts an EncryptedPrivateKeyInfo to a PrivateKeyInfo. Takes at most about half a second; never throws. */
export function decryptPkcs8(
  der: Buffer,
  passPhrase: string | null,
): { readonly ok: true; readonly der: Buffer } | Refusal {
  const plan = planDecryption(der);
  if (typeof plan !== 'function') return plan;
  if (passPhrase === null) return missingPassPhrase;
  try {
    const plain = plan(passPhrase);
    return plain === null || algorithmOf(plain) === null ? wrongPassPhrase : { ok: true, der: plain };
  } catch {
    // What the derivations throw on: scrypt's N not a power of two, an IV of the wrong length.
    return notAKey;
  }
}

/** Null when a plain PrivateKeyInfo holds a kind of key that may be given to OpenSSL. */
export function objectionToPkcs8(der: Buffer): Refusal | null {
  const algorithm = algorithmOf(der);
  if (algorithm === null) return notAKey;
  if (SERVABLE.has(algorithm)) return null;
  return algorithm === DSA ? dsaRefused : typeRefused;
}

function algorithmOf(der: Buffer): string | null {
  const parts = sequenceOf(der, whole(der));
  if (parts?.[0]?.tag !== TAG_INTEGER || parts[2]?.tag !== TAG_OCTET_STRING) return null;
  return oidOf(der, sequenceOf(der, parts[1])?.[0]);
}

function planDecryption(der: Buffer): Decryption | Refusal {
  const [algorithm, sealed, ...rest] = sequenceOf(der, whole(der)) ?? [];
  const [scheme, params] = sequenceOf(der, algorithm) ?? [];
  const oid = oidOf(der, scheme);
  const box = octetsOf(der, sealed);
  if (box === null || rest.length > 0 || oid === null) return notAKey;
  if (oid === PBES2) return planPbes2(der, params, box);
  if (oid !== PKCS12_3DES) return encryptionUnsupported;
  const derive = planPkcs12Derivation(der, params);
  if ('ok' in derive) return derive;
  return (passPhrase) => decrypt('des-ede3-cbc', derive.key(passPhrase), derive.iv(passPhrase), box);
}

function planPbes2(der: Buffer, params: Element | undefined, box: Buffer): Decryption | Refusal {
  const [kdf, scheme] = sequenceOf(der, params) ?? [];
  const [cipherId, ivElement] = sequenceOf(der, scheme) ?? [];
  const oid = oidOf(der, cipherId);
  if (oid === null) return notAKey;
  const cipher = CIPHERS.get(oid);
  if (cipher === undefined) return encryptionUnsupported;
  const iv = octetsOf(der, ivElement);
  if (iv === null) return notAKey;
  const derive = planDerivation(der, kdf, cipher.keyBytes);
  if (typeof derive !== 'function') return derive;
  return (passPhrase) => decrypt(cipher.name, derive(passPhrase), iv, box);
}

function decrypt(cipher: string, key: Buffer, iv: Buffer, box: Buffer): Buffer | null {
  const decipher = createDecipheriv(cipher, key, iv);
  try {
    return Buffer.concat([decipher.update(box), decipher.final()]);
  } catch {
    return null;
  }
}

/** The one element that fills `der`: OpenSSL would pass over anything that follows. */
function whole(der: Buffer): Element | null {
  const outer = readElement(der, 0, der.length);
  return outer?.end === der.length ? outer : null;
}
