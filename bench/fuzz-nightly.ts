/**
 * `npm run bench -- fuzz-nightly`: the parsers under the fuzzer for a night's number of cases (HEADGEAR_FUZZ_CASES, default 1,200,000 over
 * all of them), from a new seed each time (HEADGEAR_FUZZ_SEED repeats one). Fails at the first broken promise, at a case that takes
 * long, and when memory grows. Then connections of HTTP/2 that send any frames, one for every 400 of those cases.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type FuzzTarget, runFuzz } from '../test/fuzz/fuzz-target.ts';
import { chunkedTarget, requestHeadTarget, responseTarget } from '../test/fuzz/http-targets.ts';
import { Http2Fuzzer } from '../test/fuzz/http2-sequences.ts';
import { clientHelloTarget, stompTarget } from '../test/fuzz/other-targets.ts';

const CASES = 1_200_000;
const BATCH = 10_000;
/** A connection of HTTP/2 takes as long as that many cases of a parser. */
const CASES_A_CONNECTION = 400;
const HTTP2_BATCH = 200;
/** Splitting byte by byte is the slowest case; a busy machine is forgiven much. */
const SLOWEST_MS = 2_000;
const GROWTH_BYTES = 48 * 1_048_576;

/** Runs all targets one after the other; rejects with what was found. */
export async function run(): Promise<void> {
  const targets = [requestHeadTarget, chunkedTarget, responseTarget, await clientHelloTarget(), stompTarget];
  const cases = Number(process.env.HEADGEAR_FUZZ_CASES ?? CASES);
  const seed = Number(process.env.HEADGEAR_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`fuzz: seed ${seed}, ${cases} cases over ${targets.length} parsers\n`);
  for (const target of targets) runTarget(target, seed, Math.ceil(cases / targets.length));
  await runHttp2(seed, Math.ceil(cases / CASES_A_CONNECTION));
}

/** Frames of HTTP/2 in any order, against the real listener. */
async function runHttp2(seed: number, connections: number): Promise<void> {
  const start = performance.now();
  const fuzzer = await Http2Fuzzer.start();
  try {
    let heldBytes = 0;
    for (let done = 0; done < connections; done += HTTP2_BATCH) {
      await fuzzer.run(seed + done, Math.min(HTTP2_BATCH, connections - done));
      if (done === 0) heldBytes = bytesHeld();
      else assertNoGrowth('frames of HTTP/2', heldBytes);
    }
  } finally {
    await fuzzer.stop();
  }
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  process.stdout.write(`fuzz: frames of HTTP/2: ${connections} connections in ${seconds} s\n`);
}

function assertNoGrowth(name: string, heldBytes: number): void {
  const grown = bytesHeld() - heldBytes;
  if (grown > GROWTH_BYTES) throw new Error(`${name}: memory grew by ${grown} bytes`);
}

function runTarget(target: FuzzTarget, seed: number, cases: number): void {
  const start = performance.now();
  let slowestMs = 0;
  let heldBytes = 0;
  for (let done = 0; done < cases; done += BATCH) {
    const report = runFuzz(target, seed + done, Math.min(BATCH, cases - done));
    slowestMs = Math.max(slowestMs, report.slowestMs);
    if (slowestMs > SLOWEST_MS) throw new Error(`${target.name}: a case took ${Math.round(slowestMs)} ms`);
    // The first batch warms up what stays.
    if (done === 0) heldBytes = bytesHeld();
    else if (done % (10 * BATCH) === 0) assertNoGrowth(target.name, heldBytes);
  }
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  process.stdout.write(
    `fuzz: ${target.name}: ${cases} cases in ${seconds} s, slowest ${slowestMs.toFixed(1)} ms\n`,
  );
}

/** After a garbage collection, which has to be asked for. */
function bytesHeld(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
