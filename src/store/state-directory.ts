/** The directory that holds private keys: made, checked, and closed to everybody but its owner. */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../telemetry/types.ts';
import { messageOf, StoreError } from './store-error.ts';

const DIRECTORY_MODE = 0o700;
/** Of every file that may hold a private key. */
export const FILE_MODE = 0o600;
const OTHERS = 0o077;

/**
 * Makes the state directory or takes the one there is, with mode 0700 whatever the umask; a wider mode is narrowed and
 * logged.
 * @returns the directory's real path.
 * @throws StoreError STORE_DIRECTORY when it is no directory, cannot be written, or belongs to another user.
 */
export function prepareStateDirectory(dir: string, log: Log): string {
  try {
    mkdirSync(dir, { recursive: true, mode: DIRECTORY_MODE });
    const real = realpathSync(dir);
    const facts = statSync(real);
    if (!facts.isDirectory()) throw new StoreError('STORE_DIRECTORY', `${dir} is not a directory`);
    refuseForeignOwner(real, facts.uid, log);
    if ((facts.mode & OTHERS) !== 0) {
      chmodSync(real, DIRECTORY_MODE);
      log.warn('state directory was open to other users: mode set to 0700', { dir: real });
    }
    return real;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new StoreError('STORE_DIRECTORY', `${dir} is not a directory`, { cause: error });
    }
    throw new StoreError('STORE_DIRECTORY', `cannot use ${dir}: ${messageOf(error)}`, { cause: error });
  }
}

/** Whoever owns the directory can put other files in the place of ours. Root may use anybody's, as in containers. */
function refuseForeignOwner(dir: string, owner: number, log: Log): void {
  const self = process.geteuid?.();
  if (self === undefined || owner === self) return;
  if (self !== 0) throw new StoreError('STORE_DIRECTORY', `${dir} belongs to another user (uid ${owner})`);
  if (owner !== 0) log.warn('state directory belongs to another user', { dir, uid: owner });
}

/**
 * Makes the file with mode 0600, or narrows the one there is, before lmdb opens it: lmdb would create it as the umask
 * lets it. Setting the umask for the while was rejected: it belongs to the whole process, other threads included.
 * @throws StoreError STORE_DIRECTORY when the file cannot be written.
 */
export function preparePrivateFile(dir: string, name: string, log: Log): string {
  const path = join(dir, name);
  try {
    const file = openSync(path, 'a', FILE_MODE);
    try {
      const facts = fstatSync(file);
      if (!facts.isFile()) throw new Error('not a file');
      if ((facts.mode & 0o777) !== FILE_MODE) {
        fchmodSync(file, FILE_MODE);
        if ((facts.mode & OTHERS) !== 0)
          log.warn('state file was open to other users: mode set to 0600', { path });
      }
    } finally {
      closeSync(file);
    }
    return path;
  } catch (error) {
    throw new StoreError('STORE_DIRECTORY', `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** More than lmdb's table of readers takes. */
const LOCK_FILE_BYTES = 16_384;

/**
 * Makes lmdb's lock file at `path` with room on the disk for all of it. lmdb itself would leave holes and map them into memory: on a full disk
 * the first touch of one ends the process by SIGBUS, and a sound store would pass for a damaged one. What is there stays where there is no
 * room for a new one (lmdb writes its head anew in any case).
 * A new file, because a process that was killed may have left the former one in any state.
 * @param fresh name for the time until it is whole.
 * @throws the system's error where there is none yet and no room (ENOSPC).
 */
export function makeLockFile(path: string, fresh: string): void {
  try {
    writeFileSync(fresh, Buffer.alloc(LOCK_FILE_BYTES), { mode: FILE_MODE });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    const isThere = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC' || !isThere) throw error;
    chmodSync(path, FILE_MODE);
  }
}

/** Makes the directory's entries durable: a synced file whose name is lost with the power is lost too. */
export function syncDirectory(dir: string): void {
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a whole file durable, under this mode. */
export function syncFile(path: string, mode: number): void {
  const handle = openSync(path, 'r+');
  try {
    fchmodSync(handle, mode);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
