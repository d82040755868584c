/** lmdb's file by pages, read and never mapped: whatever is wrong with them ends no process. lmdb-js's data version 2, little-endian. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export const PAGE_BYTES = 4_096;
/** Page number, transaction, padding, flags, bounds of the free space (or number of overflow pages). */
export const HEAD_BYTES = 24;
/** Where MDB_db lies within the meta page: after magic, version, address and size of the map. */
const META_DBS = HEAD_BYTES + 24;
const DB_BYTES = 48;

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_FLAG = 0x08;
/** MDB_INTEGERKEY, and MDB_NOSUBDIR of the environment: what `LMDB_OPTIONS` make of it. */
const FREE_FLAGS = 0x4008;
/** A map that no store of ours comes near to. */
const MAX_MAP_BYTES = 2 ** 43;
const NO_PAGE = 2 ** 64;

/** Something that lmdb and this program would not have left like this, or that is not known here. */
export class OddPage extends Error {}

export function expect(isAsExpected: boolean, what: string): void {
  if (!isAsExpected) throw new OddPage(what);
}

/** A tree of pages: what MDB_db says of it. */
export interface TreeFacts {
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** null: the tree is empty. */
  readonly root: number | null;
}

export interface FileFacts {
  /** Of the transaction that was committed last. */
  readonly transaction: number;
  readonly lastPage: number;
  readonly free: TreeFacts;
  readonly main: TreeFacts;
}

export interface PageReader {
  readonly facts: FileFacts;
  /** Reads `count` pages from `page` on into `into`, once each: throws where one was read before. */
  read(page: number, count: number, into: Buffer): void;
  /** Marks a page that is free; throws where it is in use or was marked before. */
  markFree(page: number): void;
  /** Whether every page up to the last was read or marked. */
  isAccounted(): boolean;
}

/** Runs `use` over the file's pages. @throws OddPage, or the system's error. */
export function withPages(path: string, use: (reader: PageReader) => void): void {
  const file = openSync(path, 'r');
  try {
    const facts = readFacts(file);
    const seen = new Uint8Array(facts.lastPage + 1);
    seen.fill(1, 0, 2);
    let accounted = Math.min(2, seen.length);
    const take = (page: number): void => {
      expect(seen[page] === 0, 'a page is used twice, or outside of the file');
      seen[page] = 1;
      accounted += 1;
    };
    use({
      facts,
      read(first, count, into) {
        for (let page = first; page < first + count; page += 1) take(page);
        const bytes = count * PAGE_BYTES;
        expect(readSync(file, into, 0, bytes, first * PAGE_BYTES) === bytes, 'the file is too short');
        expect(numberAt(into, 0) === first, 'a page stands in for another one');
        expect(numberAt(into, 8) <= facts.transaction, 'a page is younger than the last transaction');
      },
      markFree: take,
      isAccounted: () => accounted === seen.length,
    });
  } finally {
    closeSync(file);
  }
}

/** Of the two meta pages the one of the last transaction, which has to be the other one's successor. */
function readFacts(file: number): FileFacts {
  const pages = fstatSync(file).size / PAGE_BYTES;
  const bytes = Buffer.alloc(2 * PAGE_BYTES);
  expect(readSync(file, bytes, 0, bytes.length, 0) === bytes.length, 'there are no meta pages');
  const metas = [0, 1].map((page) => readMeta(bytes.subarray(page * PAGE_BYTES), page));
  const [latest, former] = metas.sort((a, b) => b.transaction - a.transaction);
  if (latest === undefined || former === undefined) throw new OddPage('there are no meta pages');
  expect(latest.transaction === former.transaction + 1, 'the meta pages do not follow one another');
  expect(latest.page === latest.transaction % 2, 'a meta page is in the place of the other');
  expect(former.lastPage <= latest.lastPage, 'the file has become shorter');
  expect(latest.lastPage >= 2 && latest.lastPage < pages, 'the file is too short');
  return latest;
}

function readMeta(bytes: Buffer, page: number): FileFacts & { readonly page: number } {
  const isMeta = numberAt(bytes, 0) === page && bytes.readUInt16LE(18) === META_FLAG;
  expect(isMeta, 'a meta page is none');
  expect(bytes.readUInt32LE(HEAD_BYTES) === MAGIC, 'not a file of lmdb');
  expect(bytes.readUInt32LE(HEAD_BYTES + 4) === DATA_VERSION, 'another data version');
  expect(bytes.readUInt32LE(META_DBS) === PAGE_BYTES, 'another size of pages');
  expect(numberAt(bytes, HEAD_BYTES + 8) === 0, 'a map at a fixed address');
  const lastPage = numberAt(bytes, META_DBS + 2 * DB_BYTES);
  const mapBytes = numberAt(bytes, HEAD_BYTES + 16);
  expect(mapBytes <= MAX_MAP_BYTES && mapBytes >= (lastPage + 1) * PAGE_BYTES, 'an odd size of the map');
  const free = readTreeFacts(bytes, META_DBS);
  const main = readTreeFacts(bytes, META_DBS + DB_BYTES);
  expect(free.flags === FREE_FLAGS && main.flags === 0, 'odd flags');
  return { page, lastPage, free, main, transaction: numberAt(bytes, META_DBS + 2 * DB_BYTES + 8) };
}

/** MDB_db; null where the bytes are none. */
export function readTreeFacts(bytes: Buffer, at: number): TreeFacts {
  expect(bytes.length >= at + DB_BYTES, 'a table without facts');
  const root = numberAt(bytes, at + 40);
  return {
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    branchPages: numberAt(bytes, at + 8),
    leafPages: numberAt(bytes, at + 16),
    overflowPages: numberAt(bytes, at + 24),
    entries: numberAt(bytes, at + 32),
    root: root === NO_PAGE ? null : root,
  };
}

/** 64 bits; above 2^53 not exact, which no number here comes near to. */
export function numberAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}
