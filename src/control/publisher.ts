/**
 * Hands table changes to the data plane, one at a time, and waits for its confirmation. Events do not wait for that: they are durable and
 * acked already, and what changes meanwhile is merged. A failed publish is tried again for ever with whatever came since.
 */
import type { TableChanges } from '../table/routing-table.ts';
import type { Log } from '../telemetry/types.ts';
import { backoffMs, pause, wordsOf } from './pause.ts';
import { createPendingChanges } from './pending-changes.ts';

/** Resolves when the data plane serves by these changes. */
export type Publish = (changes: TableChanges) => Promise<unknown>;

export interface Publisher {
  offer(changes: TableChanges): void;
  /** Latest generation that the data plane confirmed; 0 before the first. */
  confirmedGeneration(): number;
  /** Resolves when everything offered is confirmed, or after the stop. */
  settled(): Promise<void>;
}

export function createPublisher(publish: Publish, log: Log, signal: AbortSignal): Publisher {
  const pending = createPendingChanges();
  let confirmed = 0;
  let running: Promise<void> | null = null;

  async function attempt(changes: TableChanges): Promise<string | null> {
    try {
      await publish(changes);
      confirmed = changes.generation;
      return null;
    } catch (error) {
      pending.putBack(changes);
      return wordsOf(error);
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    let trouble: string | null = null;
    for (let changes = pending.take(); changes !== null; changes = pending.take()) {
      const failure = await attempt(changes);
      if (failure === null) {
        if (trouble !== null) log.info('the data plane takes table changes again', { generation: confirmed });
        [failures, trouble] = [0, null];
        continue;
      }
      if (failure !== trouble) {
        const fields = { code: 'CONTROL_PUBLISH_FAILED', reason: failure, generation: changes.generation };
        log.error('publishing to the data plane fails; trying again', fields);
      }
      failures += 1;
      trouble = failure;
      if (signal.aborted) return;
      await pause(backoffMs(failures), signal);
      if (signal.aborted) return;
    }
  }

  function kick(): void {
    if (pending.isEmpty()) return;
    running ??= run().finally(() => {
      running = null;
      // What was offered between the last look at what waits and here.
      if (!signal.aborted) kick();
    });
  }

  return {
    offer(changes) {
      pending.add(changes);
      kick();
    },
    confirmedGeneration: () => confirmed,
    async settled() {
      while (running !== null) await running;
    },
  };
}
