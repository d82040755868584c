/** Synced commits a second, for batches of 1 and of 100 applications, and the time to verify and recover 100,000. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { openStore } from '../src/store/open-store.ts';
import type { Store, StoreBatch } from '../src/store/types.ts';
import type { Application } from '../src/table/state.ts';
import { silentLog } from '../src/telemetry/log.ts';

const ROUNDS = 5;
const ROUND_MS = 600;
const RECOVERED = 100_000;

export interface CommitRate {
  readonly batch: number;
  /** Median of the rounds. */
  readonly commitsPerSecond: number;
}

function application(number: number): Application {
  const gearId = number.toString(16).padStart(24, '0');
  const endpoint = (port: number, type: string) => ({
    gearId,
    cartridge: 'haproxy-1.4',
    address: '172.16.4.200',
    port,
    protocols: ['http', 'ws'],
    types: [type],
    mappings: [{ frontend: '', backend: '' }],
  });
  return {
    key: `demo/app${number}`,
    appName: `app${number}`,
    namespace: 'demo',
    scalable: true,
    ha: false,
    headGearId: gearId,
    endpoints: [endpoint(50_846, 'web_framework'), endpoint(50_847, 'load_balancer')],
    aliases: [],
  };
}

function batchOf(first: number, count: number): StoreBatch {
  const apps = Array.from({ length: count }, (_, index) => application(first + index));
  return {
    apps: apps.map((app) => [app.key, app]),
    tombstones: [],
    certificates: [],
    quarantine: [],
    forgetQuarantineOf: [],
    dropQuarantine: [],
    journal: [],
    nextClaim: 1,
    generation: first,
  };
}

async function measure(store: Store, batch: number): Promise<CommitRate> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < ROUND_MS) {
      await store.commit(batchOf((count % 50) * batch, batch));
      count++;
    }
    rates.push((count / (performance.now() - start)) * 1_000);
  }
  rates.sort((a, b) => a - b);
  return { batch, commitsPerSecond: Math.round(rates[Math.floor(ROUNDS / 2)] ?? 0) };
}

/** Measures, prints a line each, and returns the commit rates. Takes about 10 s and leaves nothing behind. */
export async function run(): Promise<readonly CommitRate[]> {
  const base = mkdtempSync(join(tmpdir(), 'headgear-bench-'));
  try {
    const store = await openStore({ dir: join(base, 'state'), maxQuarantined: 1, log: silentLog });
    const rates = [await measure(store, 1), await measure(store, 100)];
    for (const { batch, commitsPerSecond } of rates) {
      console.log(
        `store-commit batches of ${batch}: ${commitsPerSecond} synced commits/s, ${commitsPerSecond * batch} applications/s`,
      );
    }
    await store.commit(batchOf(0, RECOVERED));
    await store.close();
    const opening = performance.now();
    const again = await openStore({ dir: join(base, 'state'), maxQuarantined: 1, log: silentLog });
    const start = performance.now();
    const found = again.recover().apps.length;
    console.log(
      `store-commit start with ${found} applications: ${Math.round(start - opening)} ms to verify and renew, ${Math.round(performance.now() - start)} ms to recover`,
    );
    await again.close();
    return rates;
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) await run();
