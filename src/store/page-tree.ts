/** A walk through one tree of lmdb's pages that believes nothing: bounds, flags, order of keys, and how many of everything there ought to be. */
import { expect, HEAD_BYTES, numberAt, PAGE_BYTES, type PageReader, type TreeFacts } from './page-reader.ts';

const BRANCH_FLAG = 0x01;
const LEAF_FLAG = 0x02;
const OVERFLOW_FLAG = 0x04;
const NODE_BYTES = 8;
/** A node's data lies on pages of its own; the node says which (MDB_ovpage). */
const BIG_DATA = 0x01;
export const SUB_TREE = 0x02;
const OVERFLOW_FACTS_BYTES = 24;
/** lmdb's own bound (CURSOR_STACK). */
const MAX_DEPTH = 32;

export interface TreeVisit {
  /** By which order of keys the tree is sorted. */
  readonly compare: (a: Buffer, b: Buffer) => number;
  /** What a node may be besides data: `SUB_TREE` in the tree of tables. */
  readonly nodeFlags: number;
  /** Key and value are parts of buffers that are used again. */
  readonly record: (key: Buffer, value: Buffer) => void;
  /** Where a value that has pages of its own is read to, of this many bytes; absent: it is read to where the next one will be. */
  readonly room?: Room | undefined;
}

export type Room = (bytes: number) => Buffer;

/** Returns the transaction of the root page; 0 for an empty tree. @throws OddPage */
export function walkTree(reader: PageReader, facts: TreeFacts, visit: TreeVisit): number {
  const levels: Buffer[] = [];
  let big = Buffer.allocUnsafe(4 * PAGE_BYTES);
  let [branchPages, leafPages, overflowPages, entries, rootTransaction] = [0, 0, 0, 0, 0];

  /** Every key in it is at or above `low` and below `high`. */
  function page(number: number, depth: number, low: Buffer | null, high: Buffer | null): void {
    expect(depth <= facts.depth && depth <= MAX_DEPTH, 'a tree is deeper than it says');
    levels[depth] ??= Buffer.allocUnsafe(PAGE_BYTES);
    const bytes = levels[depth];
    reader.read(number, 1, bytes);
    if (depth === 1) rootTransaction = numberAt(bytes, 8);
    const flags = bytes.readUInt16LE(18);
    const [lower, upper] = [bytes.readUInt16LE(20), bytes.readUInt16LE(22)];
    const isLeaf = depth === facts.depth;
    expect(flags === (isLeaf ? LEAF_FLAG : BRANCH_FLAG), 'a page is of another kind');
    const fits = lower % 2 === 0 && lower > 0 && lower <= upper && upper <= PAGE_BYTES - HEAD_BYTES;
    expect(fits, 'the bounds of a page are odd');
    const used = isLeaf ? leaf(bytes, lower, low, high) : branch(bytes, lower, depth, low, high);
    expect(used === PAGE_BYTES - HEAD_BYTES - upper, 'a page holds more or less than it says');
    if (isLeaf) leafPages += 1;
    else branchPages += 1;
  }

  function branch(bytes: Buffer, lower: number, depth: number, low: Buffer | null, high: Buffer | null) {
    let used = 0;
    let from = low;
    const nodes = lower / 2;
    expect(nodes >= 2, 'a branch with one child');
    for (let n = 0; n < nodes; n += 1) {
      const at = nodeAt(bytes, n);
      const keyBytes = bytes.readUInt16LE(at + 6);
      used += even(NODE_BYTES + keyBytes);
      const child = bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * 0x1_0000_0000;
      const until = n + 1 < nodes ? keyAt(bytes, nodeAt(bytes, n + 1)) : high;
      const inOrder = from === null || until === null || visit.compare(from, until) < 0;
      expect(inOrder, 'keys are out of order');
      page(child, depth + 1, from, until);
      from = until;
    }
    return used;
  }

  function leaf(bytes: Buffer, lower: number, low: Buffer | null, high: Buffer | null): number {
    let used = 0;
    let before: Buffer | null = null;
    for (let n = 0; n < lower / 2; n += 1) {
      const at = nodeAt(bytes, n);
      const key = keyAt(bytes, at);
      const inOrder =
        before === null ? low === null || visit.compare(low, key) <= 0 : visit.compare(before, key) < 0;
      expect(inOrder, 'keys are out of order');
      before = key;
      const length = bytes.readUInt32LE(at);
      const nodeFlags = bytes.readUInt16LE(at + 4);
      const data = at + NODE_BYTES + key.length;
      if (nodeFlags === BIG_DATA && visit.nodeFlags === 0) {
        used += even(NODE_BYTES + key.length + OVERFLOW_FACTS_BYTES);
        expect(data + OVERFLOW_FACTS_BYTES <= PAGE_BYTES, 'a node leaves its page');
        visit.record(key, overflow(bytes, data, length));
      } else {
        expect(nodeFlags === visit.nodeFlags && data + length <= PAGE_BYTES, 'a node is odd');
        used += even(NODE_BYTES + key.length + length);
        visit.record(key, bytes.subarray(data, data + length));
      }
      entries += 1;
    }
    expect(high === null || before === null || visit.compare(before, high) < 0, 'keys are out of order');
    return used;
  }

  function overflow(bytes: Buffer, at: number, length: number): Buffer {
    const first = numberAt(bytes, at);
    const count = numberAt(bytes, at + 16);
    expect(count === Math.ceil((HEAD_BYTES + length) / PAGE_BYTES), 'a value of another length');
    // Before there is a buffer for it: a length that is no length must not ask for memory.
    expect(first + count - 1 <= reader.facts.lastPage, 'a value leaves the file');
    const pages = visit.room?.(count * PAGE_BYTES) ?? ownRoom(count * PAGE_BYTES);
    reader.read(first, count, pages);
    const isIt = pages.readUInt16LE(18) === OVERFLOW_FLAG && pages.readUInt32LE(20) === count;
    expect(isIt && numberAt(pages, 8) === numberAt(bytes, at + 8), "the pages of a value are another one's");
    overflowPages += count;
    return pages.subarray(HEAD_BYTES, HEAD_BYTES + length);
  }

  function ownRoom(wanted: number): Buffer {
    if (big.length < wanted) big = Buffer.allocUnsafe(wanted);
    return big;
  }

  if (facts.root !== null) page(facts.root, 1, null, null);
  const found = [branchPages, leafPages, overflowPages, entries];
  const said = [facts.branchPages, facts.leafPages, facts.overflowPages, facts.entries];
  expect(
    found.every((number, n) => number === said[n]),
    'a tree holds more or less than it says',
  );
  expect(facts.root !== null || facts.depth === 0, 'an empty tree has a depth');
  return rootTransaction;
}

/** Where the n-th node of a page begins. */
function nodeAt(bytes: Buffer, n: number): number {
  const at = HEAD_BYTES + bytes.readUInt16LE(HEAD_BYTES + 2 * n);
  expect(at % 2 === 0 && at + NODE_BYTES <= PAGE_BYTES, 'a node is outside of its page');
  return at;
}

function keyAt(bytes: Buffer, node: number): Buffer {
  const end = node + NODE_BYTES + bytes.readUInt16LE(node + 6);
  expect(end <= PAGE_BYTES, 'a key leaves its page');
  return bytes.subarray(node + NODE_BYTES, end);
}

function even(bytes: number): number {
  return bytes + (bytes & 1);
}
