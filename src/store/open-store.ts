/**
 * The store: one transaction a batch, alone in its directory.
 *
 * A batch is a child transaction: if anything in it throws, lmdb aborts all of it. The commit and its sync run on lmdb's
 * thread; only handing over the values takes time here. On a failed commit lmdb also prints the system's error to stderr;
 * that cannot be turned off.
 *
 * Private keys never lie there in the clear, in records, in quarantined bodies or in pages that were freed: lmdb does not wipe those. lmdb's own
 * `encryptionKey` was rejected: with it no key could be rotated without writing everything anew, and records could be swapped.
 */
import { keyIdOf } from '../seal/envelope.ts';
import type { KeyRing } from '../seal/key-ring.ts';
import { resealPem, sealPem } from '../seal/sealed-pem.ts';
import type { AppKey } from '../spi/events.ts';
import type { Log } from '../telemetry/types.ts';
import { causeOf } from './cause-of.ts';
import { lockDirectory } from './directory-lock.ts';
import { emptyTransaction } from './empty-transaction.ts';
import { bringToFormat } from './format.ts';
import { type JournalBounds, journalPage, originsOf, readPlace, writeJournal } from './journal.ts';
import { checkLogLater } from './log-check.ts';
import { type KeySource, keySourceOf } from './master-key.ts';
import { openKeys } from './open-keys.ts';
import { beginOpening, type Opening } from './opening.ts';
import { planQuarantine, type QuarantineIndex, type QuarantinePlan } from './quarantine.ts';
import type { WholeRead } from './reading.ts';
import { createResealer } from './reseal.ts';
import {
  newName,
  type Restored,
  type RestoredFacts,
  renew,
  restoreIfDamaged,
  STATE_FILE,
} from './restore.ts';
import { bodyLength, readCertificate, sealEntry, unsealEntry } from './sealed-records.ts';
import { createSlabs } from './slabs.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';
import { makeLockFile, preparePrivateFile, prepareStateDirectory, syncDirectory } from './state-directory.ts';
import { messageOf, StoreError } from './store-error.ts';
import { openTables, type Tables } from './tables.ts';
import { DEFAULT_MAX_LOG_BYTES, type Opened, openTransactions, type Transactions } from './transactions.ts';
import type { Recovered, SealedCertificate, Store, StoreBatch } from './types.ts';

const DEFAULT_MAX_QUARANTINE_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_QUARANTINE_AGE_MS = 30 * 86_400_000;
const DEFAULT_SNAPSHOT_INTERVAL_MS = 600_000;
/** The start is over by then, or this thread has no time before. */
const DEFAULT_LOG_CHECK_MS = 2_000;
const EXPIRY_INTERVAL_MS = 3_600_000;
const DEFAULT_JOURNAL: JournalBounds = { maxAgeMs: 30 * 86_400_000, maxBytes: 64 * 1024 * 1024 };
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
  /** Size of the log since the last snapshot from which on it is dropped, because none can be taken; default 1 GiB. */
  readonly maxLogBytes?: number;
  /** After which the log is looked at that was passed by when the store was opened; default 2 seconds. */
  readonly logCheckMs?: number;
  /** Default: a key file of our own in the state directory. */
  readonly masterKey?: KeySource;
  readonly journal?: JournalBounds;
  /** What was begun already, of the same directory; `openStore` begins it itself otherwise. */
  readonly opening?: Opening | null;
  /** Everything will be asked for at once (`recover`, `allCertificates`): it is kept as it is verified. Default: no. */
  readonly isRecovered?: boolean;
  readonly log: Log;
  /** Epoch milliseconds; default: the system's clock. */
  readonly now?: () => number;
}

