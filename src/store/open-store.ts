/**
 * The store: one transaction a batch, alone in its directory.
 *
 * A batch is a child transaction: if anything in it throws, lmdb aborts all of it. The commit and its sync run on lmdb's
 * thread; only handing over the values takes time here. On a failed commit lmdb also prints the system's error to stderr;
 * that cannot be turned off.
 *
 * Deleted keys: a deletion leaves nothing that can be reached through the store, but lmdb frees pages without wiping
 * them, so bytes of a deleted key may stay in `state.mdb` until its pages are used again, and in the last snapshot until
 * the next one (snapshots.ts). Encrypting the file with lmdb's `encryptionKey` would not change that for anybody who can
 * read the directory, where the key would be.
 */
import type { Log } from '../telemetry/types.ts';
import { lockDirectory } from './directory-lock.ts';
import { bringToFormat } from './format.ts';
import { heldOf, planQuarantine, type QuarantineIndex, type QuarantinePlan } from './quarantine.ts';
import { type Restored, restoreIfDamaged, STATE_FILE } from './restore.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';
import {
  preparePrivateFile,
  prepareStateDirectory,
  removeLockFile,
  syncDirectory,
} from './state-directory.ts';
import { messageOf, StoreError } from './store-error.ts';
import { openTables, type Tables } from './tables.ts';
import type { Recovered, Store, StoreBatch } from './types.ts';

const DEFAULT_MAX_QUARANTINE_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_QUARANTINE_AGE_MS = 30 * 86_400_000;
const DEFAULT_SNAPSHOT_INTERVAL_MS = 600_000;
const EXPIRY_INTERVAL_MS = 3_600_000;
const CAUSE_WAIT_MS = 1_000;
/** Above every alias: a certificate's key is [app, alias], and aliases are ASCII. */
const AFTER_EVERY_ALIAS = '\uffff';

export interface StoreOptions {
  /** State directory; made with mode 0700 when it is not there. */
  readonly dir: string;
  readonly maxQuarantined: number;
  /** Bound of all quarantined bodies together; default 64 MiB. */
  readonly maxQuarantineBytes?: number;
  /** After which a quarantined message goes; default 30 days. */
  readonly maxQuarantineAgeMs?: number;
  /** Longest time, in milliseconds, that a change is in the store but in no verified snapshot; default 10 minutes. */
  readonly snapshotIntervalMs?: number;
  readonly log: Log;
  /** Epoch milliseconds; default: the system's clock. */
  readonly now?: () => number;
}

