/** A segment of the redo log, read: batch by batch as batch-record.ts makes them, or passed by without being read. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BATCH_HEAD_BYTES, BATCH_MARK, REMOVED } from './batch-record.ts';
import { crc32 } from './crc32.ts';
import type { RecordKey } from './records.ts';

/** One write of a batch: the record's bytes as they lie in lmdb, null for a removal. */
export type Operation = readonly [table: string, key: RecordKey, bytes: Buffer | null];

export interface LoggedBatch {
  readonly number: number;
  operations(): readonly Operation[];
}

/** Of a segment that is passed by; a small batch is a kilobyte. */
const WINDOW_BYTES = 65_536;

/** Passes batches from `first`, at the beginning of the file, up to `until`, or to the first that is not there; its bytes are looked at if `verify` says so. */
export function passBatches(
  file: string,
  first: number,
  until: number,
  verify: boolean,
): { readonly next: number; readonly at: number } {
  if (first >= until) return { next: first, at: 0 };
  const bytesOf = openSync(file, 'r');
  try {
    const size = fstatSync(bytesOf).size;
    const window = Buffer.allocUnsafe(WINDOW_BYTES);
    let [from, filled] = [0, 0];
    /** As much as the window has of the file from `at` on: a head at least, where the file has one. */
    const bytesAt = (at: number, wanted: number): Buffer => {
      if (at < from || at + wanted > from + filled) {
        filled = readSync(bytesOf, window, 0, WINDOW_BYTES, at);
        from = at;
      }
      return window.subarray(at - from, filled);
    };
    const sumOf = (start: number, end: number): number => {
      let sum = 0;
      for (let at = start; at < end; ) {
        const piece = bytesAt(at, 1).subarray(0, end - at);
        // The file became shorter.
        if (piece.length === 0) break;
        sum = crc32(piece, sum);
        at += piece.length;
      }
      return sum;
    };
    let [next, at] = [first, 0];
    for (; next < until; next += 1) {
      const head = headOf(bytesAt(at, BATCH_HEAD_BYTES), size - at, next);
      if (head === null || (verify && sumOf(at + 8, at + head.bytes) !== head.sum)) break;
      at += head.bytes;
    }
    return { next, at };
  } finally {
    closeSync(bytesOf);
  }
}

/** All of the file from `at` on. */
export function bytesFrom(file: string, at: number): Buffer {
  const bytesOf = openSync(file, 'r');
  try {
    const bytes = Buffer.allocUnsafe(Math.max(0, fstatSync(bytesOf).size - at));
    // One read may bring less than it was asked for, and what it leaves would pass for the log's end.
    for (let filled = 0; filled < bytes.length; ) {
      const read = readSync(bytesOf, bytes, filled, bytes.length - filled, at + filled);
      if (read === 0) return bytes.subarray(0, filled);
      filled += read;
    }
    return bytes;
  } finally {
    closeSync(bytesOf);
  }
}

/** Of the batch that `bytes` begin with, `left` bytes before the end of the file; null: no batch of this number, or the file has less of it. */
function headOf(
  bytes: Buffer,
  left: number,
  number: number,
): { readonly bytes: number; readonly sum: number } | null {
  if (bytes.length < BATCH_HEAD_BYTES || bytes.readUInt32BE(0) !== BATCH_MARK) return null;
  const length = BATCH_HEAD_BYTES + bytes.readUInt32BE(8);
  if (length > left || Number(bytes.readBigUInt64BE(12)) !== number) return null;
  return { bytes: length, sum: bytes.readUInt32BE(4) };
}

/** null: no whole record of this number is there. */
export function decodeBatch(
  bytes: Buffer,
  at: number,
  number: number,
): (LoggedBatch & { readonly end: number }) | null {
  const head = headOf(bytes.subarray(at), bytes.length - at, number);
  if (head === null) return null;
  const end = at + head.bytes;
  if (crc32(bytes.subarray(at + 8, end)) !== head.sum) return null;
  return { number, end, operations: () => operationsIn(bytes, at + BATCH_HEAD_BYTES, end) };
}

function operationsIn(bytes: Buffer, start: number, end: number): Operation[] {
  const operations: Operation[] = [];
  for (let here = start; here < end; ) {
    const [placeBytes, valueBytes] = [bytes.readUInt32BE(here), bytes.readUInt32BE(here + 4)];
    const [from, to] = [here + 8, here + 8 + placeBytes];
    const [table, key] = JSON.parse(bytes.subarray(from, to).toString()) as [string, RecordKey];
    here = to + (valueBytes === REMOVED ? 0 : valueBytes);
    operations.push([table, key, valueBytes === REMOVED ? null : bytes.subarray(to, here)]);
  }
  return operations;
}
