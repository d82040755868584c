/**
 * What opening a store begins with, so that it can begin before the rest of the program is loaded: the directory's lock, and the reading of the
 * file. Changes nothing but the lock.
 */
import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Application } from '../table/state.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { beginReading, type Reading, type WholeRead } from './reading.ts';
import { STATE_FILE } from './restore.ts';

export interface Opening {
  /** Rejects as `lockDirectory`. */
  readonly lock: Promise<DirectoryLock>;
  /** As `Reading.apps`. */
  readonly apps: Promise<readonly Application[] | null>;
  /** As `Reading.eachCertificate`; to be called when `apps` are known. */
  eachCertificate: Reading['eachCertificate'];
  /** null: the file is odd, or nothing is known of it. Never rejects. */
  readonly whole: Promise<WholeRead | null>;
  /** Gives up; also after the store was opened and closed. */
  abandon(): Promise<void>;
}

/** null where there is nothing to read yet, or it cannot be looked at: `openStore` says what of it is wrong. `keep`: all of it will be asked for. */
export function beginOpening(dir: string, keep: boolean): Opening | null {
  const real = directoryOfStore(dir);
  if (real === null) return null;
  let reading: Reading | null = null;
  let isAbandoned = false;
  const lock = lockDirectory(real);
  const begun = lock.then(
    () => {
      if (isAbandoned) return null;
      reading = beginReading({ path: join(real, STATE_FILE), keep });
      return reading;
    },
    // Whoever waits for the lock is told.
    () => null,
  );
  return {
    lock,
    apps: begun.then((it) => it?.apps ?? null),
    eachCertificate: (take) => reading?.eachCertificate(take),
    whole: begun.then((it) => it?.whole ?? null),
    async abandon() {
      isAbandoned = true;
      reading?.stop();
      await lock.then(
        (held) => held.release(),
        () => undefined,
      );
    },
  };
}

function directoryOfStore(dir: string): string | null {
  try {
    const real = realpathSync(dir);
    return statSync(join(real, STATE_FILE)).size > 0 ? real : null;
  } catch {
    return null;
  }
}
