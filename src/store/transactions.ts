/** Transactions that are durable twice: in lmdb, and in the log that a snapshot is brought up to date by. */
import type { Log } from '../telemetry/types.ts';
import { causeOf } from './cause-of.ts';
import { openRedoLog, type RedoLog, readRedoLog, removeRedoLog, startOfRedoLog } from './redo-log.ts';
import type { Operation } from './redo-segment.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';

export interface Transactions {
  /**
   * Runs `write` in a transaction of its own, after those before it; resolves when it is durable in both. After a rejection nothing of it is
   * there; only where this process ends right then it may come back with the next start.
   */
  run(write: () => void): Promise<void>;
  /** Before a snapshot is read, between two transactions; gives back what is to be called when it is in its place. */
  beginSnapshot(): Promise<() => void>;
  /** What is in the log alone goes from it, between two transactions: it does not lead up to the store there is. */
  dropLog(): Promise<void>;
  /** True when the log has become so long that a snapshot should come. */
  isLong(): boolean;
  close(): Promise<void>;
}

export interface Opened {
  readonly transactions: Transactions;
  /** Batches that lmdb's file lacked and the log had. */
  readonly replayed: number;
  /** False where the log does not lead up to the store there is: only the next snapshot makes both whole. */
  readonly isWhole: boolean;
  /** The last batch that the log was passed by up to: whether it is whole so far is not known yet. */
  readonly passed: number;
}

/** A snapshot costs a copy of the whole store: not more often than this. */
const LONG_BYTES = 128 * 1_048_576;
/** While no snapshot can be taken the log must not fill the disk. */
export const DEFAULT_MAX_LOG_BYTES = 1_024 * 1_048_576;
/** Operations that one transaction of a replay brings in. */
const CHUNK = 20_000;

/**
 * Brings the store up to what the log has and lmdb's file lacks: after a snapshot took its place; and otherwise at most the batch that
 * was under way when the last process ended, which was not acted on, comes again, and changes nothing then.
 * @throws StoreError STORE_OPEN_FAILED when there is no room to do so after a snapshot took the file's place.
 */
export async function openTransactions(
  tables: Tables,
  dir: string,
  wasRestored: boolean,
  maxLogBytes: number,
  log: Log,
): Promise<Opened> {
  const { root, meta } = tables;
  const before = meta.get('batch') ?? 0;
  const { reached, missing } = missingFrom(dir, before);
  try {
    for (const operations of missing) {
      await root.childTransaction(() => {
        for (const operation of operations) tables.redo(operation);
      });
    }
  } catch (error) {
    const reason = await causeOf(error);
    if (wasRestored) {
      const message = `there is no room to bring back what was committed after the snapshot: ${reason}`;
      throw new StoreError('STORE_OPEN_FAILED', message, { cause: error });
    }
    log.warn('a batch that was under way at the end was not brought in: it comes again', { reason });
  }
  // One of before there was a log: its snapshot must not seem to be what the first batch of the log followed.
  const isOld = meta.get('batch') === undefined && meta.get('generation') !== undefined;
  const isWhole = reached >= before && !isOld;
  if (!isWhole) removeRedoLog(dir);
  const after = meta.get('batch') ?? (isOld ? 1 : 0);
  return {
    replayed: after - before,
    isWhole,
    passed: isWhole ? before : 0,
    transactions: createTransactions(tables, openRedoLog(dir), after, maxLogBytes, log),
  };
}

/** Batches above `before`, in chunks of whole ones; `reached`: the last that the log has, 0 where it does not lead on from there. */
function missingFrom(
  dir: string,
  before: number,
): { readonly reached: number; readonly missing: readonly (readonly Operation[])[] } {
  const missing: Operation[][] = [];
  const start = startOfRedoLog(dir);
  if (start === null || start > before + 1) return { reached: 0, missing };
  let reached = start - 1;
  for (const { number, operations } of readRedoLog(dir, before)) {
    reached = number;
    if (number <= before) continue;
    const chunk = missing.at(-1);
    if (chunk === undefined || chunk.length > CHUNK) missing.push([...operations()]);
    else for (const operation of operations()) chunk.push(operation);
  }
  return { reached, missing };
}

function createTransactions(
  { root, meta, recorded }: Tables,
  redo: RedoLog,
  from: number,
  maxLogBytes: number,
  log: Log,
): Transactions {
  let last = from;
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = queue.then(work);
    queue = done.catch(() => undefined);
    return done;
  };

  async function run(write: () => void): Promise<void> {
    const number = last + 1;
    await root.childTransaction(async () => {
      const batch = recorded(() => {
        write();
        meta.put('batch', number);
      });
      // Before lmdb commits: what the log refuses is rolled back, and lmdb never has what the log has not. To sync both at one time was
      // rejected for that; it saves a third of the wait.
      await redo.append(number, batch);
    });
    redo.keep();
    last = number;
    if (redo.bytes() < maxLogBytes) return;
    await dropLog();
    const fields = { code: 'STORE_LOG_DROPPED', bytes: maxLogBytes };
    log.error(
      'no snapshot could be taken for so long that the log was dropped: a damaged store would go back to it',
      fields,
    );
  }

  async function dropLog(): Promise<void> {
    const drop = await redo.rotate(last + 1);
    drop();
  }

  return {
    run: (write) => inTurn(() => run(write)),
    beginSnapshot: () => inTurn(() => redo.rotate(last + 1)),
    dropLog: () => inTurn(dropLog),
    isLong: () => redo.bytes() > LONG_BYTES,
    close: () => inTurn(redo.close),
  };
}
