/**
 * Is a store's file whole, down to every page and every free one? One pass that reads each page once and decodes no record: a fifth of what
 * lmdb's own walk and a copy by it take. It knows lmdb's pages, and whatever is not exactly as lmdb leaves it is for verify.ts to judge,
 * which asks lmdb itself: so a file that lmdb writes otherwise some day costs time, and nothing else.
 */
import {
  expect,
  numberAt,
  OddPage,
  type PageReader,
  readTreeFacts,
  type TreeFacts,
  withPages,
} from './page-reader.ts';
import { type Room, SUB_TREE, type TreeVisit, walkTree } from './page-tree.ts';
import { type RecordKey, soundValue } from './records.ts';

/** Sees records of a file that may yet turn out not to be whole. Table, key, and the value's bytes, which are used again, or lie in its room. */
export type SeeRecord = (table: string, key: RecordKey, value: Buffer) => void;

/** What is seen of a file besides. */
export interface Sight {
  readonly see: SeeRecord;
  /** Tables that come first, in their order. */
  readonly first: readonly string[];
  /** Where large records of a table are read to: who keeps them need not copy them then. */
  roomOf(table: string): Room | undefined;
}

const NOTHING: Sight = { see: () => undefined, first: [], roomOf: () => undefined };

/**
 * null: whole. Else the first thing that is odd, or why it could not be looked at. Reads a file that nobody writes to. `sight` gets every
 * record that is what was written, table by table.
 */
export function oddityOf(path: string, sight: Partial<Sight> = {}): string | null {
  try {
    withPages(path, (reader) => checkAll(reader, { ...NOTHING, ...sight }));
    return null;
  } catch (error) {
    if (error instanceof OddPage || error instanceof RangeError) return error.message;
    return String(error);
  }
}

function checkAll(reader: PageReader, { see, first, roomOf }: Sight): void {
  const { facts } = reader;
  const tables: (readonly [string, TreeFacts])[] = [];
  const rootTransaction = walkTree(reader, facts.main, {
    ...{ compare: Buffer.compare, nodeFlags: SUB_TREE },
    record: (key, value) => tables.push([tableName(key), readTreeFacts(value, 0)]),
  });
  // Whatever a transaction changes, it writes the tree of tables: an older one that looks like the last is none.
  expect(rootTransaction === facts.transaction, 'the last transaction did not write what it refers to');
  const placeOf = (name: string): number => (first.includes(name) ? first.indexOf(name) : first.length);
  for (const [name, tree] of tables.sort(([a], [b]) => placeOf(a) - placeOf(b))) {
    expect(tree.flags === 0, 'odd flags of a table');
    walkTree(reader, tree, {
      ...{ compare: Buffer.compare, nodeFlags: 0, record: recordCheck(name, see) },
      room: roomOf(name),
    });
  }
  checkFreePages(reader);
}

/** lmdb-js ends them with a NUL. */
function tableName(key: Buffer): string {
  expect(key.at(-1) === 0, 'the name of a table is odd');
  return key.toString('utf8', 0, key.length - 1);
}

function recordCheck(table: string, see: SeeRecord): TreeVisit['record'] {
  return (keyBytes, bytes) => {
    const key = readKey(keyBytes);
    const value = soundValue(table, key, bytes);
    if (value === null) throw new OddPage(`a record of '${table}' is not what was written`);
    see(table, key, value);
  };
}

/** Every page of the file is in use or free, and none is both: what lmdb will write to next holds nothing. */
function checkFreePages(reader: PageReader): void {
  const lists: Buffer[] = [];
  walkTree(reader, reader.facts.free, {
    compare: (a, b) => numberAt(a, 0) - numberAt(b, 0),
    nodeFlags: 0,
    record(key, value) {
      expect(key.length === 8, 'a list of free pages is odd');
      lists.push(Buffer.from(value));
    },
  });
  for (const list of lists) {
    expect(list.length >= 8 && list.length % 8 === 0, 'a list of free pages is odd');
    const length = numberAt(list, 0);
    expect((length + 1) * 8 <= list.length, 'a list of free pages is longer than it is');
    for (let n = 1; n <= length; n += 1) {
      // A negative entry is the length of a run, the next one where it begins; 0 is one that was taken.
      const entry = Number(list.readBigInt64LE(n * 8));
      if (entry === 0) continue;
      if (entry < 0) n += 1;
      expect(n <= length, 'a list of free pages ends within a run');
      const first = numberAt(list, n * 8);
      const count = entry < 0 ? -entry : 1;
      for (let page = first; page < first + count; page += 1) reader.markFree(page);
    }
  }
  expect(reader.isAccounted(), 'pages are neither in use nor free');
}

/** Control bytes below which a key of ours is no text; a positive number begins with one of the latter. */
const FIRST_TEXT = 28;
const [FIRST_NUMBER, LAST_NUMBER] = [16, 23];
/** Of a number: 64 bits after the first half byte. */
const NUMBER_BYTES = 9;

/** A key as lmdb-js orders them by (ordered-binary): a positive number, a text, or two of them with a NUL between. Of others nothing is known. */
function readKey(bytes: Buffer): RecordKey {
  const first = bytes[0] ?? 0;
  if (first >= FIRST_NUMBER && first <= LAST_NUMBER) return readNumber(bytes);
  const middle = bytes.indexOf(0);
  return middle === -1
    ? readText(bytes, 0, bytes.length)
    : [readText(bytes, 0, middle), readText(bytes, middle + 1, bytes.length)];
}

function readNumber(bytes: Buffer): number {
  expect(bytes.length <= NUMBER_BYTES, 'a key is odd');
  const whole = Buffer.alloc(NUMBER_BYTES);
  bytes.copy(whole);
  const bits = ((whole.readBigUInt64BE(0) & 0x0fff_ffff_ffff_ffffn) << 4n) | BigInt(whole.readUInt8(8) >> 4);
  whole.writeBigUInt64BE(bits);
  return whole.readDoubleBE(0);
}

// Without a view of the part, which takes several times as long to make.
function readText(bytes: Buffer, from: number, to: number): string {
  expect(from < to && (bytes[from] ?? 0) >= FIRST_TEXT, 'a key is odd');
  return bytes.toString('utf8', from, to);
}
