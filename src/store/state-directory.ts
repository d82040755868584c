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
  statSync,
  unlinkSync,
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

/** Removes a file that only living processes need, if there is one. Whatever else has that name stays, for others to refuse. */
export function removeLockFile(dir: string, name: string): void {
  try {
    unlinkSync(join(dir, name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EISDIR' && code !== 'EPERM') throw error;
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
