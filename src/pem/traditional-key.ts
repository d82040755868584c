/**
 * Keys encrypted the traditional way (RFC 1421 headers, OpenSSL's one round of MD5 as key derivation), decrypted by hand. They are not
 * handed to OpenSSL whole: its decoders go on guessing at what they find inside, so a PKCS#8 envelope with a ruinous work factor
 * could hide there. Cost: one MD5 chain and one pass of a cipher.
 */
import { createDecipheriv, createHash } from 'node:crypto';
import type { PemBlock } from './blocks.ts';
import { readElement, sequenceOf, TAG_INTEGER, TAG_OCTET_STRING } from './der.ts';
import { forge } from './forge.ts';
import { encryptionUnsupported, type Refusal, refuse, wrongPassPhrase } from './refusal.ts';

interface Cipher {
  readonly name: string;
  readonly keyBytes: number;
  readonly ivBytes: number;
}

const CIPHERS: ReadonlyMap<string, Cipher> = new Map([
  ['AES-128-CBC', { name: 'aes-128-cbc', keyBytes: 16, ivBytes: 16 }],
  ['AES-192-CBC', { name: 'aes-192-cbc', keyBytes: 24, ivBytes: 16 }],
  ['AES-256-CBC', { name: 'aes-256-cbc', keyBytes: 32, ivBytes: 16 }],
  ['DES-EDE3-CBC', { name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 }],
  // OpenSSL 3 has put single DES away with its legacy provider; forge still reads it.
  ['DES-CBC', { name: 'forge', keyBytes: 8, ivBytes: 8 }],
]);

export function isTraditionallyEncrypted(block: PemBlock): boolean {
  return block.headers.some((line) => /^Proc-Type:\s*4,\s*ENCRYPTED$/i.test(line));
}

/** The key's DER, or why not. A wrong pass phrase can also come out as bytes that are no key: the caller's parser tells. */
export function decryptTraditional(
  block: PemBlock,
  passPhrase: string,
): { readonly ok: true; readonly der: Buffer } | Refusal {
  const info = block.headers
    .map((line) => /^DEK-Info:\s*([A-Z0-9-]{1,20})\s*,\s*([0-9A-F]{2,64})$/i.exec(line))
    .find((match) => match !== null);
  if (info === undefined)
    return refuse('PEM_KEY_MALFORMED', 'the encrypted private key lacks its DEK-Info header');
  const cipher = CIPHERS.get((info?.[1] ?? '').toUpperCase());
  if (cipher === undefined) return encryptionUnsupported;
  const iv = Buffer.from(info?.[2] ?? '', 'hex');
  if (iv.length !== cipher.ivBytes || block.der.length % cipher.ivBytes !== 0) {
    return refuse('PEM_KEY_MALFORMED', 'the encrypted private key does not fit its DEK-Info header');
  }
  const key = deriveKey(passPhrase, iv.subarray(0, 8), cipher.keyBytes);
  const der =
    cipher.name === 'forge' ? decryptDes(key, iv, block.der) : decryptByNode(cipher.name, key, iv, block.der);
  return der === null ? wrongPassPhrase : { ok: true, der };
}

/**
 * Whether `der` begins as RSAPrivateKey (RFC 8017) or ECPrivateKey (RFC 5915) do. OpenSSL also takes a PKCS#8 key of any kind in their
 * place, and so a DSA key with numbers of ruinous size (see pkcs8.ts).
 */
export function hasTraditionalShape(der: Buffer, type: 'pkcs1' | 'sec1'): boolean {
  const outer = readElement(der, 0, der.length);
  const parts = outer?.end === der.length ? sequenceOf(der, outer) : null;
  return (
    parts?.[0]?.tag === TAG_INTEGER && parts[1]?.tag === (type === 'pkcs1' ? TAG_INTEGER : TAG_OCTET_STRING)
  );
}

/** OpenSSL's EVP_BytesToKey with MD5 and one round. */
function deriveKey(passPhrase: string, salt: Buffer, length: number): Buffer {
  let key = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (key.length < length) {
    last = createHash('md5').update(last).update(passPhrase, 'utf8').update(salt).digest();
    key = Buffer.concat([key, last]);
  }
  return key.subarray(0, length);
}

function decryptByNode(name: string, key: Buffer, iv: Buffer, sealed: Buffer): Buffer | null {
  try {
    const decipher = createDecipheriv(name, key, iv);
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch {
    return null;
  }
}

function decryptDes(key: Buffer, iv: Buffer, sealed: Buffer): Buffer | null {
  try {
    const { cipher, util } = forge();
    const decipher = cipher.createDecipher('DES-CBC', key.toString('binary'));
    decipher.start({ iv: iv.toString('binary') });
    decipher.update(util.createBuffer(sealed.toString('binary')));
    return decipher.finish() ? Buffer.from(decipher.output.getBytes(), 'binary') : null;
  } catch {
    return null;
  }
}
