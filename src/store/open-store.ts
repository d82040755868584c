/**
 * The store on lmdb. Owner of lmdb.
 *
 * Durability: `overlappingSync` is off, so a commit resolves only after lmdb has synced the data pages and then the meta
 * page (its default resolves before the sync, and a batch whose sync failed would already be visible). `eventTurnBatching`
 * is off because with it every failed commit leaves a rejected promise of its own that nobody can catch, which ends
 * Node; without it there is none. A batch is a child transaction: if anything in it throws, lmdb aborts all of it.
 * The commit and its sync run on lmdb's thread; only handing over the values takes time here. On a failed commit lmdb
 * also prints the system's error to stderr; that cannot be turned off.
 *
 * Deleted keys: a deletion leaves nothing that can be reached through the store, but lmdb frees pages without wiping
 * them, so bytes of a deleted key may stay in `state.mdb` until its pages are used again. Encrypting the file with
 * lmdb's `encryptionKey` would not change that for anybody who can read the directory, where the key would be.
 */
import { type Database, open, type RootDatabase } from 'lmdb';
import type { AppKey } from '../spi/events.ts';
import type { PublishedCertificate } from '../table/routing-table.ts';
import type { Application } from '../table/state.ts';
import type { Log } from '../telemetry/types.ts';
import { lockDirectory } from './directory-lock.ts';
import { heldOf, planQuarantine, type QuarantineIndex, type QuarantinePlan } from './quarantine.ts';
import { preparePrivateFile, prepareStateDirectory, syncDirectory } from './state-directory.ts';
import { messageOf, StoreError } from './store-error.ts';
import type { QuarantineEntry, Recovered, Store, StoreBatch } from './types.ts';

/** Rises when a record's shape changes; an older program then refuses the store instead of misreading it. */
const FORMAT = 1;
const DEFAULT_MAX_QUARANTINE_BYTES = 64 * 1024 * 1024;
/**
 * Plain JSON, which reads faster than MessagePack here (1.6 s against 2.1 s for 100,000 applications). MessagePack with
 * lmdb's shared structures takes 1.2 s, but was rejected: a structure first met in a batch that is then rolled back is
 * known to the encoder and missing on disk, and every record written with it later is unreadable.
 */
const JSON_RECORDS = { encoding: 'json' } as const;
const CAUSE_WAIT_MS = 1_000;
/** Above every alias: a certificate's key is [app, alias], and aliases are ASCII. */
const AFTER_EVERY_ALIAS = '\uffff';

export interface StoreOptions {
  /** State directory; made with mode 0700 when it is not there. */
  readonly dir: string;
  readonly maxQuarantined: number;
  /** Bound of all quarantined bodies together; default 64 MiB. */
  readonly maxQuarantineBytes?: number;
  readonly log: Log;
}

interface Databases {
  readonly root: RootDatabase;
  /** `format`, `nextClaim`, `generation`, `nextQuarantineId`. */
  readonly meta: Database<number, string>;
  readonly apps: Database<Application, AppKey>;
  readonly certificates: Database<PublishedCertificate, [AppKey, string]>;
  readonly quarantine: Database<QuarantineEntry, number>;
}

/**
 * Opens the store, alone: it takes the directory's lock until `close` or the end of the process, however it ends.
 * @throws StoreError STORE_DIRECTORY, STORE_IN_USE, STORE_FORMAT (written by a newer Headgear) or STORE_OPEN_FAILED.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const log = options.log.child('store');
  const dir = prepareStateDirectory(options.dir, log);
  const lock = await lockDirectory(dir);
  try {
    const databases = openDatabases(dir, log);
    try {
      await checkFormat(databases, dir);
      return createStore(databases, options, lock.release);
    } catch (error) {
      await databases.root.close();
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

function openDatabases(dir: string, log: Log): Databases {
  const path = preparePrivateFile(dir, 'state.mdb', log);
  preparePrivateFile(dir, 'state.mdb-lock', log);
  const root = open({
    path,
    noSubdir: true,
    encoding: 'json',
    overlappingSync: false,
    eventTurnBatching: false,
  });
  const databases = {
    root,
    meta: root.openDB<number, string>('meta', JSON_RECORDS),
    apps: root.openDB<Application, AppKey>('apps', JSON_RECORDS),
    certificates: root.openDB<PublishedCertificate, [AppKey, string]>('certificates', JSON_RECORDS),
    quarantine: root.openDB<QuarantineEntry, number>('quarantine', { encoding: 'msgpack' }),
  };
  syncDirectory(dir);
  return databases;
}

async function checkFormat({ root, meta, apps }: Databases, dir: string): Promise<void> {
  const format = meta.get('format');
  if (format === FORMAT) return;
  if (format === undefined && apps.getKeysCount({ limit: 1 }) === 0) {
    await root.childTransaction(() => {
      meta.put('format', FORMAT);
    });
    return;
  }
  throw new StoreError(
    'STORE_FORMAT',
    `the store in ${dir} has format ${format ?? 'unknown'}, this program reads ${FORMAT}: was it written by a newer version?`,
  );
}

function createStore(databases: Databases, options: StoreOptions, releaseLock: () => Promise<void>): Store {
  const { root, meta, apps, certificates, quarantine } = databases;
  const bounds = {
    maxEntries: options.maxQuarantined,
    maxBytes: options.maxQuarantineBytes ?? DEFAULT_MAX_QUARANTINE_BYTES,
  };
  let index: QuarantineIndex = {
    held: [...quarantine.getRange({})].map(({ value }) => heldOf(value)),
    nextId: meta.get('nextQuarantineId') ?? 1,
  };
  let last: Promise<unknown> = Promise.resolve();
  let closed: Promise<void> | null = null;

  /** One batch after the other: each plans its quarantine from what the one before left. */
  async function commitNext(batch: StoreBatch): Promise<void> {
    const plan = planQuarantine(index, batch.forgetQuarantineOf, batch.quarantine, bounds);
    try {
      await root.childTransaction(() => writeBatch(databases, batch, plan));
    } catch (error) {
      throw new StoreError('STORE_COMMIT_FAILED', `not committed: ${await causeOf(error)}`, { cause: error });
    }
    index = { held: plan.held, nextId: plan.nextId };
  }

  return {
    recover(): Recovered {
      return {
        apps: [...apps.getRange({})].map(({ value }) => value),
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
    quarantined: (limit) =>
      limit <= 0 ? [] : [...quarantine.getRange({ reverse: true, limit })].map(({ value }) => value),
    quarantineSize: () => index.held.length,
    close() {
      closed ??= last.then(() => root.close()).finally(releaseLock);
      return closed;
    },
  };
}

/** Runs inside the transaction. The deletion of an application takes its certificates with it, named or not. */
function writeBatch(databases: Databases, batch: StoreBatch, plan: QuarantinePlan): void {
  const { meta, apps, certificates, quarantine } = databases;
  for (const [key, app] of batch.apps) {
    if (app !== null) {
      apps.put(key, app);
      continue;
    }
    apps.remove(key);
    for (const own of [...certificates.getKeys({ start: [key, ''], end: [key, AFTER_EVERY_ALIAS] })]) {
      certificates.remove(own);
    }
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