/**
 * Opens the store, alone: it takes the directory's lock until `close` or the end of the process, however it ends. The
 * file is verified first, and the last snapshot takes its place if it is damaged.
 * @throws StoreError STORE_DIRECTORY, STORE_IN_USE, STORE_FORMAT (written by a newer Headgear), STORE_DAMAGED (and no
 * snapshot to go back to) or STORE_OPEN_FAILED.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const log = options.log.child('store');
  const dir = prepareStateDirectory(options.dir, log);
  const lock = await lockDirectory(dir);
  try {
    // lmdb's table of readers: whoever else had this open is gone, and a process that was killed may have left it in any state.
    removeLockFile(dir, `${STATE_FILE}-lock`);
    const path = preparePrivateFile(dir, STATE_FILE, log);
    preparePrivateFile(dir, `${STATE_FILE}-lock`, log);
    const restored = await restoreIfDamaged(dir, log);
    const tables = openTables(path);
    syncDirectory(dir);
    try {
      await bringToFormat(tables, dir);
      const snapshots = createSnapshots(dir, {
        intervalMs: options.snapshotIntervalMs ?? DEFAULT_SNAPSHOT_INTERVAL_MS,
        log,
        onRead: () => void tables.root.readerCheck(),
      });
      return createStore(tables, options, snapshots, restored, lock.release);
    } catch (error) {
      await tables.root.close();
      throw error;
    }
  } catch (error) {
    await lock.release();
    if (error instanceof StoreError) throw error;
    throw new StoreError('STORE_OPEN_FAILED', `cannot open the store in ${dir}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function createStore(
  tables: Tables,
  options: StoreOptions,
  snapshots: Snapshots,
  restored: Restored | null,
  releaseLock: () => Promise<void>,
): Store {
  const { root, meta, apps, certificates, quarantine } = tables;
  const bounds = {
    maxEntries: options.maxQuarantined,
    maxBytes: options.maxQuarantineBytes ?? DEFAULT_MAX_QUARANTINE_BYTES,
    maxAgeMs: options.maxQuarantineAgeMs ?? DEFAULT_MAX_QUARANTINE_AGE_MS,
  };
  const now = options.now ?? Date.now;
  let index: QuarantineIndex = {
    held: quarantine.values().map(heldOf),
    nextId: meta.get('nextQuarantineId') ?? 1,
  };
  let last: Promise<unknown> = Promise.resolve();
  let closed: Promise<void> | null = null;

  /** One batch after the other: each plans its quarantine from what the one before left. */
  async function commitNext(batch: StoreBatch): Promise<void> {
    const plan = planQuarantine(
      index,
      {
        entries: batch.quarantine,
        forget: batch.forgetQuarantineOf,
        drop: batch.dropQuarantine,
        now: now(),
      },
      bounds,
    );
    try {
      await root.childTransaction(() => writeBatch(tables, batch, plan));
    } catch (error) {
      throw new StoreError('STORE_COMMIT_FAILED', `not committed: ${await causeOf(error)}`, { cause: error });
    }
    index = { held: plan.held, nextId: plan.nextId };
    snapshots.changed(deletesSecrets(batch, plan));
  }

  /** Age alone has to end what is kept, also where no event comes for weeks. */
  function expire(): void {
    const [oldest] = index.held;
    if (closed !== null || oldest === undefined || oldest.at >= now() - bounds.maxAgeMs) return;
    const nothing = {
      apps: [],
      tombstones: [],
      certificates: [],
      quarantine: [],
      forgetQuarantineOf: [],
      dropQuarantine: [],
    };
    // What a batch before it changes is read in its turn.
    last = last
      .then(() =>
        commitNext({
          ...nothing,
          nextClaim: meta.get('nextClaim') ?? 1,
          generation: meta.get('generation') ?? 0,
        }),
      )
      .catch(() => undefined);
  }
  const clock = setInterval(expire, EXPIRY_INTERVAL_MS);
  clock.unref();
  expire();

  return {
    recover(): Recovered {
      return {
        apps: apps.values(),
        tombstones: tables.tombstones.entries(),
        nextClaim: meta.get('nextClaim') ?? 1,
        generation: meta.get('generation') ?? 0,
      };
    },
    certificate: (app, alias) => certificates.get([app, alias]) ?? null,
    commit(batch) {
      if (closed !== null) return Promise.reject(new StoreError('STORE_CLOSED', 'the store is closed'));
      const done = last.then(() => commitNext(batch));
      last = done.catch(() => {});
      return done;
    },
    quarantined: (limit) => (limit <= 0 ? [] : quarantine.values({ reverse: true, limit })),
    quarantineEntry: (id) => quarantine.get(id) ?? null,
    quarantineIds: () => index.held.map(({ id }) => id),
    quarantineSize: () => index.held.length,
    health: () => ({
      restored,
      snapshotAt: snapshots.takenAt(),
      snapshotTrouble: snapshots.trouble(),
    }),
    snapshot: snapshots.take,
    close() {
      clearInterval(clock);
      closed ??= Promise.all([last, snapshots.stop()])
        .then(() => root.close())
        .finally(releaseLock);
      return closed;
    },
  };
}

/** Runs inside the transaction. The deletion of an application takes its certificates with it, named or not. */
function writeBatch(tables: Tables, batch: StoreBatch, plan: QuarantinePlan): void {
  const { meta, apps, tombstones, certificates, quarantine } = tables;
  for (const [key, app] of batch.apps) {
    if (app !== null) {
      apps.put(key, app);
      continue;
    }
    apps.remove(key);
    for (const own of certificates.keys({ start: [key, ''], end: [key, AFTER_EVERY_ALIAS] })) {
      certificates.remove(own);
    }
  }
  for (const [key, tombstone] of batch.tombstones) {
    if (tombstone === null) tombstones.remove(key);
    else tombstones.put(key, tombstone);
  }
  for (const { app, alias, certificate } of batch.certificates) {
    if (certificate === null) certificates.remove([app, alias]);
    else certificates.put([app, alias], certificate);
  }
  for (const id of plan.removed) quarantine.remove(id);
  for (const entry of plan.added) quarantine.put(entry.id, entry);
  meta.put('nextQuarantineId', plan.nextId);
  meta.put('nextClaim', batch.nextClaim);
  meta.put('generation', batch.generation);
}

/** True when private keys go with this batch: they ought to go from the snapshot too. */
function deletesSecrets({ apps, certificates }: StoreBatch, plan: QuarantinePlan): boolean {
  return (
    plan.removed.length > 0 ||
    certificates.some(({ certificate }) => certificate === null) ||
    apps.some(([, app]) => app === null)
  );
}

/**
 * lmdb hides the system's error in a second promise, which must be handled anyway: unhandled, it would end Node. The
 * wait for it is bounded, in case it is one that lmdb forgets to settle.
 */
function causeOf(error: unknown): Promise<string> {
  const hidden = (error as { commitError?: unknown }).commitError;
  if (!(hidden instanceof Promise)) return Promise.resolve(messageOf(error));
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(messageOf(error)), CAUSE_WAIT_MS);
    const settle = (cause: unknown) => {
      clearTimeout(late);
      resolve(messageOf(cause));
    };
    hidden.then(() => settle(error), settle);
  });
}
