/** The process that autocannon runs in. */
import autocannon from 'autocannon';
import { createLatencies } from './latencies.ts';
import type { LoadJob, LoadResult } from './load.ts';
import { answerJobs } from './load-process.ts';

const SAMPLE_MS = 100;

async function run(job: LoadJob): Promise<LoadResult> {
  const { scheme, port, path, host, connections, seconds, uploadBytes } = job;
  // Autocannon's own histogram knows whole milliseconds only.
  const latencies = createLatencies();
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url: `${scheme}://127.0.0.1:${port}${path}`,
        connections,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        headers: { host, 'user-agent': 'headgear-bench' },
        servername: host,
        ...(uploadBytes > 0 ? { method: 'POST' as const, body: Buffer.alloc(uploadBytes, 'x') } : {}),
      },
      (error: Error | null, done) => (error === null ? resolve(done) : reject(error)),
    );
    instance.on('response', (_client, _status, _bytes, responseMs) => latencies.add(responseMs));
  });
  const requests = result['2xx'];
  return {
    requests,
    requestsPerSecond: requests / result.duration,
    p99Ms: latencies.percentile(0.99),
    failed: result.non2xx + result.errors,
  };
}

answerJobs(run);
