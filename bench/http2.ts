/**
 * HTTP/2 from clients: Headgear against HAProxy and against a static answer of node:http2, by h2load. Headgear's own HTTP/1.1 hop over
 * TLS is measured beside them, since what we add to node:http2 ought to be no more than that. CPU microseconds a request.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DEFAULT_CIPHERS } from '../src/certificates/tls-settings.ts';
import { issueCertificate, makeDevelopmentCa } from '../src/pem/development.ts';
import { findPart } from '../test/support/parts.ts';
import { freePort } from '../test/support/ports.ts';
import { type Child, createChildren } from './children.ts';
import { cpuMicroseconds } from './cpu.ts';
import { runH2Load } from './load-h2load.ts';
import { startOrigin } from './origin.ts';
import { haproxy } from './targets/haproxy.ts';
import { headgear } from './targets/headgear.ts';
import { HOST, type Scenery } from './targets/target.ts';
import { untilConnectable } from './wait.ts';

const ROUNDS = 5;
const REQUESTS = 20_000;
/** In flight together no more than the kept connections of one endpoint: a gear's own haproxy takes 128 at most. */
const CONNECTIONS = 8;
const STREAMS = 8;
/** CPU time moves in steps, and logs are written late. */
const SETTLE_MS = 400;

interface Cell {
  readonly name: string;
  readonly child: Child;
  readonly port: number;
  readonly protocol: 'h2' | 'h1';
}

/** Prints medians of five interleaved rounds. */
export async function run(): Promise<void> {
  const h2load = findPart('h2load');
  if ('missing' in h2load) {
    console.log(`http2: ${h2load.missing}`);
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), 'headgear-bench-'));
  const children = createChildren(dir);
  try {
    const ca = makeDevelopmentCa();
    const issued = issueCertificate({ ca, names: [HOST] });
    const files = { certFile: join(dir, 'server.pem'), keyFile: join(dir, 'server.key') };
    writeFileSync(files.certFile, issued.chainPem);
    writeFileSync(files.keyFile, issued.privateKeyPem, { mode: 0o600 });
    const origin = await startOrigin(children, dir);
    const names = DEFAULT_CIPHERS.split(':');
    const scenery: Scenery = {
      ...files,
      dir,
      children,
      originPort: origin.port,
      ciphersuites: names.filter((name) => name.startsWith('TLS_')).join(':'),
      ciphers: names.filter((name) => !name.startsWith('TLS_')).join(':'),
    };
    await measure(await cellsOf(scenery));
  } finally {
    await children.stop();
  }
}

async function cellsOf(scenery: Scenery): Promise<readonly Cell[]> {
  const ours = await headgear.start(scenery);
  const port = await freePort();
  const script = fileURLToPath(new URL('./http2-static.js', import.meta.url));
  const fixed = scenery.children.start('http2-static', {
    command: process.execPath,
    args: [script, String(port), scenery.certFile, scenery.keyFile, DEFAULT_CIPHERS],
    on: 'proxy',
  });
  await untilConnectable(port, fixed);
  const cells: Cell[] = [
    { name: 'headgear h2', child: ours.child, port: ours.httpsPort, protocol: 'h2' },
    { name: 'headgear h1', child: ours.child, port: ours.httpsPort, protocol: 'h1' },
    { name: 'static h2', child: fixed, port, protocol: 'h2' },
  ];
  if ('missing' in haproxy.find()) return cells;
  const theirs = await haproxy.start(scenery);
  return [...cells, { name: 'haproxy h2', child: theirs.child, port: theirs.httpsPort, protocol: 'h2' }];
}

async function measure(cells: readonly Cell[]): Promise<void> {
  const cpus = new Map<string, number[]>();
  const rates = new Map<string, number[]>();
  // The first two rounds warm the compiler up.
  for (let round = -2; round < ROUNDS; round += 1) {
    for (const cell of cells) {
      const before = cpuMicroseconds(cell.child.pid) ?? Number.NaN;
      const result = await runH2Load({
        port: cell.port,
        path: '/',
        protocol: cell.protocol,
        connections: CONNECTIONS,
        streams: STREAMS,
        requests: REQUESTS,
      });
      await setTimeout(SETTLE_MS);
      const after = cpuMicroseconds(cell.child.pid) ?? Number.NaN;
      if (result.failed > 0) throw new Error(`${cell.name}: ${result.failed} requests failed`);
      if (round < 0) continue;
      push(cpus, cell.name, (after - before) / result.requests);
      push(rates, cell.name, result.requestsPerSecond);
    }
  }
  const cpu = (name: string): number => median(cpus.get(name) ?? []);
  for (const { name } of cells) {
    console.log(
      `http2: ${name.padEnd(12)} ${cpu(name).toFixed(0).padStart(5)} us CPU a request, ${median(rates.get(name) ?? []).toFixed(0)}/s`,
    );
  }
  const bar = cpu('static h2') + 1.1 * cpu('headgear h1');
  console.log(
    `http2: headgear h2 is ${(cpu('headgear h2') / bar).toFixed(2)} of (static h2 + 1.1 headgear h1), ` +
      `${(cpu('headgear h2') / cpu('haproxy h2')).toFixed(2)} x haproxy h2 ` +
      `(${CONNECTIONS} connections, ${STREAMS} streams each, 1 KiB, medians of ${ROUNDS} rounds)`,
  );
}

function push(map: Map<string, number[]>, name: string, value: number): void {
  const list = map.get(name) ?? [];
  list.push(value);
  map.set(name, list);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
