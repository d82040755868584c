/** The master keys for a store, once it is certain that they open what is there. */
import { createKeyRing, type KeyRing } from '../seal/key-ring.ts';
import type { Log } from '../telemetry/types.ts';
import { type KeySource, keySourceOf, loadKeys, makeOwnKey, sourceName } from './master-key.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';

const WHAT_TO_DO =
  'give it that key again, behind the new one if there is a new one (a key can only be taken away after headgear rotate-key). Nothing was changed';

/**
 * The keys of the source. Only a store that holds nothing sealed gets a new key. On disk the store knows the keys that it needs before
 * anything is under them.
 * @throws StoreError STORE_KEY_MISSING or STORE_KEY_INVALID.
 */
export async function openKeys(
  { root, keys }: Tables,
  source: KeySource,
  dir: string,
  log: Log,
): Promise<KeyRing> {
  const inUse = keys.keys();
  if (inUse.length === 0) makeOwnKey(source, log);
  const ring = createKeyRing(loadKeysFor(source, dir, inUse));
  const missing = inUse.filter((id) => ring.find(id) === undefined);
  if (missing.length > 0) {
    throw new StoreError(
      'STORE_KEY_MISSING',
      `the private keys in ${dir} are encrypted under master key ${missing.join(' and ')}, but ${sourceName(source)} has ${ring.ids().join(', ')}: ${WHAT_TO_DO}${whereElse(dir, missing)}`,
    );
  }
  const current = ring.current().id;
  if (!inUse.includes(current)) await root.childTransaction(() => keys.put(current, Date.now()));
  return ring;
}

/** Whoever begins to configure a key has the former one in our own file. */
function whereElse(dir: string, missing: readonly string[]): string {
  const own = keySourceOf({}, dir);
  try {
    const held = loadKeys(own).map(({ id }) => id);
    return missing.every((id) => held.includes(id)) ? `. ${sourceName(own)} has it` : '';
  } catch {
    return '';
  }
}

function loadKeysFor(source: KeySource, dir: string, inUse: readonly string[]): ReturnType<typeof loadKeys> {
  try {
    return loadKeys(source);
  } catch (error) {
    if (inUse.length === 0 || !(error instanceof StoreError)) throw error;
    throw new StoreError(
      error.code,
      `${error.message}; the private keys in ${dir} are encrypted under master key ${inUse.join(' and ')}: ${WHAT_TO_DO}`,
      { cause: error },
    );
  }
}
