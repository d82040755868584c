/** The control loop without a load balancer around it: for commands that work on the state folder while nothing runs on it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { type Control, createControl } from '../control/create-control.ts';
import { tablePolicyOf } from '../control/table-policy.ts';
import { keySourceOf } from '../store/master-key.ts';
import { openStore } from '../store/open-store.ts';
import type { TablePolicy } from '../table/policy.ts';
import { silentLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';

export interface OfflineControl {
  readonly control: Pick<Control, 'take' | 'status' | 'state'>;
  readonly policy: TablePolicy;
  close(): Promise<void>;
}

/**
 * Opens the state of `config`; `rehearse`: an empty one in a folder that is removed afterwards, for what would come of it. Rejects with a
 * StoreError, as STORE_IN_USE while a Headgear runs on the folder.
 */
export async function openOfflineControl(config: Config, rehearse: boolean): Promise<OfflineControl> {
  const { events } = config;
  const dir = rehearse ? mkdtempSync(join(tmpdir(), 'headgear-rehearsal-')) : config.stateDir;
  const tidy = (): void => {
    if (rehearse) rmSync(dir, { recursive: true, force: true });
  };
  const store = await openStore({
    dir,
    journal: config.journal,
    maxQuarantined: events.maxQuarantined,
    maxQuarantineBytes: events.maxQuarantineBytes,
    maxQuarantineAgeMs: events.maxQuarantineAgeMs,
    snapshotIntervalMs: config.store.snapshotIntervalMs,
    masterKey: keySourceOf(rehearse ? {} : config.masterKey, dir),
    isRecovered: true,
    log: silentLog,
  }).catch((error: unknown) => {
    tidy();
    throw error;
  });
  // No listeners of our own are open, so none can be looped to.
  const policy = tablePolicyOf(config, new Set());
  const control = createControl({
    config,
    policy,
    store,
    publish: () => Promise.resolve(),
    keepAwake: { reconcile: () => undefined },
    log: silentLog,
    metrics: createMetrics(),
  });
  const close = async (): Promise<void> => {
    await control.stop();
    await store.close();
    tidy();
  };
  try {
    await control.recover();
  } catch (error) {
    await close();
    throw error;
  }
  return { control, policy, close };
}
