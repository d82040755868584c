/** The store's tables on lmdb, each record with its checksum. Beside verify.ts the only file that speaks to lmdb. */
import { type Database, open, type RangeOptions, type RootDatabase } from 'lmdb';
import type { AppKey } from '../spi/events.ts';
import type { PublishedCertificate } from '../table/routing-table.ts';
import type { Application, Tombstone } from '../table/state.ts';
import { decodeRecord, encodeRecord, type RecordKey } from './records.ts';
import type { QuarantineEntry } from './types.ts';

export type KeyRange = Pick<RangeOptions, 'start' | 'end' | 'reverse' | 'limit'>;

/** One table. Writing is for within `childTransaction` alone. */
export interface Table<V, K extends RecordKey> {
  /** @throws StoreError STORE_DAMAGED */
  get(key: K): V | undefined;
  put(key: K, value: V): void;
  remove(key: K): void;
  values(range?: KeyRange): V[];
  entries(range?: KeyRange): (readonly [K, V])[];
  keys(range?: KeyRange): K[];
  isEmpty(): boolean;
}

export interface Tables {
  readonly root: RootDatabase;
  /** `format`, `nextClaim`, `generation`, `nextQuarantineId`. */
  readonly meta: Table<number, string>;
  readonly apps: Table<Application, AppKey>;
  readonly tombstones: Table<Tombstone, AppKey>;
  readonly certificates: Table<PublishedCertificate, [AppKey, string]>;
  readonly quarantine: Table<QuarantineEntry, number>;
}

/**
 * `overlappingSync` is off, so a commit resolves only after lmdb has synced the data pages and then the meta page (its
 * default resolves before the sync, and a batch whose sync failed would already be visible). `eventTurnBatching` is off
 * because with it every failed commit leaves a rejected promise of its own that nobody can catch, which ends Node;
 * without it there is none.
 */
export const LMDB_OPTIONS = { noSubdir: true, overlappingSync: false, eventTurnBatching: false } as const;

/** @param path of the file, which is there already: lmdb would make it as the umask lets it. */
export function openTables(path: string): Tables {
  const root = open({ path, encoding: 'binary', ...LMDB_OPTIONS });
  return {
    root,
    meta: tableOf(root, 'meta', plainly<number>()),
    apps: tableOf(root, 'apps', plainly<Application>()),
    tombstones: tableOf(root, 'tombstones', plainly<Tombstone>()),
    certificates: tableOf(root, 'certificates', plainly<PublishedCertificate>()),
    quarantine: tableOf(root, 'quarantine', quarantineCoding),
  };
}

/** Value to what JSON can hold, and back. */
interface Coding<V> {
  readonly toJson: (value: V) => unknown;
  readonly fromJson: (value: unknown) => V;
}

function plainly<V>(): Coding<V> {
  // The checksum says that this is what we wrote.
  return { toJson: (value) => value, fromJson: (value) => value as V };
}

const quarantineCoding: Coding<QuarantineEntry> = {
  toJson: ({ body, ...entry }) => ({
    ...entry,
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
  }),
  fromJson(value) {
    const { body, ...entry } = value as Omit<QuarantineEntry, 'body'> & { readonly body: string };
    return { ...entry, body: Buffer.from(body, 'base64') };
  },
};

function tableOf<V, K extends RecordKey>(root: RootDatabase, name: string, coding: Coding<V>): Table<V, K> {
  const database: Database<Buffer, K> = root.openDB<Buffer, K>(name, { encoding: 'binary' });
  const decode = (key: K, bytes: Buffer): V => coding.fromJson(decodeRecord(name, key, bytes));
  return {
    get(key) {
      const bytes = database.get(key);
      return bytes === undefined ? undefined : decode(key, bytes);
    },
    put: (key, value) => void database.put(key, encodeRecord(name, key, coding.toJson(value))),
    remove: (key) => void database.remove(key),
    values: (range = {}) =>
      Array.from(database.getRange(range), ({ key, value }: { key: K; value: Buffer }) => decode(key, value)),
    entries: (range = {}) =>
      Array.from(
        database.getRange(range),
        ({ key, value }: { key: K; value: Buffer }) => [key, decode(key, value)] as const,
      ),
    keys: (range = {}) => [...database.getKeys(range)],
    isEmpty: () => database.getKeysCount({ limit: 1 }) === 0,
  };
}