/**
 * Opens the store, alone: it takes the directory's lock until `close` or the end of the process, however it ends. The
 * file is verified first, and the last snapshot takes its place if it is damaged. A store whose private keys lie in the clear is encrypted.
 * @throws StoreError STORE_DIRECTORY, STORE_IN_USE, STORE_FORMAT (written by a newer Headgear), STORE_DAMAGED (and no
 * snapshot to go back to), STORE_KEY_MISSING, STORE_KEY_INVALID or STORE_OPEN_FAILED.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const log = options.log.child('store');
  const dir = prepareStateDirectory(options.dir, log);
  const opening = options.opening ?? beginOpening(dir, options.isRecovered ?? false);
  const lock = await (opening?.lock ?? lockDirectory(dir));
  try {
    const path = preparePrivateFile(dir, STATE_FILE, log);
    // lmdb's table of readers: whoever else had this open is gone.
    makeLockFile(`${path}-lock`, `${newName(path)}-lock`);
    const { restored, read } = await restoreIfDamaged(dir, opening?.whole ?? null, log);
    let tables = openTables(path);
    syncDirectory(dir);
    try {
      const ring = await openKeys(tables, options.masterKey ?? keySourceOf({}, dir), dir, log);
      const wasClear = await bringToFormat(tables, ring, dir, log);
      if (wasClear) {
        await tables.root.close();
        await renew(dir, log);
        tables = openTables(path);
      }
      const opened = await openTransactions(
        tables,
        dir,
        restored !== null,
        options.maxLogBytes ?? DEFAULT_MAX_LOG_BYTES,
        log,
      );
      const { transactions } = opened;
      const facts = restored === null ? null : told(restored, opened, log);
      const snapshots = createSnapshots(dir, {
        intervalMs: options.snapshotIntervalMs ?? DEFAULT_SNAPSHOT_INTERVAL_MS,
        log,
        onBegin: transactions.beginSnapshot,
        onRead: () => void tables.root.readerCheck(),
      });
      // The one there is holds the keys in the clear.
      if (wasClear) await snapshots.take();
      // In the background: until then a damaged store would go back to the snapshot there is.
      else if (!opened.isWhole) void snapshots.take();
      // What was brought in since is not in what was read.
      const isRead = read?.kept === true && !wasClear && opened.replayed === 0;
      const held = isRead ? read : null;
      const check =
        opened.passed === 0
          ? null
          : checkLogLater({ dir, last: opened.passed }, options.logCheckMs ?? DEFAULT_LOG_CHECK_MS, () => {
              log.warn('the log since the last snapshot is damaged: a snapshot takes its place', {
                code: 'STORE_LOG_DAMAGED',
              });
              // Whether or not it can be dropped: a snapshot ends it too.
              void transactions.dropLog().then(snapshots.take, snapshots.take);
            });
      const ends = { begin: () => check?.stop(), end: lock.release };
      return createStore(tables, ring, options, snapshots, transactions, facts, held, ends);
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
  ring: KeyRing,
  options: StoreOptions,
  snapshots: Snapshots,
  transactions: Transactions,
  restored: RestoredFacts | null,
  read: WholeRead | null,
  /** What else begins and ends a close. */
  ends: { begin(): void; end(): Promise<void> },
): Store {
  const { root, meta, apps, certificates, quarantine, keys } = tables;
  const resealer = createResealer(tables, ring, transactions.run);
  const bounds = {
    maxEntries: options.maxQuarantined,
    maxBytes: options.maxQuarantineBytes ?? DEFAULT_MAX_QUARANTINE_BYTES,
    maxAgeMs: options.maxQuarantineAgeMs ?? DEFAULT_MAX_QUARANTINE_AGE_MS,
  };
  const now = options.now ?? Date.now;
  let index: QuarantineIndex = {
    held: quarantine.values().map((entry) => ({
      id: entry.id,
      app: entry.app,
      bytes: bodyLength(entry),
      at: entry.at,
    })),
    nextId: meta.get('nextQuarantineId') ?? 1,
  };
  const journalBounds = {
    maxAgeMs: options.journal?.maxAgeMs ?? DEFAULT_JOURNAL.maxAgeMs,
    maxBytes: options.journal?.maxBytes ?? DEFAULT_JOURNAL.maxBytes,
  };
  let place = readPlace(tables);
  let last: Promise<unknown> = Promise.resolve();
  /** As long as nothing was committed since. */
  let held = read;
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
    let moved = place;
    try {
      await transactions.run(() => {
        writeBatch(tables, ring, batch, plan);
        if (batch.journal.length > 0)
          moved = writeJournal(tables, place, batch.journal, journalBounds, now());
      });
    } catch (error) {
      throw new StoreError('STORE_COMMIT_FAILED', `not committed: ${await causeOf(error)}`, { cause: error });
    }
    index = { held: plan.held, nextId: plan.nextId };
    place = moved;
    snapshots.changed(transactions.isLong() || deletesSecrets(batch, plan));
  }

  /** Age alone has to end what is kept, also where no event comes for weeks. */
  function expire(): void {
    const [oldest] = index.held;
    if (closed !== null || oldest === undefined || oldest.at >= now() - bounds.maxAgeMs) return;
    // What a batch before it changes is read in its turn.
    void queue(() =>
      commitNext(emptyTransaction(meta.get('nextClaim') ?? 1, meta.get('generation') ?? 0)),
    ).catch(() => undefined);
  }
  const clock = setInterval(expire, EXPIRY_INTERVAL_MS);
  clock.unref();
  expire();

  /** After everything before it. */
  function queue<T>(work: () => Promise<T>): Promise<T> {
    if (closed !== null) return Promise.reject(new StoreError('STORE_CLOSED', 'the store is closed'));
    held = null;
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  }

  return {
    recover(): Recovered {
      return {
        apps: held?.apps ?? apps.values(),
        tombstones: tables.tombstones.entries(),
        nextClaim: meta.get('nextClaim') ?? 1,
        generation: meta.get('generation') ?? 0,
        ...frozenOf(tables),
      };
    },
    seal: (app, alias, { id, ...pem }) => ({ id, sealed: sealPem(ring, { app, alias, id }, pem) }),
    certificate: (app, alias) => certificates.get([app, alias]) ?? null,
    *allCertificates() {
      const certificatesRead = held?.certificates;
      held = null;
      if (certificatesRead !== undefined) return yield* certificatesRead;
      const keep = createSlabs();
      const read = (bytes: Buffer): SealedCertificate => readCertificate(bytes, keep);
      for (const [[app, alias], certificate] of certificates.each(read)) yield [app, alias, certificate];
    },
    forgetRead() {
      held = null;
    },
    frozenCertificate: (app, alias) => tables.frozenCertificates.get([app, alias]) ?? null,
    commit: (batch) => queue(() => commitNext(batch)),
    quarantined: (limit) =>
      limit <= 0 ? [] : quarantine.values({ reverse: true, limit }).map((entry) => unsealEntry(ring, entry)),
    quarantineEntry(id) {
      const entry = quarantine.get(id);
      return entry === undefined ? null : unsealEntry(ring, entry);
    },
    journalPage: (before, limit) => journalPage(tables, before, limit),
    originsOf: (app) => originsOf(tables, app),
    quarantineIds: () => index.held.map(({ id }) => id),
    quarantineSize: () => index.held.length,
    keys: ring,
    keysInUse: () => keys.keys(),
    adoptKeys: (next) =>
      queue(async () => {
        // On disk first: whatever is under a key, the store must know that it needs it.
        await transactions.run(() => keys.put(next[0].id, Date.now()));
        ring.replace(next);
      }),
    reseal: () => queue(resealer.step),
    health: () => ({
      restored,
      snapshotAt: snapshots.takenAt(),
      snapshotTrouble: snapshots.trouble(),
    }),
    snapshot: snapshots.take,
    close() {
      clearInterval(clock);
      ends.begin();
      closed ??= Promise.all([last, snapshots.stop()])
        .then(transactions.close)
        .then(() => root.close())
        .finally(ends.end);
      return closed;
    },
  };
}

