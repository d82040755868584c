/** Synced commits a second, for batches of 1 and of 100 applications, without and with a journal entry for each, and the time to verify and recover 100,000. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { emptyTransaction } from '../src/store/empty-transaction.ts';
import { openStore } from '../src/store/open-store.ts';
import type { NewJournalEntry, Store, StoreBatch } from '../src/store/types.ts';
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

/** What the journal is given for an event that added the application with its endpoints. */
function journalEntry(app: Application, generation: number): NewJournalEntry {
  const { key, endpoints, aliases: _, ...head } = app;
  return {
    ...{ source: 'bus:127.0.0.1:61613', messageId: `ID:bench-1:${generation}`, sentAt: 1, receivedAt: 1 },
    ...{ action: 'add_public_endpoint', app: key, subject: '172.16.4.200:50846', generation },
    ...{ notes: [], decisions: [] },
    changes: [
      { kind: 'application', app: key, before: null, after: { ...head } },
      ...endpoints.map((after) => {
        const endpoint = `${after.address}:${after.port}`;
        return { kind: 'endpoint', app: key, endpoint, before: null, after } as const;
      }),
    ],
  };
}

function batchOf(first: number, count: number, isJournalled = false): StoreBatch {
  const apps = Array.from({ length: count }, (_, index) => application(first + index));
  return {
    ...emptyTransaction(1, first),
    apps: apps.map((app) => [app.key, app]),
    journal: isJournalled ? apps.map((app) => journalEntry(app, first)) : [],
  };
}

async function measure(store: Store, batch: number, isJournalled = false): Promise<CommitRate> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < ROUND_MS) {
      await store.commit(batchOf((count % 50) * batch, batch, isJournalled));
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
    const journalled = await measure(store, 100, true);
    const without = rates.find(({ batch }) => batch === journalled.batch)?.commitsPerSecond ?? 0;
    const costUs = (1 / journalled.commitsPerSecond - 1 / without) * (1e6 / journalled.batch);
    console.log(
      `store-commit batches of ${journalled.batch} with a journal entry of three changes each: ${journalled.commitsPerSecond} synced commits/s, ${costUs.toFixed(0)} µs more an event`,
    );
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
