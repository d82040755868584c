/** Before the store is opened: its file is verified, or the last verified snapshot takes its place. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../telemetry/types.ts';
import { renewApart, settleApart, verifyApart } from './check-file.ts';
import type { WholeRead } from './reading.ts';
import { FILE_MODE, syncDirectory, syncFile } from './state-directory.ts';
import { StoreError } from './store-error.ts';

export const STATE_FILE = 'state.mdb';
/** The last verified snapshot. */
export const SNAPSHOT_FILE = 'state.snapshot';
/** What was found damaged last, kept for whoever wants to look into it. */
export const DAMAGED_FILE = 'state.damaged';

export interface Restored {
  /** Epoch milliseconds at which the snapshot was taken. */
  readonly snapshotAt: number;
  readonly reason: string;
}

/** What is said of it. */
export interface RestoredFacts extends Restored {
  /** Events that were acked after the snapshot are lost: the log does not lead on from it. */
  readonly lost: boolean;
}

/** What the store is opened from. */
export interface Verified {
  readonly restored: Restored | null;
  /** What the file holds, where it was whole as it lay. */
  readonly read: WholeRead | null;
}

/**
 * Leaves `state.mdb` verified, or empty in a directory that holds no state yet. One that is sound, and yet not in every page and every list
 * of free ones as lmdb leaves it, is renewed record by record: a flipped bit in the head of a page, or in such a list, may harm nobody
 * until the page is written to. A damaged one goes to `state.damaged`, and a copy of the snapshot in its place; that is returned and
 * logged as an error.
 * @param whole of the reading that began with the lock; null where there was nothing to read.
 * @throws StoreError STORE_DAMAGED when there is nothing sound to go on with.
 */
export async function restoreIfDamaged(
  dir: string,
  whole: Promise<WholeRead | null> | null,
  log: Log,
): Promise<Verified> {
  const path = join(dir, STATE_FILE);
  clearLeftovers(dir);
  if (isEmpty(path)) {
    if (!existsSync(join(dir, SNAPSHOT_FILE))) return { restored: null, read: null };
    return { restored: await restore(dir, 'it is missing or empty', log), read: null };
  }
  const read = await whole;
  if (read !== null) return { restored: null, read };
  const copy = newName(path);
  const check = await settleApart(path, copy);
  if (check.kind === 'damaged') return { restored: await restore(dir, check.reason, log), read: null };
  if (check.kind === 'unknown')
    log.warn('the store could not be verified; it is opened as it is', { path, reason: check.reason });
  else if (check.copied) putInPlace(copy, path);
  clearLeftovers(dir);
  return { restored: null, read: null };
}

/** After private keys that lay in the clear were encrypted: pages that were freed of them go, and what says where else they may lie. */
export async function renew(dir: string, log: Log): Promise<void> {
  const path = join(dir, STATE_FILE);
  const copy = newName(path);
  const check = await renewApart(path, copy);
  if (check.kind === 'sound' && check.copied) putInPlace(copy, path);
  else {
    log.error(
      'the state file could not be written anew: until the next start its free pages hold private keys in the clear',
      {
        code: 'STORE_RENEW_FAILED',
        reason: check.kind === 'sound' ? 'there is no room for a copy' : check.reason,
      },
    );
  }
  clearLeftovers(dir);
  if (existsSync(join(dir, DAMAGED_FILE))) {
    log.warn(
      'a damaged store of before holds private keys in the clear: remove it when it is no longer wanted',
      {
        file: join(dir, DAMAGED_FILE),
      },
    );
  }
}

/** A file that `putInPlace` has not put there yet. Each has a name of its own: what a killed process started may still write. */
export function newName(path: string): string {
  return `${path}-${randomBytes(6).toString('hex')}.new`;
}

/** With the file that lmdb makes beside one that it opens. */
const LEFTOVER = /^state\.(mdb|snapshot)-[0-9a-f]{12}\.new(-lock)?$/;

/** Removes what was not put in its place. */
export function clearLeftovers(dir: string): void {
  for (const name of readdirSync(dir)) if (LEFTOVER.test(name)) rmSync(join(dir, name), { force: true });
}

/** Durably, and whole or not at all. */
export function putInPlace(fresh: string, path: string): void {
  syncFile(fresh, FILE_MODE);
  renameSync(fresh, path);
  syncDirectory(dirname(path));
}

function isEmpty(path: string): boolean {
  return !existsSync(path) || statSync(path).size === 0;
}

async function restore(dir: string, reason: string, log: Log): Promise<Restored> {
  const path = join(dir, STATE_FILE);
  const snapshot = join(dir, SNAPSHOT_FILE);
  const damaged = join(dir, DAMAGED_FILE);
  const start = `move ${path} and all state.redo-* beside it away to start empty; every route has to be announced or reconciled anew then`;
  if (!existsSync(snapshot)) {
    throw new StoreError(
      'STORE_DAMAGED',
      `the store ${path} is damaged (${reason}) and there is no snapshot yet: ${start}`,
    );
  }
  const before = await verifyApart(snapshot);
  if (before.kind === 'damaged') {
    throw new StoreError(
      'STORE_DAMAGED',
      `the store ${path} is damaged (${reason}), and so is its snapshot (${before.reason}): put a backup in its place, or ${start}`,
    );
  }
  const snapshotAt = Math.round(statSync(snapshot).mtimeMs);
  const copy = newName(path);
  copyFileSync(snapshot, copy);
  if (!isEmpty(path)) renameSync(path, damaged);
  putInPlace(copy, path);
  log.error(
    'THE STORE WAS DAMAGED: Headgear goes on from the last verified snapshot and the log of what was committed since. ' +
      'The damaged file is kept beside it, with the private keys in it',
    {
      code: 'STORE_DAMAGED',
      reason,
      snapshotTakenAt: new Date(snapshotAt).toISOString(),
      damagedFile: damaged,
    },
  );
  return { snapshotAt, reason };
}
