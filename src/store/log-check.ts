/**
 * Has another thread read what a start passed by: whether the log is whole up to the store there is. A start needs none of it, and a hundred
 * megabytes of it are as much work as its whole table; but what the log has lost must be known before the store's file is.
 */
import { Worker } from 'node:worker_threads';
import { moduleBeside } from './module-beside.ts';

export interface LogCheckTask {
  readonly dir: string;
  /** The batch that the store had reached. */
  readonly last: number;
}

export interface LogCheck {
  /** Gives up. */
  stop(): void;
}

/** Begins in `delayMs`, or when this thread has time after that. `onBroken` is called once at most: also where it cannot be read. */
export function checkLogLater(task: LogCheckTask, delayMs: number, onBroken: () => void): LogCheck {
  let thread: Worker | null = null;
  const timer = setTimeout(() => {
    thread = new Worker(moduleBeside('log-check-thread', import.meta.url), { workerData: task });
    thread.unref();
    thread.once('message', (isWhole: boolean) => {
      if (!isWhole) onBroken();
    });
    thread.once('error', onBroken);
  }, delayMs);
  timer.unref();
  return {
    stop() {
      clearTimeout(timer);
      void thread?.terminate();
    },
  };
}
