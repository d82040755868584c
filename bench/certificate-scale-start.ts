/** The start that certificate-scale.ts measures: what `headgear run --config FILE` does, in a process that has loaded nothing besides. */
import { readFileSync } from 'node:fs';
import { startApp } from '../src/start-app.ts';

export interface Measured {
  readonly readyMs: number;
  readonly cpuMs: number;
  /** After a collection: all memory of the process but what it maps from files. */
  readonly bytes: number;
}

const { control } = await startApp({ configFile: process.argv[2] ?? '' });
const readyMs = performance.now();
const { user, system } = process.cpuUsage();
if (control.status().confirmedGeneration === 0) throw new Error('not served');
for (let n = 0; n < 3; n += 1) globalThis.gc?.();
const measured: Measured = { readyMs, cpuMs: (user + system) / 1_000, bytes: anonymousBytes() };
process.send?.(measured);

/** Not `memoryUsage`: certificates lie in shared memory, which it does not count. */
function anonymousBytes(): number {
  const [, kilobytes = ''] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}
