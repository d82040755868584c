/** The hop bench: every target behind the same load in interleaved rounds, each checked before it is timed. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DEFAULT_CIPHERS } from '../src/certificates/tls-settings.ts';
import { issueCertificate, makeDevelopmentCa } from '../src/pem/development.ts';
import { takeLines } from './access-log-lines.ts';
import { checkTarget } from './check.ts';
import { type Children, createChildren } from './children.ts';
import { cpuMicroseconds, placementOfCpus } from './cpu.ts';
import { type Loader, type LoaderName, startLoaders } from './load.ts';
import { startOrigin } from './origin.ts';
import type { Sample } from './report.ts';
import { haproxy } from './targets/haproxy.ts';
import { headgear, headgearHttpProxy } from './targets/headgear.ts';
import { httpProxy } from './targets/http-proxy.ts';
import { nginx } from './targets/nginx.ts';
import { HOST, type Scenery, type Target, type TargetKind, type TargetName } from './targets/target.ts';

export interface HopOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Before the first round, for each target, scheme and loader; 0 for none. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly targets: readonly TargetName[];
  readonly loaders: readonly LoaderName[];
  readonly schemes: readonly ('http' | 'https')[];
  /** Told what is going on, a line at a time. */
  say(line: string): void;
}

export interface HopFigures {
  readonly samples: readonly Sample[];
  /** What ran, with versions. */
  readonly titles: readonly string[];
  /** What could not be had, a sentence each. */
  readonly missing: readonly string[];
}

const KINDS: readonly TargetKind[] = [headgear, nginx, haproxy, httpProxy, headgearHttpProxy];
/** A moment for logs to be written and connections to close; what that costs belongs to the round. */
const SETTLE_MS = 400;

/** Runs it; rejects when a target answers wrongly, before or while it is timed. Leaves neither processes nor files behind. */
export async function runHop(options: HopOptions): Promise<HopFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-bench-'));
  const children = createChildren(dir);
  try {
    return await measure(options, dir, children);
  } finally {
    await children.stop();
  }
}

async function measure(options: HopOptions, dir: string, children: Children): Promise<HopFigures> {
  const { say } = options;
  const { caFile, scenery } = await prepare(dir, children, say);
  const { loaders, missing } = startLoaders(options.loaders, children);
  const notes = [...missing, ...machineNotes()];
  const titles = loaders.map((loader) => loader.title);
  const targets: Target[] = [];
  for (const kind of KINDS.filter((known) => options.targets.includes(known.name))) {
    const found = kind.find();
    if ('missing' in found) {
      notes.push(`target ${kind.name} ${found.missing}`);
      continue;
    }
    const target = await kind.start(scenery);
    await checkTarget(target, { caFile, cipher: scenery.ciphersuites.split(':')[0] ?? '' });
    say(`${kind.name}: answers are right (${found.title})`);
    titles.push(found.title);
    targets.push(target);
  }
  for (const note of notes) say(`left out: ${note}`);

  const cells = options.schemes.flatMap((scheme) =>
    loaders.flatMap((loader) => targets.map((target) => ({ scheme, loader, target }))),
  );
  const { connections } = options;
  if (options.warmUpSeconds > 0) {
    say(`warming up: ${cells.length} runs of ${options.warmUpSeconds} s`);
    for (const cell of cells) await sample(cell, connections, options.warmUpSeconds, 0);
  }
  const samples: Sample[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`round ${round} of ${options.rounds}: ${cells.length} runs of ${options.seconds} s`);
    for (const cell of cells) samples.push(await sample(cell, connections, options.seconds, round));
  }
  return { samples, titles, missing: notes };
}

async function prepare(
  dir: string,
  children: Children,
  say: (line: string) => void,
): Promise<{ readonly caFile: string; readonly scenery: Scenery }> {
  const ca = makeDevelopmentCa();
  const issued = issueCertificate({ ca, names: [HOST] });
  const files = {
    caFile: join(dir, 'ca.pem'),
    certFile: join(dir, 'server.pem'),
    keyFile: join(dir, 'server.key'),
  };
  writeFileSync(files.caFile, ca.certificatePem);
  writeFileSync(files.certFile, issued.chainPem);
  writeFileSync(files.keyFile, issued.privateKeyPem, { mode: 0o600 });
  const origin = await startOrigin(children, dir);
  say(`origin: ${origin.title}`);
  const names = DEFAULT_CIPHERS.split(':');
  return {
    caFile: files.caFile,
    scenery: {
      ...files,
      dir,
      children,
      originPort: origin.port,
      ciphersuites: names.filter((name) => name.startsWith('TLS_')).join(':'),
      ciphers: names.filter((name) => !name.startsWith('TLS_')).join(':'),
    },
  };
}

function machineNotes(): string[] {
  const notes: string[] = [];
  if (cpuMicroseconds(process.pid) === null) notes.push('CPU a request, which needs the /proc of Linux');
  if (placementOfCpus() === null)
    notes.push('a processor for each proxy alone, which needs taskset (util-linux) and two processors');
  return notes;
}

interface Cell {
  readonly scheme: 'http' | 'https';
  readonly loader: Loader;
  readonly target: Target;
}

async function sample(
  { scheme, loader, target }: Cell,
  connections: number,
  seconds: number,
  round: number,
): Promise<Sample> {
  const port = scheme === 'http' ? target.httpPort : target.httpsPort;
  const before = cpuMicroseconds(target.child.pid);
  const url = `${scheme}://127.0.0.1:${port}/`;
  const result = await loader.run({ url, host: HOST, connections, seconds });
  await setTimeout(SETTLE_MS);
  const after = cpuMicroseconds(target.child.pid);
  const epitaph = target.child.epitaph();
  if (epitaph !== null) throw new Error(epitaph);
  if (result.failed > 0 || result.requests === 0) {
    throw new Error(`${target.name}: ${result.failed} requests failed by ${loader.name} over ${scheme}`);
  }
  await takeLines(target.accessLog, result.requests);
  return {
    round,
    scheme,
    loader: loader.name,
    target: target.name,
    requestsPerSecond: result.requestsPerSecond,
    p99Ms: result.p99Ms,
    cpuUs: before === null || after === null ? null : (after - before) / result.requests,
  };
}
