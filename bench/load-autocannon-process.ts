/** The process that autocannon runs in: takes a `LoadJob` by message, answers with an `AutocannonReply`. */
import autocannon from 'autocannon';
import type { LoadJob, LoadResult } from './load.ts';
import type { AutocannonReply } from './load-autocannon.ts';

const SAMPLE_MS = 100;
/** Latencies are counted in steps of 10 us up to 10 s: autocannon's own histogram knows whole milliseconds only. */
const STEP_MS = 0.01;
const STEPS = 1_000_000;

async function run({ url, host, connections, seconds }: LoadJob): Promise<LoadResult> {
  const counts = new Uint32Array(STEPS);
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        connections,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        headers: { host, 'user-agent': 'headgear-bench' },
        servername: host,
      },
      (error: Error | null, done) => (error === null ? resolve(done) : reject(error)),
    );
    instance.on('response', (_client, _status, _bytes, responseMs) => {
      const step = Math.min(STEPS - 1, Math.floor(responseMs / STEP_MS));
      counts[step] = (counts[step] ?? 0) + 1;
    });
  });
  const requests = result['2xx'];
  return {
    requests,
    requestsPerSecond: requests / result.duration,
    p99Ms: percentile(counts, 0.99),
    failed: result.non2xx + result.errors,
  };
}

function percentile(counts: Uint32Array, share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [step, count] of counts.entries()) {
    seen += count;
    if (seen >= total * share) return (step + 1) * STEP_MS;
  }
  return Number.NaN;
}

process.on('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.({ ok: true, result } satisfies AutocannonReply),
    (error: unknown) => process.send?.({ ok: false, error: String(error) } satisfies AutocannonReply),
  );
});
process.on('disconnect', () => process.exit());
