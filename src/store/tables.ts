/** The store's tables on lmdb, each record with its checksum. Beside verify.ts the only file that speaks to lmdb. */
import { type Database, open, type RangeOptions, type RootDatabase } from 'lmdb';
import type { AppKey } from '../spi/events.ts';
import { heldApplication } from '../table/shown-alias.ts';
import type { Application, Tombstone } from '../table/state.ts';
import { BatchRecord } from './batch-record.ts';
import { decodeRecord, encodeRecord, RECORD_HEAD_BYTES, type RecordKey, valueBytes } from './records.ts';
import type { Operation } from './redo-segment.ts';
import {
  certificateBytes,
  entryBytes,
  readCertificate,
  readEntry,
  type StoredEntry,
} from './sealed-records.ts';
import type { JournalEntry, Origin, SealedCertificate } from './types.ts';

export type KeyRange = Pick<RangeOptions, 'start' | 'end' | 'reverse' | 'limit' | 'exclusiveStart'>;

/** One table. Writing is for within `childTransaction` alone. */
export interface Table<V, K extends RecordKey> {
  /** @throws StoreError STORE_DAMAGED */
  get(key: K): V | undefined;
  /** The bytes of the value as it lies on disk. */
  put(key: K, value: V): number;
  /** The same of one that is there; 0 where there is none. Nothing of it is read. */
  size(key: K): number;
  remove(key: K): void;
  values(range?: KeyRange): V[];
  entries(range?: KeyRange): (readonly [K, V])[];
  keys(range?: KeyRange): K[];
  /**
   * Everything, one at a time, by a reader of its own; the bytes that it is given are used again. Checksums are not looked at: for a start,
   * which has had all of them verified a moment ago.
   */
  each<Read>(read: (bytes: Buffer) => Read): Iterable<readonly [K, Read]>;
  isEmpty(): boolean;
}

export interface Tables {
  readonly root: RootDatabase;
  /** What `write` writes, for the log; it holds until the next time. For within `childTransaction` alone, as the next is. */
  recorded(write: () => void): BatchRecord;
  /** Writes what was recorded once. */
  redo(operation: Operation): void;
  /** `format`, `batch`, `nextClaim`, `generation`, `nextQuarantineId`. */
  readonly meta: Table<number, string>;
  readonly apps: Table<Application, AppKey>;
  readonly tombstones: Table<Tombstone, AppKey>;
  readonly certificates: Table<SealedCertificate, [AppKey, string]>;
  readonly quarantine: Table<StoredEntry, number>;
  /** Ids of master keys that records may be under, with the epoch milliseconds of their first use. */
  readonly keys: Table<number, string>;
  /** Of a freeze: what is published and no longer so in the records. */
  readonly frozenApps: Table<{ readonly app: Application | null }, AppKey>;
  readonly frozenCertificates: Table<SealedCertificate, [AppKey, string]>;
  readonly journal: Table<JournalEntry, number>;
  /** By (application, subject). */
  readonly origins: Table<Origin, [AppKey, string]>;
}

/**
 * `overlappingSync` is off, so a commit resolves only after lmdb has synced the data pages and then the meta page (its
 * default resolves before the sync, and a batch whose sync failed would already be visible). `eventTurnBatching` is off
 * because with it every failed commit leaves a rejected promise of its own that nobody can catch, which ends Node;
 * without it there is none.
 */
export const LMDB_OPTIONS = {
  noSubdir: true,
  overlappingSync: false,
  eventTurnBatching: false,
  // lmdb's own default is 12.
  maxDbs: 32,
} as const;

/** @param path of the file, which is there already: lmdb would make it as the umask lets it. */
export function openTables(path: string): Tables {
  const root = open({ path, encoding: 'binary', ...LMDB_OPTIONS });
  const batch = new BatchRecord();
  let recording: BatchRecord | null = null;
  const databases = new Map<string, Database<Buffer, RecordKey>>();
  const table = <V, K extends RecordKey>(name: string, coding: Coding<V>): Table<V, K> => {
    databases.set(name, root.openDB<Buffer, RecordKey>(name, { encoding: 'binary' }));
    return tableOf(root, name, coding, () => recording);
  };
  return {
    root,
    recorded(write) {
      batch.begin();
      recording = batch;
      try {
        write();
      } finally {
        recording = null;
      }
      return batch;
    },
    redo([name, key, bytes]) {
      // One of a table that a newer version made is nobody's here.
      const database = databases.get(name);
      if (bytes === null) void database?.remove(key);
      else void database?.put(key, bytes);
    },
    meta: table('meta', json<number>()),
    apps: table('apps', applications),
    tombstones: table('tombstones', json<Tombstone>()),
    certificates: table('sealed-certificates', {
      encode: certificateBytes,
      fromBytes: readCertificate,
    }),
    quarantine: table('sealed-quarantine', { encode: entryBytes, fromBytes: readEntry }),
    keys: table('keys', json<number>()),
    frozenApps: table('frozen-apps', frozenApplications),
    frozenCertificates: table('frozen-sealed-certificates', {
      encode: certificateBytes,
      fromBytes: readCertificate,
    }),
    journal: table('journal', json<JournalEntry>()),
    origins: table('origins', inARow(json<Origin>())),
  };
}

