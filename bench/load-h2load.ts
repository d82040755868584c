/** Load by h2load (nghttp2): HTTP/2 with several streams a connection, and HTTP/1.1 over TLS by the same program. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { requirePart } from '../test/support/parts.ts';
import { onCpu } from './cpu.ts';
import { HOST } from './targets/target.ts';

const SPARE_MS = 30_000;

export interface H2LoadJob {
  readonly port: number;
  readonly path: string;
  readonly protocol: 'h2' | 'h1';
  readonly connections: number;
  /** Requests under way on each connection; h1 has one at a time. */
  readonly streams: number;
  readonly requests: number;
}

export interface H2LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly requestsPerSecond: number;
}

/** Runs one job on the processors that the proxies do not have. */
export async function runH2Load(job: H2LoadJob): Promise<H2LoadResult> {
  const { command, args } = onCpu('rest', requirePart('h2load'), [
    ...['-t1', `-c${job.connections}`, `-n${job.requests}`, '-H', 'user-agent: headgear-bench'],
    ...(job.protocol === 'h1' ? ['--h1', '-m1'] : [`-m${job.streams}`]),
    ...[`--connect-to=127.0.0.1:${job.port}`, `https://${HOST}${job.path}`],
  ]);
  const { stdout } = await promisify(execFile)(command, args, { timeout: 120_000 + SPARE_MS });
  return readH2Load(stdout);
}

/** Reads what h2load prints. Throws when it is something else. */
export function readH2Load(text: string): H2LoadResult {
  const counts = /requests: (\d+) total, .*?(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(
    text,
  );
  const rate = /finished in .*?, ([\d.]+) req\/s/.exec(text);
  const statuses = /status codes: (\d+) 2xx/.exec(text);
  if (counts === null || rate === null || statuses === null) throw new Error(`h2load said: ${text}`);
  const requests = Number(statuses[1]);
  return { requests, failed: Number(counts[1]) - requests, requestsPerSecond: Number(rate[1]) };
}
