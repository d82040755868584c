/**
 * Load by h2load (nghttp2): HTTP/2 with several streams a connection, and equal load for all. For equal load each connection sends its share of
 * requests a second whatever the target's speed; its log tells every latency.
 */
import { execFile } from 'node:child_process';
import { createReadStream, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findPart } from '../test/support/parts.ts';
import { onCpu } from './cpu.ts';
import { createLatencies } from './latencies.ts';
import type { Loader, LoadJob, LoadResult } from './load.ts';

const SPARE_MS = 30_000;
/**
 * Requests are counted: for a time (`-D`) h2load 1.52 hangs when a connection is not yet secured at its end. How many it takes is known
 * from the run before.
 */
const FIRST_REQUESTS = 10;
const NOTHING = { requests: 0, failed: 0, requestsPerSecond: 0 } as const;
/** Columns of the log: start in microseconds since the epoch, status, microseconds until the end of the answer. */
const STATUS = 1;
const DURATION_US = 2;

/** h2load as a loader, or what has to be installed. `dir`: for its log and what it uploads. */
export function findH2Load(dir: string): Loader | { readonly missing: string } {
  const part = findPart('h2load');
  if ('missing' in part) return part;
  const log = join(dir, 'h2load.log');
  const once = async (job: LoadJob, requests: number): Promise<LoadResult> => {
    rmSync(log, { force: true });
    const { command, args } = onCpu('rest', part.path, argumentsOf(job, requests, dir, log));
    const { stdout } = await promisify(execFile)(command, args, { timeout: job.seconds * 1_000 + SPARE_MS });
    return { ...readH2Load(stdout), p99Ms: await readP99(log) };
  };
  /** What each did last, by where it went. */
  const rates = new Map<string, number>();
  return {
    name: 'h2load',
    title: 'h2load, one thread',
    async run(job) {
      const { perSecond, seconds, connections, streams } = job;
      if (perSecond !== null) return await once(job, Math.ceil(perSecond * seconds));
      const place = `${job.port} ${job.path} ${job.protocol}`;
      const first = rates.has(place) ? NOTHING : await once(job, connections * streams * FIRST_REQUESTS);
      const rate = rates.get(place) ?? first.requestsPerSecond;
      const result = await once(job, Math.max(connections * streams, Math.ceil(rate * seconds)));
      rates.set(place, result.requestsPerSecond);
      return {
        ...result,
        requests: first.requests + result.requests,
        failed: first.failed + result.failed,
      };
    },
  };
}

function argumentsOf(job: LoadJob, requests: number, dir: string, log: string): string[] {
  const { connections, protocol, streams, perSecond, uploadBytes, scheme, port, host, path } = job;
  const upload = join(dir, `upload-${uploadBytes}`);
  if (uploadBytes > 0) writeFileSync(upload, Buffer.alloc(uploadBytes, 'x'));
  return [
    ...['-t1', `-c${connections}`, `-n${requests}`, `--log-file=${log}`, '-H', 'user-agent: headgear-bench'],
    ...(protocol === 'h1' ? ['--h1', '-m1'] : [`-m${streams}`]),
    // One connection a millisecond, so that they do not all send at the same moment for ever.
    ...(perSecond === null ? [] : ['-r1', '--rate-period=1ms', `--rps=${perSecond / connections}`]),
    ...(uploadBytes === 0 ? [] : ['-d', upload]),
    ...[`--connect-to=127.0.0.1:${port}`, `${scheme}://${host}${path}`],
  ];
}

/** Reads what h2load prints. Throws when it is something else. */
export function readH2Load(text: string): Omit<LoadResult, 'p99Ms'> {
  const failed = /requests: .* succeeded, (\d+) failed, /.exec(text);
  const rate = /finished in .*?, ([\d.]+) req\/s/.exec(text);
  const statuses = /status codes: (\d+) 2xx, (\d+) 3xx/.exec(text);
  if (failed === null || rate === null || statuses === null) throw new Error(`h2load said: ${text}`);
  const [, successes, redirects] = statuses.map(Number);
  return {
    requests: successes ?? 0,
    // Redirects succeed for h2load, but nothing here redirects.
    failed: Number(failed[1]) + (redirects ?? 0),
    requestsPerSecond: Number(rate[1]),
  };
}

/** Of the answers with 2xx. */
async function readP99(log: string): Promise<number | null> {
  const latencies = createLatencies();
  for await (const line of createInterface({ input: createReadStream(log) })) {
    const columns = line.split('\t');
    if (columns[STATUS]?.startsWith('2') === true) latencies.add(Number(columns[DURATION_US]) / 1_000);
  }
  return latencies.percentile(0.99);
}
