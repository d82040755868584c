/**
 * Is a store's file whole? Only for a process of its own (verify-process.ts): lmdb maps the file into memory and trusts
 * its pages, so on a truncated file it dies by SIGBUS and on flipped bits by an assertion or worse.
 *
 * Walks every page that the tables reach, and checks each record's checksum (which covers its key), that no key comes
 * twice, and that there are as many as the table says: a page that stands in for another one shows in one of these.
 */
import { type Database, open, type RootDatabase, type Transaction } from 'lmdb';
import { type RecordKey, soundValue } from './records.ts';
import { makeLockFile } from './state-directory.ts';
import { LMDB_OPTIONS } from './tables.ts';

/** Records a transaction of a copy: keeps what lmdb has to hold in memory small. */
const CHUNK = 20_000;
const BINARY = { encoding: 'binary' } as const;

/** The file is sound as far as it was read, and the copy could not be written. */
export class CopyError extends Error {}

type Visit = (table: string, key: RecordKey, value: Buffer) => void;

/** @throws whatever is wrong, or ends the process. */
export async function verifyFile(path: string): Promise<void> {
  await readWhole(path, () => undefined);
}

/**
 * Verifies the file, which may be in use, and writes every record into a new one. lmdb's own copy was rejected: it takes
 * pages as they are, and what is wrong in the head of a page, or in the list of free ones, may show only when the page is
 * written to. A new file also holds nothing of deleted keys.
 * `onChunk` is called before the first record and behind each chunk of them.
 * @throws CopyError, or as `verifyFile`.
 */
export async function copyFile(path: string, to: string, onChunk: () => void): Promise<void> {
  onChunk();
  const target = openForCopy(to);
  try {
    let chunk: Parameters<Visit>[] = [];
    const flush = (): void => {
      writeChunk(target, chunk);
      chunk = [];
      onChunk();
    };
    await readWhole(path, (...record) => {
      if (chunk.push(record) === CHUNK) flush();
    });
    flush();
  } finally {
    await target.close();
  }
}

function openForCopy(to: string): RootDatabase {
  try {
    makeLockFile(`${to}-lock`, `${to}-lock`);
    // Whoever puts the copy in its place syncs it before.
    return open({ path: to, noSync: true, ...BINARY, ...LMDB_OPTIONS });
  } catch (error) {
    throw new CopyError(String(error));
  }
}

function writeChunk(target: RootDatabase, chunk: readonly Parameters<Visit>[]): void {
  try {
    const tables = new Map(
      [...new Set(chunk.map(([name]) => name))].map((name) => [
        name,
        target.openDB<Buffer, RecordKey>(name, BINARY),
      ]),
    );
    target.transactionSync(() => {
      for (const [name, key, value] of chunk) tables.get(name)?.putSync(key, value);
    });
  } catch (error) {
    throw new CopyError(String(error));
  }
}

/** A file in use is read as of one moment: all of it in one read transaction, which opening a table would end. */
async function readWhole(path: string, visit: Visit): Promise<void> {
  const root = open({ path, readOnly: true, ...BINARY, ...LMDB_OPTIONS });
  try {
    const names = [...root.getKeys({})].map(String);
    // Fewer: the rest of them would be opened as new, empty tables.
    expectCount('the list of tables', names.length, root);
    const tables = names.map((name) => [name, root.openDB<Buffer, RecordKey>(name, BINARY)] as const);
    const transaction = root.useReadTransaction();
    try {
      const meta = tables.find(([name]) => name === 'meta')?.[1];
      // Format 1 had no checksums: its tables can only be walked.
      const legacy = meta?.get('format', { transaction })?.toString() === '1';
      for (const [name, table] of tables) readTable(table, name, { transaction, legacy, visit });
    } finally {
      transaction.done();
    }
  } finally {
    await root.close();
  }
}

interface Reading {
  readonly transaction: Transaction;
  readonly legacy: boolean;
  readonly visit: Visit;
}

function readTable(table: Database<Buffer, RecordKey>, name: string, reading: Reading): void {
  const { transaction, legacy, visit } = reading;
  const entryCount = entriesOf(table);
  const seen = new Set<string>();
  for (const { key, value } of table.getRange({ transaction })) {
    const text = JSON.stringify(key);
    if (seen.has(text)) throw new Error(`a key of '${name}' comes twice`);
    seen.add(text);
    if (seen.size > entryCount) break;
    if (!legacy && soundValue(name, key, value) === null)
      throw new Error(`a record of '${name}' is not what was written`);
    visit(name, key, value);
  }
  expectCount(`'${name}'`, seen.size, table);
}

/** @throws where it does not hold as many records as it says. */
function expectCount(what: string, found: number, table: Counted): void {
  const said = entriesOf(table);
  if (found !== said) throw new Error(`${what} holds ${found} records and ought to hold ${said}`);
}

type Counted = Pick<RootDatabase | Database<Buffer, RecordKey>, 'getStats'>;

function entriesOf(table: Counted): number {
  return (table.getStats() as { readonly entryCount: number }).entryCount;
}
