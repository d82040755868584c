/**
 * Verified snapshots of the store, which the next start goes back to when it finds the store's file damaged. Taken and
 * verified by another process while this one goes on: a page that went bad on disk must not end the one that serves.
 *
 * A batch that deletes key material asks for the next snapshot sooner: the one there is still holds the key.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../telemetry/types.ts';
import { copyApart } from './check-file.ts';
import { clearLeftovers, newName, putInPlace, SNAPSHOT_FILE, STATE_FILE } from './restore.ts';
import { messageOf } from './store-error.ts';

export interface Snapshots {
  /** A batch was committed; `urgent`: the snapshot there is holds what must go. */
  changed(urgent: boolean): void;
  /** Takes one now, unless one is under way; resolves when it is in its place or was given up. */
  take(): Promise<void>;
  /** Epoch milliseconds of the last verified one, or null. */
  takenAt(): number | null;
  /** Why the last attempt failed, or null. */
  trouble(): string | null;
  /** Gives up what is under way. */
  stop(): Promise<void>;
}

export interface SnapshotOptions {
  /** Longest time, in milliseconds, that a change is in the store alone. */
  readonly intervalMs: number;
  readonly log: Log;
  /** Runs before each attempt; what it gives back, when the snapshot is in its place. */
  readonly onBegin: () => Promise<() => void>;
  /** Runs after each attempt: the process that read the file may have died and left a mark in lmdb's table of readers. */
  readonly onRead: () => void;
}

/** Until the first snapshot. */
const FIRST_MS = 5_000;
/** Until one that no longer holds a deleted key, and until another attempt. */
const SOON_MS = 60_000;
/** Pause after a snapshot, in times of what it took: a large store on a slow disk must not be copied all the time. */
const PAUSE_FACTOR = 20;
/** Begins with one soon, if the store was written to since the last. */
export function createSnapshots(dir: string, options: SnapshotOptions): Snapshots {
  const { intervalMs, log } = options;
  const path = join(dir, STATE_FILE);
  const snapshot = join(dir, SNAPSHOT_FILE);
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | null = null;
  let dueAt = Number.POSITIVE_INFINITY;
  let running: Promise<void> | null = null;
  let trouble: string | null = null;
  let takenAt = modifiedAt(snapshot);
  let notBefore = 0;
  // What the last process committed may be younger than its last snapshot.
  if ((modifiedAt(path) ?? 0) > (takenAt ?? 0)) plan(takenAt === null ? FIRST_MS : SOON_MS);

  function plan(delayMs: number): void {
    const now = performance.now();
    const at = Math.max(now + Math.min(delayMs, intervalMs), notBefore);
    if (stopping.signal.aborted || at >= dueAt) return;
    if (timer !== null) clearTimeout(timer);
    dueAt = at;
    // One under way may have begun before the change.
    timer = setTimeout(() => void (running ?? Promise.resolve()).then(take), at - now);
    timer.unref();
  }

  async function attempt(): Promise<string | null> {
    try {
      const settled = await options.onBegin();
      const fresh = newName(snapshot);
      const check = await copyApart(path, fresh, stopping.signal);
      if (check.kind !== 'sound') return check.reason;
      putInPlace(fresh, snapshot);
      settled();
      return null;
    } catch (error) {
      return messageOf(error);
    } finally {
      options.onRead();
      clearLeftovers(dir);
    }
  }

  async function run(): Promise<void> {
    const began = performance.now();
    const failure = await attempt();
    if (stopping.signal.aborted) return;
    notBefore = performance.now() + PAUSE_FACTOR * (performance.now() - began);
    if (failure === null) {
      takenAt = modifiedAt(snapshot);
      if (trouble !== null) log.info('a snapshot of the store could be taken again');
    } else {
      // Once a change: an hour of a full disk is one line.
      if (failure !== trouble)
        log.error('no verified snapshot of the store could be taken; the former one stays', {
          code: 'STORE_SNAPSHOT_FAILED',
          reason: failure,
        });
      plan(SOON_MS);
    }
    trouble = failure;
  }

  function take(): Promise<void> {
    // One that waited for another to end: the store may be closed by now.
    if (stopping.signal.aborted) return Promise.resolve();
    if (timer !== null) clearTimeout(timer);
    timer = null;
    dueAt = Number.POSITIVE_INFINITY;
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  }

  return {
    changed: (urgent) => plan(takenAt === null ? FIRST_MS : urgent ? SOON_MS : intervalMs),
    take,
    takenAt: () => takenAt,
    trouble: () => trouble,
    async stop() {
      stopping.abort();
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}

/** Epoch milliseconds, or null where there is no such file. */
function modifiedAt(path: string): number | null {
  return existsSync(path) ? Math.round(statSync(path).mtimeMs) : null;
}
