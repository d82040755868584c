/** What one line of the access log costs: building it, and building and writing it to a file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { accessLine } from '../src/telemetry/access-line.ts';
import { createAccessLog } from '../src/telemetry/access-log.ts';
import { silentLog } from '../src/telemetry/log.ts';
import type { RequestContext } from '../src/telemetry/request-context.ts';

const ROUNDS = 5;
const LINES = 200_000;
const PER_TURN = 200;

/** Prints nanoseconds a line (median of five rounds): CPU of the main thread. */
export async function run(): Promise<void> {
  const contexts = Array.from({ length: 64 }, (_, n) => sampleContext(n));
  const built = await median(() => buildOnly(contexts));
  const folder = mkdtempSync(join(tmpdir(), 'headgear-bench-'));
  try {
    const written = await median(() => buildAndWrite(contexts, join(folder, 'access.log')));
    console.log(
      `access log: ${built.toFixed(0)} ns to build a line, ${written.toFixed(0)} ns with writing it`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function median(round: () => Promise<number>): Promise<number> {
  const results: number[] = [];
  for (let n = 0; n < ROUNDS; n += 1) results.push(await round());
  results.sort((a, b) => a - b);
  return results[ROUNDS >> 1] ?? 0;
}

async function buildOnly(contexts: readonly RequestContext[]): Promise<number> {
  let chunk = '';
  let flat = 0;
  const start = process.cpuUsage();
  for (let n = 0; n < LINES; n += 1) {
    const context = contexts[n & 63];
    if (context !== undefined) chunk += accessLine(context, 1_234 + n);
    if (chunk.length > 8_192) {
      // Reading the bytes makes V8 join the pieces of the string: part of the price.
      flat += Buffer.byteLength(chunk) & 1;
      chunk = '';
    }
  }
  const used = process.cpuUsage(start);
  return ((used.user + used.system) * 1_000 + flat * 0) / LINES;
}

async function buildAndWrite(contexts: readonly RequestContext[], file: string): Promise<number> {
  const accessLog = createAccessLog({ file }, silentLog);
  const start = process.cpuUsage();
  for (let n = 0; n < LINES; n += 1) {
    const context = contexts[n & 63];
    if (context !== undefined) accessLog.write(context, 1_234 + n);
    if (n % PER_TURN === 0) await setTimeout(1);
  }
  await accessLog.close();
  const used = process.cpuUsage(start);
  if (accessLog.dropped() > 0) throw new Error(`${accessLog.dropped()} lines were dropped`);
  return ((used.user + used.system) * 1_000) / LINES;
}

function sampleContext(n: number): RequestContext {
  return {
    startedAtUs: 1_795_000_000_000_000 + n * 1_700,
    clientAddress: `203.0.113.${n}`,
    clientPort: 40_000 + n,
    scheme: 'https',
    protocol: 'HTTP/1.1',
    method: 'GET',
    target: `/products/${n}/picture?size=large&session=${n * 7919}`,
    host: 'www.example.com',
    app: 'shop/store',
    generation: 7,
    endpoint: `172.16.4.${n}:50847`,
    gearId: '52af7c55b8a0d4a1e8000001',
    attempts: 1,
    status: 200,
    bytesIn: 0,
    bytesOut: 1_024 + n,
    upstreamFirstByteUs: 850 + n,
    failure: '',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
    referer: 'https://www.example.com/products',
  };
}
