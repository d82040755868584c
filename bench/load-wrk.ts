/** Load by wrk, where it is installed: so cheap itself that the proxy is what is busy. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPart } from '../test/support/parts.ts';
import { onCpu } from './cpu.ts';
import type { Loader, LoadResult } from './load.ts';

const SPARE_MS = 30_000;
const US_PER_UNIT: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 };

/** wrk as a loader, or what has to be installed. It measures whole seconds, one at least. `dir`: for its script. */
export function findWrk(dir: string): Loader | { readonly missing: string } {
  const part = findPart('wrk');
  if ('missing' in part) return part;
  return {
    name: 'wrk',
    title: 'wrk, one thread',
    async run(job) {
      const { scheme, port, path, host, connections, uploadBytes, close } = job;
      const seconds = Math.max(1, Math.round(job.seconds));
      const script = join(dir, `wrk-${uploadBytes}.lua`);
      if (uploadBytes > 0)
        writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${uploadBytes})\n`);
      const { command, args } = onCpu('rest', part.path, [
        ...['-t1', `-c${connections}`, `-d${seconds}s`, '--latency'],
        ...['-H', `Host: ${host}`, '-H', 'User-Agent: headgear-bench'],
        ...(close ? ['-H', 'Connection: close'] : []),
        ...(uploadBytes > 0 ? ['-s', script] : []),
        `${scheme}://127.0.0.1:${port}${path}`,
      ]);
      const { stdout } = await promisify(execFile)(command, args, { timeout: seconds * 1_000 + SPARE_MS });
      return readWrk(stdout);
    },
  };
}

/** Reads what wrk prints with `--latency`. Throws when it is something else. */
export function readWrk(text: string): LoadResult {
  const total = /(\d+) requests in ([\d.]+)(us|ms|s|m)\b/.exec(text);
  const p99 = /99%\s+([\d.]+)(us|ms|s|m)\b/.exec(text);
  if (total === null || p99 === null) throw new Error(`wrk said: ${text}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const broken = errors === null ? 0 : errors.slice(1).reduce((sum, count) => sum + Number(count), 0);
  const others = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const requests = Number(total[1]) - others;
  return {
    requests,
    requestsPerSecond: (requests / milliseconds(total[2], total[3])) * 1_000,
    p99Ms: milliseconds(p99[1], p99[2]),
    failed: broken + others,
  };
}

function milliseconds(value: string | undefined, unit: string | undefined): number {
  return (Number(value) * (US_PER_UNIT[unit ?? ''] ?? Number.NaN)) / 1_000;
}
