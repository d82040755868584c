/**
 * Headgear, nginx and HAProxy holding the same 10,000 certificates (BENCH_CERTIFICATES for another number), one after the other on one
 * processor: start, update of one certificate, memory, and what handshakes cost. Each connection carries one request, answered with 404.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPart } from '../test/support/parts.ts';
import { certificateMaker, type MadeCertificate } from './certificate-maker.ts';
import { startHaproxyHolder } from './certificates/haproxy.ts';
import { type HeadgearHolder, startHeadgearHolder } from './certificates/headgear.ts';
import type { Holder, HolderScenery } from './certificates/holder.ts';
import { startNginxHolder } from './certificates/nginx.ts';
import { untilServing } from './certificates/until-serving.ts';
import { createChildren } from './children.ts';
import { cpuMicroseconds } from './cpu.ts';
import { type HandshakeClient, startHandshakeClient } from './handshake-client.ts';
import { residentBytes } from './memory.ts';

const COUNT = Number(process.env.BENCH_CERTIFICATES ?? 10_000);
/** Names that are in use at one time. */
const WARM_NAMES = 500;
const COLD_NAMES = 300;
const CONNECTIONS = 2_000;
const UPDATES = 3;

interface Row {
  readonly name: string;
  readonly startMs: number;
  readonly updateMs: number;
  readonly updateBy: string;
  readonly mib: number;
  readonly cold: Cost;
  readonly full: Cost;
  readonly resumed: Cost;
  readonly note: string;
}

interface Cost {
  readonly perSecond: number;
  readonly cpuUs: number;
}

export async function run(): Promise<void> {
  const make = certificateMaker();
  const certificates = Array.from({ length: COUNT }, (_, n) => make(`www.customer-${n}.example.org`, n + 1));
  const kinds: [(scenery: HolderScenery) => Promise<Holder>, 'nginx' | 'haproxy' | null][] = [
    [startHeadgearHolder, null],
    [startNginxHolder, 'nginx'],
    [startHaproxyHolder, 'haproxy'],
  ];
  for (const [start, part] of kinds) {
    const found = part === null ? null : findPart(part);
    if (found !== null && 'missing' in found) {
      console.log(`left out: ${found.missing}`);
      continue;
    }
    const dir = mkdtempSync(join(tmpdir(), 'headgear-certificates-'));
    const children = createChildren(dir);
    const client = await startHandshakeClient();
    try {
      print(await measure(await start({ dir, children, certificates }), certificates, client, make));
    } finally {
      client.stop();
      await children.stop();
    }
  }
}

async function measure(
  holder: Holder,
  certificates: readonly MadeCertificate[],
  client: HandshakeClient,
  make: ReturnType<typeof certificateMaker>,
): Promise<Row> {
  const names = certificates.map(({ name }) => name);
  const mib = (residentBytes(holder.child.pid) ?? 0) / 2 ** 20;
  const cold = await cost(holder, client, names.slice(0, COLD_NAMES), COLD_NAMES, false);
  const warm = names.slice(-WARM_NAMES);
  await client.run({ port: holder.port, names: warm, connections: 2 * WARM_NAMES, resume: false });
  const full = await cost(holder, client, warm, CONNECTIONS, false);
  const resumed = await cost(holder, client, warm, CONNECTIONS, true);
  const updates: number[] = [];
  for (let n = 0; n < UPDATES; n += 1) {
    const renewed = make(names.at(-1 - n) ?? '', COUNT + 1 + n);
    const begun = performance.now();
    await holder.update(renewed);
    await untilServing(holder.port, [renewed], holder.child);
    updates.push(performance.now() - begun);
  }
  const updateMs = updates.sort((one, other) => one - other)[UPDATES >> 1] ?? 0;
  const { name, startMs, updateBy } = holder;
  const intakeMs = (holder as Partial<HeadgearHolder>).intakeMs;
  const note = intakeMs === undefined ? '' : `; all taken in by events in ${(intakeMs / 1_000).toFixed(1)} s`;
  return { name, startMs, updateMs, updateBy, mib, cold, full, resumed, note };
}

async function cost(
  { port, child, name }: Holder,
  client: HandshakeClient,
  names: readonly string[],
  connections: number,
  resume: boolean,
): Promise<Cost> {
  const cpu = cpuMicroseconds(child.pid) ?? 0;
  const begun = performance.now();
  const { failed, resumed } = await client.run({ port, names, connections, resume });
  const seconds = (performance.now() - begun) / 1_000;
  const cpuUs = ((cpuMicroseconds(child.pid) ?? 0) - cpu) / connections;
  if (failed > 0) throw new Error(`${name}: ${failed} of ${connections} connections failed`);
  if (resumed !== (resume ? connections : 0))
    throw new Error(`${name}: ${resumed} sessions of ${connections} resumed`);
  return { perSecond: connections / seconds, cpuUs };
}

function print({ name, startMs, updateMs, updateBy, mib, cold, full, resumed, note }: Row): void {
  const words = (what: string, { perSecond, cpuUs }: Cost): string =>
    `${what} ${perSecond.toFixed(0)}/s at ${cpuUs.toFixed(0)} us CPU`;
  console.log(
    `${name}, ${COUNT} certificates: serves ${(startMs / 1_000).toFixed(2)} s after its start; one update (${updateBy}) ${updateMs.toFixed(0)} ms; ` +
      `${mib.toFixed(0)} MiB; ${words('first handshakes', cold)}; ${words('full', full)}; ${words('resumed', resumed)}${note}`,
  );
}
