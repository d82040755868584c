/** Where the master keys come from, and the file that holds them. */
import {
  chmodSync,
  closeSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type MasterKey, newKeyText, readKeys } from '../seal/key-ring.ts';
import type { Log } from '../telemetry/types.ts';
import { lockDirectory } from './directory-lock.ts';
import { syncDirectory } from './state-directory.ts';
import { messageOf, StoreError } from './store-error.ts';

/** `given`: by the environment or the configuration itself. `own`: made by us, and by us alone, when it is not there. */
export type KeySource =
  | { readonly kind: 'given'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string; readonly own: boolean };

/** What a message calls it. */
export function sourceName(source: KeySource): string {
  return source.kind === 'given' ? 'HEADGEAR_MASTER_KEY' : source.path;
}

/**
 * Where a state directory's keys come from. Without a configured one: `master-key/master.key` in it, a folder that holds nothing else, so that
 * a backup can leave it out or keep it elsewhere. It protects copies of the store alone, not of the whole directory.
 */
export function keySourceOf(
  masterKey: { readonly file?: string | undefined; readonly key?: string | undefined },
  stateDir: string,
): KeySource {
  if (masterKey.key !== undefined) return { kind: 'given', text: masterKey.key };
  if (masterKey.file !== undefined) return { kind: 'file', path: masterKey.file, own: false };
  return { kind: 'file', path: join(stateDir, 'master-key', 'master.key'), own: true };
}

/** For whoever has to know where the keys come from, and not what they are. */
export function withoutKeys(source: KeySource): KeySource {
  return source.kind === 'given' ? { kind: 'given', text: '' } : source;
}

type Keys = readonly [MasterKey, ...MasterKey[]];

/**
 * The keys of a source as it is now, the current one first.
 * @throws StoreError STORE_KEY_MISSING where there is no file, STORE_KEY_INVALID where there is no key in it.
 */
export function loadKeys(source: KeySource): Keys {
  const read = readKeys(source.kind === 'given' ? source.text : readKeyFile(source.path));
  if (read.ok) return read.keys;
  throw new StoreError('STORE_KEY_INVALID', `${sourceName(source)}: ${read.reason}`);
}

/**
 * Changes a key file; `change` gets the keys as they are written there and gives what is to be there, or null for no change. One at a time,
 * whatever process asks: two that read the same and both write would lose a key that something may be under already.
 * @throws StoreError as `loadKeys`; STORE_DIRECTORY or STORE_IN_USE where the folder cannot be written or somebody else is at it.
 */
export async function changeKeyFile(
  path: string,
  change: (texts: readonly string[]) => readonly string[] | null,
): Promise<void> {
  // Says what is wrong with the file itself, where something is.
  readTexts(path);
  const lock = await lockDirectory(dirname(realpathSync(path)));
  try {
    const next = change(readTexts(path));
    if (next !== null) writeKeyFile(path, next);
  } finally {
    await lock.release();
  }
}

/** Puts a new key before the others; false where there are former ones already, so that a rotation is under way. */
export async function addNewKey(path: string): Promise<boolean> {
  let added = false;
  await changeKeyFile(path, (texts) => {
    added = texts.length === 1;
    return added ? [newKeyText(), ...texts] : null;
  });
  return added;
}

function readTexts(path: string): readonly string[] {
  const read = readKeys(readKeyFile(path));
  if (!read.ok) throw new StoreError('STORE_KEY_INVALID', `${path}: ${read.reason}`);
  return read.texts;
}

/** Makes our own key file where there is none; true if it did. Its folder, too, is closed to everybody else. */
export function makeOwnKey(source: KeySource, log: Log): boolean {
  if (source.kind === 'given' || !source.own) return false;
  if (statSync(source.path, { throwIfNoEntry: false }) !== undefined) return false;
  mkdirSync(dirname(source.path), { recursive: true, mode: 0o700 });
  chmodSync(dirname(source.path), 0o700);
  writeKeyFile(source.path, [newKeyText()]);
  syncDirectory(dirname(dirname(source.path)));
  log.info('made a master key for the private keys in the store; back it up apart from the store', {
    file: source.path,
  });
  return true;
}

/**
 * Replaces a key file as one step: whoever reads sees the former or the new content, whatever happens meanwhile. Owner and a mode as
 * strict as the former's stay.
 */
function writeKeyFile(path: string, texts: readonly string[]): void {
  const former = statSync(path, { throwIfNoEntry: false });
  const target = former === undefined ? path : realpathSync(path);
  const draft = `${target}.new`;
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    if (former !== undefined && process.geteuid?.() === 0) fchownSync(file, former.uid, former.gid);
    writeSync(
      file,
      `# Master keys of Headgear, the current one first; headgear rotate-key adds one and takes the former away.\n${texts.join('\n')}\n`,
    );
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (former !== undefined && (former.mode & 0o077) !== 0) chmodSync(draft, former.mode & 0o640);
  renameSync(draft, target);
  syncDirectory(dirname(target));
}

function readKeyFile(path: string): string {
  try {
    const facts = statSync(path);
    if (!facts.isFile() || facts.size > 65_536) throw new Error('not a file of keys');
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StoreError('STORE_KEY_MISSING', `the master key cannot be read: ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
