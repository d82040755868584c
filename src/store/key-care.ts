/**
 * Rotation of the master key while the store is open: notices a new key, brings every record under it, and takes the former one out of the
 * key file once nothing uses it. After a crash at any point the next start goes on: the key file has both keys until the end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { watchFiles } from '../config/watch-files.ts';
import { readKeys } from '../seal/key-ring.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { changeKeyFile, type KeySource, loadKeys, sourceName } from './master-key.ts';
import { messageOf, StoreError } from './store-error.ts';
import type { Store } from './types.ts';

/** Between two steps: events and traffic come first. */
const STEP_PAUSE_MS = 10;
const RETRY_MS = 5_000;

type KeyStore = Pick<Store, 'keys' | 'keysInUse' | 'adoptKeys' | 'reseal' | 'snapshot' | 'health'>;

export interface KeyCareOptions {
  readonly store: KeyStore;
  readonly source: KeySource;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pollMs?: number;
}

export interface KeyCare {
  /** Looks at the key file now. */
  check(): void;
  /** Leaves what is under way as it is: the next start goes on. */
  stop(): Promise<void>;
}

export function startKeyCare({ store, source, log, metrics, pollMs }: KeyCareOptions): KeyCare {
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | null = null;
  /** Something happened while it ran. */
  let again = false;
  const inUse = metrics.gauge('master_keys_in_use', 'Master keys that records of the store are under');
  metrics.onCollect(() => inUse.set(store.keysInUse().length));

  async function adopt(): Promise<void> {
    const keys = loadKeys(source);
    const ids = keys.map(({ id }) => id);
    const lost = store.keysInUse().filter((id) => !ids.includes(id));
    if (lost.length > 0) {
      throw new StoreError(
        'STORE_KEY_MISSING',
        `${sourceName(source)} lacks master key ${lost.join(' and ')}, which is still in use: put it back behind the new one`,
      );
    }
    await store.adoptKeys(keys);
  }

  async function run(): Promise<void> {
    if (source.kind === 'file') await adopt();
    if (store.keysInUse().length > 1) await bringUnderCurrentKey(store, log, signal);
    if (!signal.aborted) await takeFormerAway(store, source, log);
  }

  function kick(): void {
    if (running !== null) return;
    running = run()
      .catch(async (error: unknown) => {
        log.error('the master key cannot be rotated; trying again', {
          code: error instanceof StoreError ? error.code : 'STORE_RESEAL_FAILED',
          reason: messageOf(error),
        });
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
        again = true;
      })
      .finally(() => {
        running = null;
        if (!again || signal.aborted) return;
        again = false;
        kick();
      });
  }

  const watch =
    source.kind === 'given'
      ? null
      : watchFiles(
          [source.path],
          () => {
            again = running !== null;
            kick();
          },
          pollMs,
        );
  if (store.keysInUse().length > 1 || store.keys.ids().length > 1) kick();
  return {
    check: () => watch?.check(),
    async stop() {
      watch?.stop();
      stopping.abort();
      await running;
    },
  };
}

/** Until everything is under the current key, or the signal. Rejects with what a transaction fails of; what was done holds. */
export async function bringUnderCurrentKey(store: KeyStore, log: Log, signal: AbortSignal): Promise<void> {
  log.info('bringing every private key under the current master key', { masterKey: store.keys.current().id });
  let resealed = 0;
  let broken = 0;
  while (!signal.aborted) {
    const step = await store.reseal();
    resealed += step.resealed;
    broken += step.broken;
    if (step.done) {
      log.info('every private key is under the current master key', {
        masterKey: store.keys.current().id,
        records: resealed,
      });
      if (broken > 0) {
        log.error('records of the store were changed on disk and cannot be opened by any key', {
          code: 'STORE_RECORDS_BROKEN',
          records: broken,
        });
      }
      return;
    }
    await sleep(STEP_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Nothing where the source has the current key alone. */
export async function takeFormerAway(store: KeyStore, source: KeySource, log: Log): Promise<void> {
  const current = store.keys.current().id;
  if (store.keys.ids().length < 2 || store.keysInUse().some((id) => id !== current)) return;
  if (source.kind === 'given') {
    // Not sooner: the snapshot of before is under them.
    await store.snapshot();
    log.info('former master keys are no longer used: take them out of HEADGEAR_MASTER_KEY');
    return;
  }
  // A snapshot of before is under the former key, and a damaged store goes back to the snapshot. Twice: one may be under way.
  await store.snapshot();
  await store.snapshot();
  const { snapshotTrouble } = store.health();
  if (snapshotTrouble !== null) {
    throw new StoreError(
      'STORE_SNAPSHOT',
      `no snapshot could be taken under the new key: ${snapshotTrouble}`,
    );
  }
  try {
    await changeKeyFile(source.path, (texts) => {
      const kept = texts.filter((text) => idOf(text) === current);
      return kept.length === texts.length || idOf(texts[0] ?? '') !== current ? null : kept;
    });
    log.info('the former master key is no longer used and was taken out of the key file', {
      file: source.path,
    });
  } catch (error) {
    log.warn(
      'former master keys are no longer used, but the key file cannot be changed: take them out by hand',
      {
        file: source.path,
        reason: messageOf(error),
      },
    );
  }
}

function idOf(text: string): string | null {
  const read = readKeys(text);
  return read.ok ? read.keys[0].id : null;
}
