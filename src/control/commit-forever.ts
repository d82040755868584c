/** A transaction that must succeed: while the store refuses it, later events wait unacked and traffic goes on. */
import { performance } from 'node:perf_hooks';
import type { Store, StoreBatch } from '../store/types.ts';
import type { Log } from '../telemetry/types.ts';
import type { ControlMetrics } from './control-metrics.ts';
import { backoffMs, pause, wordsOf } from './pause.ts';

export interface Committer {
  /** True: synced. False: stopped before it could be; nothing of it holds. */
  commit(transaction: StoreBatch): Promise<boolean>;
  /** Why the store refuses, or null. */
  trouble(): string | null;
}

export function createCommitter(
  store: Pick<Store, 'commit'>,
  log: Log,
  metrics: ControlMetrics,
  signal: AbortSignal,
): Committer {
  let trouble: string | null = null;

  async function attempt(transaction: StoreBatch): Promise<boolean> {
    const began = performance.now();
    try {
      await store.commit(transaction);
      metrics.committed((performance.now() - began) / 1000);
      if (trouble !== null) log.info('the store takes events again');
      trouble = null;
      return true;
    } catch (error) {
      metrics.commitFailed();
      const reason = wordsOf(error);
      // Once a change: an hour of a full disk is one line, not a thousand.
      if (reason !== trouble) {
        log.error('the store refuses to commit; events wait unacked', {
          code: 'CONTROL_STORE_TROUBLE',
          reason,
        });
      }
      trouble = reason;
      return false;
    }
  }

  return {
    async commit(transaction) {
      for (let attempts = 1; ; attempts += 1) {
        if (await attempt(transaction)) return true;
        if (signal.aborted) return false;
        await pause(backoffMs(attempts), signal);
        if (signal.aborted) return false;
      }
    },
    trouble: () => trouble,
  };
}
