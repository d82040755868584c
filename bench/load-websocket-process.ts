/** The process that the WebSocket clients live in. A request is a message there and back. */
import { setTimeout } from 'node:timers/promises';
import { createLatencies } from './latencies.ts';
import type { LoadJob, LoadResult } from './load.ts';
import { answerJobs } from './load-process.ts';
import { type EchoClient, openWebSocket } from './websocket-wire.ts';

async function run({ connections, seconds, ...job }: LoadJob): Promise<LoadResult> {
  const latencies = createLatencies();
  let requests = 0;
  let failed = 0;
  let running = true;
  const start = async (): Promise<EchoClient | null> => {
    let sentAt = 0;
    const send = (client: EchoClient): void => {
      sentAt = performance.now();
      client.send();
    };
    try {
      const client: EchoClient = await openWebSocket({
        ...job,
        onEcho: () => {
          if (!running) return;
          latencies.add(performance.now() - sentAt);
          requests += 1;
          send(client);
        },
      });
      client.over.then((reason) => {
        if (reason !== null) failed += 1;
      });
      return { ...client, send: () => send(client) };
    } catch {
      failed += 1;
      return null;
    }
  };
  const opened = await Promise.all(Array.from({ length: connections }, start));
  const startedAt = performance.now();
  for (const client of opened) client?.send();
  await setTimeout(seconds * 1_000);
  running = false;
  const elapsed = (performance.now() - startedAt) / 1_000;
  for (const client of opened) client?.end();
  await Promise.all(opened.map((client) => client?.over));
  return { requests, requestsPerSecond: requests / elapsed, p99Ms: latencies.percentile(0.99), failed };
}

answerJobs(run);
