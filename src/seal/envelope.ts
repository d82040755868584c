/**
 * Bytes under a master key: AES-256-GCM (NIST SP 800-38D) with a random nonce, its key's id in front so that keys can be rotated, and bound to
 * what they are for, so that one record cannot be put in the place of another. Random nonces are safe up to 2^32 seals a key; a
 * key that seals a thousand times a second gets there in seven weeks, our certificates in centuries.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyRing } from './key-ring.ts';

const CIPHER = 'aes-256-gcm';
const VERSION = 1;
const KEY_ID_BYTES = 8;
const HEAD_BYTES = 1 + KEY_ID_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What sealing adds. */
export const SEAL_BYTES = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

export type Unsealed =
  | { readonly ok: true; readonly plain: Buffer }
  | { readonly ok: false; readonly code: 'SEAL_KEY_MISSING' | 'SEAL_BROKEN'; readonly keyId: string | null };

/** Under the ring's current key. `purpose` names what the bytes are and whose; `unseal` wants the very same. */
export function seal(ring: KeyRing, purpose: string, plain: Uint8Array): Buffer {
  const { id, key } = ring.current();
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = VERSION;
  head.write(id, 1, 'hex');
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(head, purpose));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([head, nonce, cipher.getAuthTag(), body]);
}

/** Never throws. `SEAL_BROKEN`: changed since, or sealed for something else. */
export function unseal(ring: KeyRing, purpose: string, sealed: Uint8Array): Unsealed {
  const keyId = keyIdOf(sealed);
  if (keyId === null) return { ok: false, code: 'SEAL_BROKEN', keyId };
  const master = ring.find(keyId);
  if (master === undefined) return { ok: false, code: 'SEAL_KEY_MISSING', keyId };
  const nonce = sealed.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
  const tag = sealed.subarray(HEAD_BYTES + NONCE_BYTES, SEAL_BYTES);
  try {
    const decipher = createDecipheriv(CIPHER, master.key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(sealed.subarray(0, HEAD_BYTES), purpose));
    decipher.setAuthTag(tag);
    return {
      ok: true,
      plain: Buffer.concat([decipher.update(sealed.subarray(SEAL_BYTES)), decipher.final()]),
    };
  } catch {
    return { ok: false, code: 'SEAL_BROKEN', keyId };
  }
}

/** Id of the key that these bytes are under; null where they are no envelope. */
export function keyIdOf(sealed: Uint8Array): string | null {
  if (sealed.length < SEAL_BYTES || sealed[0] !== VERSION) return null;
  return Buffer.from(sealed.buffer, sealed.byteOffset + 1, KEY_ID_BYTES).toString('hex');
}

function boundTo(head: Uint8Array, purpose: string): Buffer {
  return Buffer.concat([head, Buffer.from(purpose, 'utf8')]);
}
