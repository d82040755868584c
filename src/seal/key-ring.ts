/** Master keys: what private keys are encrypted with at rest. The first is the current one; former ones only open. */
import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

export interface MasterKey {
  /** 16 hex digits that tell keys apart and say nothing about them. */
  readonly id: string;
  /** A KeyObject lives outside of the JavaScript heap: no heap snapshot or crash report holds it. */
  readonly key: KeyObject;
}

export interface KeyRing {
  current(): MasterKey;
  /** By id; former keys too, and those that were replaced since the start: what is in memory may still be under them. */
  find(id: string): MasterKey | undefined;
  /** Ids of the keys that the source of the keys holds now, the current one first. */
  ids(): readonly string[];
  /** Takes what the source holds now; the first is the current one. */
  replace(keys: readonly [MasterKey, ...MasterKey[]]): void;
}

export const MASTER_KEY_BYTES = 32;
const MAX_KEYS = 16;

export function createKeyRing(keys: readonly [MasterKey, ...MasterKey[]]): KeyRing {
  let held = keys;
  const known = new Map(keys.map((key) => [key.id, key]));
  return {
    current: () => held[0],
    find: (id) => known.get(id),
    ids: () => held.map(({ id }) => id),
    replace(next) {
      held = next;
      for (const key of next) known.set(key.id, key);
    },
  };
}

export function masterKeyOf(bytes: Uint8Array): MasterKey {
  const id = createHash('sha256').update('headgear master key id\0').update(bytes).digest('hex').slice(0, 16);
  return { id, key: createSecretKey(bytes) };
}

/** A new key, as it is written in a key file. */
export function newKeyText(): string {
  return randomBytes(MASTER_KEY_BYTES).toString('hex');
}

export type ReadKeys =
  | {
      readonly ok: true;
      readonly keys: readonly [MasterKey, ...MasterKey[]];
      readonly texts: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

/**
 * Keys as a file or a variable holds them: 32 bytes each, in hex or base64, one a line (or separated by commas or blanks), `#` begins a
 * comment. The first is the current one. A reason never quotes what it read.
 */
export function readKeys(text: string): ReadKeys {
  const texts = text
    .split('\n')
    .map((line) => line.replace(/#.*/, ''))
    .flatMap((line) => line.split(/[\s,]+/))
    .filter((word) => word !== '');
  const keys: MasterKey[] = [];
  for (const [n, word] of texts.entries()) {
    const bytes = keyBytes(word);
    if (bytes === null) {
      return {
        ok: false,
        reason: `key ${n + 1} is not 32 bytes in hex or base64; make one with: openssl rand -hex 32`,
      };
    }
    const key = masterKeyOf(bytes);
    bytes.fill(0);
    if (keys.every(({ id }) => id !== key.id)) keys.push(key);
  }
  const [first, ...rest] = keys;
  if (first === undefined)
    return { ok: false, reason: 'there is no key; make one with: openssl rand -hex 32' };
  if (keys.length > MAX_KEYS) return { ok: false, reason: `there are more than ${MAX_KEYS} keys` };
  return { ok: true, keys: [first, ...rest], texts };
}

function keyBytes(word: string): Buffer | null {
  if (/^[0-9a-f]{64}$/i.test(word)) return Buffer.from(word, 'hex');
  return /^[A-Za-z0-9+/]{43}=$/.test(word) ? Buffer.from(word, 'base64') : null;
}