/** What became of what was committed after the snapshot. */
function told(restored: Restored, { isWhole, replayed }: Opened, log: Log): RestoredFacts {
  if (isWhole) {
    log.warn('all that was committed after the snapshot was brought back: nothing is lost', { replayed });
  } else {
    log.error('EVENTS THAT WERE ACKED AFTER THE SNAPSHOT ARE LOST: compare with the platform and reconcile', {
      code: 'STORE_EVENTS_LOST',
      snapshotTakenAt: new Date(restored.snapshotAt).toISOString(),
    });
  }
  return { ...restored, lost: !isWhole };
}

/** Runs inside the transaction. The deletion of an application takes its certificates with it, named or not. */
function writeBatch(tables: Tables, ring: KeyRing, batch: StoreBatch, plan: QuarantinePlan): void {
  const { meta, apps, tombstones, certificates, quarantine } = tables;
  writeFreeze(tables, ring, batch);
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
    else certificates.put([app, alias], underCurrentKey(ring, app, alias, certificate));
  }
  for (const id of plan.removed) quarantine.remove(id);
  for (const entry of plan.added) quarantine.put(entry.id, sealEntry(ring, entry));
  meta.put('nextQuarantineId', plan.nextId);
  meta.put('nextClaim', batch.nextClaim);
  meta.put('generation', batch.generation);
}

/** Before the rest of the batch: it may delete what is kept here. */
function writeFreeze(tables: Tables, ring: KeyRing, { freeze, frozen }: StoreBatch): void {
  const { meta, frozenApps, frozenCertificates } = tables;
  for (const [key, app] of frozen?.apps ?? []) frozenApps.put(key, { app });
  for (const { app, alias, certificate } of frozen?.certificates ?? [])
    frozenCertificates.put([app, alias], underCurrentKey(ring, app, alias, certificate));
  if (freeze === undefined) return;
  if (freeze !== 'thaw') {
    meta.put('frozenSince', freeze.since);
    return;
  }
  meta.remove('frozenSince');
  for (const key of frozenApps.keys()) frozenApps.remove(key);
  for (const key of frozenCertificates.keys()) frozenCertificates.remove(key);
}

function frozenOf({ meta, frozenApps }: Tables): Pick<Recovered, 'frozen'> {
  const since = meta.get('frozenSince');
  if (since === undefined) return {};
  return { frozen: { since, apps: frozenApps.entries().map(([key, { app }]) => [key, app] as const) } };
}

/** Sealed some events ago, before the current key came: it must not land behind a rotation's back. */
function underCurrentKey(
  ring: KeyRing,
  app: AppKey,
  alias: string,
  certificate: SealedCertificate,
): SealedCertificate {
  const { id, sealed } = certificate;
  if (keyIdOf(sealed) === ring.current().id) return certificate;
  return { id, sealed: resealPem(ring, { app, alias, id }, sealed) ?? sealed };
}

/** True when private keys go with this batch: they ought to go from the snapshot too. */
function deletesSecrets({ apps, certificates, freeze }: StoreBatch, plan: QuarantinePlan): boolean {
  return (
    freeze === 'thaw' ||
    plan.removed.length > 0 ||
    certificates.some(({ certificate }) => certificate === null) ||
    apps.some(([, app]) => app === null)
  );
}