/** Value to what lies on disk, and back. */
export interface Coding<V> {
  /** Text stands for its UTF-8. */
  readonly encode: (value: V) => string | Buffer;
  /** The bytes are used again for the next record: what is kept of them has to be copied. */
  readonly fromBytes: (bytes: Buffer) => V;
}

/**
 * Reads faster than MessagePack here (1.6 s against 2.1 s for 100,000 applications). MessagePack with lmdb's shared
 * structures takes 1.2 s, but was rejected: a structure first met in a batch that is then rolled back is known to the
 * encoder and missing on disk, and every record written with it later is unreadable.
 */
export function json<V>(): Coding<V> {
  return {
    encode: (value) => JSON.stringify(value),
    // The checksum says that this is what we wrote.
    fromBytes: (bytes) => JSON.parse(bytes.toString('utf8')) as V,
  };
}

const applicationText = json<Application>();
const applications: Coding<Application> = {
  encode: applicationText.encode,
  fromBytes: (bytes) => heldApplication(applicationText.fromBytes(bytes)),
};

const frozenText = json<{ readonly app: Application | null }>();
const frozenApplications: typeof frozenText = {
  encode: frozenText.encode,
  fromBytes(bytes) {
    const { app } = frozenText.fromBytes(bytes);
    return { app: app === null ? null : heldApplication(app) };
  },
};

/** One value that comes several times in a row, under several keys, is encoded once. Values are never changed. */
function inARow<V extends object>(coding: Coding<V>): Coding<V> {
  let last: { readonly value: V; readonly encoded: string | Buffer } | null = null;
  return {
    encode(value) {
      if (last?.value !== value) last = { value, encoded: coding.encode(value) };
      return last.encoded;
    },
    fromBytes: coding.fromBytes,
  };
}

/**
 * Hands lmdb's own buffer on, which holds the record until the next one is read. Its `binary` encoding makes a buffer of its own for each
 * record: five times as much as reading it takes.
 */
// An option that lmdb-js has and its types lack.
const IN_PLACE: object = {
  encoder: {
    decode: (bytes: Buffer, length: unknown): Buffer =>
      bytes.subarray(0, typeof length === 'number' ? length : bytes.length),
  },
};

export function tableOf<V, K extends RecordKey>(
  root: RootDatabase,
  name: string,
  coding: Coding<V>,
  recording: () => BatchRecord | null = () => null,
): Table<V, K> {
  const reader: Database<Buffer, K> = root.openDB<Buffer, K>(name, IN_PLACE);
  const database: Database<Buffer, K> = root.openDB<Buffer, K>(name, { encoding: 'binary' });
  const decode = (key: K, bytes: Buffer): V => coding.fromBytes(decodeRecord(name, key, bytes));
  return {
    get(key) {
      const bytes = reader.get(key);
      return bytes === undefined ? undefined : decode(key, bytes);
    },
    put(key, value) {
      const encoded = coding.encode(value);
      const record = recording()?.put(name, key, encoded) ?? encodeRecord(name, key, encoded);
      // Within a transaction lmdb copies it at once.
      void database.put(key, record);
      return record.length - RECORD_HEAD_BYTES;
    },
    size(key) {
      const bytes = reader.get(key);
      return bytes === undefined ? 0 : valueBytes(bytes).length;
    },
    remove(key) {
      void database.remove(key);
      recording()?.remove(name, key);
    },
    values: (range = {}) =>
      Array.from(reader.getRange(range), ({ key, value }: { key: K; value: Buffer }) => decode(key, value)),
    entries: (range = {}) =>
      Array.from(
        reader.getRange(range),
        ({ key, value }: { key: K; value: Buffer }) => [key, decode(key, value)] as const,
      ),
    keys: (range = {}) => [...database.getKeys(range)],
    *each(read) {
      for (const { key, value } of reader.getRange({})) yield [key, read(valueBytes(value))];
    },
    isEmpty: () => database.getKeysCount({ limit: 1 }) === 0,
  };
}
