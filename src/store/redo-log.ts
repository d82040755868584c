/**
 * What was committed since the last verified snapshot, once more and in a form of its own: one record a batch, with the bytes that went into
 * lmdb, synced before the batch counts as durable. A snapshot and this log are the store: where lmdb's file is found damaged, nothing
 * that was acted on is lost.
 *
 * Written before lmdb commits. In segments: a snapshot begins one, and those before it go when it is in its place.
 * Private keys and bodies are in it only as they are in lmdb, under the master key.
 *
 * A log alone in place of lmdb was rejected (start-up would replay a table of a million), and so was a second lmdb environment: what breaks the
 * one file (a full disk, a bug in its pages) breaks both.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchRecord } from './batch-record.ts';
import { bytesFrom, decodeBatch, type LoggedBatch, passBatches } from './redo-segment.ts';
import { FILE_MODE, syncDirectory } from './state-directory.ts';

export interface RedoLog {
  /**
   * Resolves when batch `number` is durable. It counts from `keep` on: before that, the next one takes its place.
   * Rejects with the system's error.
   */
  append(number: number, batch: BatchRecord): Promise<void>;
  /** lmdb has committed what was appended last. */
  keep(): void;
  /** Batch `next` and what follows go into another segment; gives back what removes all before it. No append may be under way. */
  rotate(next: number): Promise<() => void>;
  /** Of all segments. */
  bytes(): number;
  close(): Promise<void>;
}

const NAME = /^state\.redo-(\d{16})$/;

/** The first segment is made when something goes into it: a start on a full disk needs no room for one. */
export function openRedoLog(dir: string): RedoLog {
  let segment: FileHandle | null = null;
  let before = segmentsIn(dir).reduce((sum, { file }) => sum + statSync(file).size, 0);
  let size = 0;
  let pending = 0;
  const end = async (): Promise<void> => {
    const [ended, kept] = [segment, size];
    segment = null;
    before += kept;
    size = 0;
    // What lmdb refused is not to come back with the next start.
    if (pending > 0) await ended?.truncate(kept);
    pending = 0;
    await ended?.close();
  };
  return {
    async append(number, batch) {
      const record = batch.finish(number);
      pending = 0;
      segment ??= await beginSegment(dir, number);
      for (let done = 0; done < record.length; ) {
        const { bytesWritten } = await segment.write(record, done, record.length - done, size + done);
        done += bytesWritten;
      }
      await segment.datasync();
      pending = record.length;
    },
    keep() {
      size += pending;
      pending = 0;
    },
    async rotate(next) {
      const old = segmentsIn(dir).filter(({ first }) => first < next);
      // First, because without room or right to make it things go on as they were. Empty, it tells the next start that nothing followed.
      const fresh = await beginSegment(dir, next);
      await end();
      segment = fresh;
      const gone = before;
      return () => {
        for (const { file } of old) rmSync(file, { force: true });
        before -= gone;
      };
    },
    bytes: () => before + size,
    close: end,
  };
}

/** Removes all of it: it does not lead on from the store there is. */
export function removeRedoLog(dir: string): void {
  for (const { file } of segmentsIn(dir)) rmSync(file, { force: true });
}

/** The number of the batch that the log begins with, or would; null: there is none. */
export function startOfRedoLog(dir: string): number | null {
  return segmentsIn(dir)[0]?.first ?? null;
}

/**
 * Batches in their order, from the first that is there on, each number one above the one before. Ends where that is no longer so, at
 * the first record that is not whole: what was written last may be cut off, and was never acted on then.
 *
 * @param known up to this one the store has them: they are told by their heads alone, and give no operations. Whether they are whole is
 * `isWholeUpTo`'s to say: their bytes may be a hundred megabytes, which a start need not wait for.
 */
export function* readRedoLog(dir: string, known = 0): Generator<LoggedBatch> {
  const segments = segmentsIn(dir);
  let expected = segments[0]?.first ?? 0;
  for (const [i, { file, first }] of segments.entries()) {
    if (first !== expected) return;
    // A segment begins with what was committed next: what the one before holds of that never was.
    const end = segments[i + 1]?.first ?? Number.POSITIVE_INFINITY;
    const passed = passBatches(file, first, Math.min(end, known + 1), false);
    for (; expected < passed.next; expected += 1) yield { number: expected, operations: () => [] };
    // What cannot be passed cannot be gone on from.
    if (expected >= end || expected <= known) continue;
    const bytes = bytesFrom(file, passed.at);
    for (let at = 0; expected < end; ) {
      const batch = decodeBatch(bytes, at, expected);
      if (batch === null) break;
      yield batch;
      expected += 1;
      at = batch.end;
    }
  }
}

/**
 * Whether every batch of the log up to `last` is whole, to the last byte. May be asked while the log is written to, and while a snapshot
 * ends what is before it: what is gone is not wanted any more.
 */
export function isWholeUpTo(dir: string, last: number): boolean {
  const segments = segmentsIn(dir);
  let expected = segments[0]?.first ?? last + 1;
  for (const [i, { file, first }] of segments.entries()) {
    if (expected > last || first !== expected) break;
    const end = segments[i + 1]?.first ?? Number.POSITIVE_INFINITY;
    try {
      expected = passBatches(file, first, Math.min(end, last + 1), true).next;
    } catch (error) {
      if (!existsSync(file)) return isWholeUpTo(dir, last);
      throw error;
    }
  }
  return expected > last;
}

function segmentsIn(dir: string): readonly { readonly file: string; readonly first: number }[] {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const first = NAME.exec(name)?.[1];
      return first === undefined ? [] : [{ file: join(dir, name), first: Number(first) }];
    });
}

async function beginSegment(dir: string, first: number): Promise<FileHandle> {
  const path = join(dir, `state.redo-${String(first).padStart(16, '0')}`);
  let segment: FileHandle | null = null;
  try {
    // One of the same number holds nothing that was committed.
    segment = await open(path, 'w', FILE_MODE);
    // Its name has to be as durable as what it will hold.
    syncDirectory(dir);
    return segment;
  } catch (error) {
    await segment?.close();
    // It would end the segment before it, which goes on.
    rmSync(path, { force: true });
    throw error;
  }
}
