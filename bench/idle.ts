/** What an idle keep-alive connection takes: the growth of resident memory by some thousand of them, in a process that is fresh each time. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Child, createChildren } from './children.ts';
import type { IdleJob } from './idle-client.ts';
import { residentBytes } from './memory.ts';
import type { Sample } from './sample.ts';
import type { Scenario } from './scenarios.ts';
import { HOST, type Scenery, type TargetKind } from './targets/target.ts';
import { until } from './wait.ts';

/** Compiled code and pools are there before it is measured; so few connections that what they leave behind does not count. */
const WARM_UP = { connections: 32, requests: 100, keep: false };
const SETTLE_MS = 300;

export async function measureIdle(
  scenario: Scenario,
  kind: TargetKind,
  scenery: Scenery,
  round: number,
): Promise<Sample> {
  const dir = mkdtempSync(join(scenery.dir, 'idle-'));
  const children = createChildren(dir);
  try {
    const collected = join(dir, 'collected');
    const collector = new URL(
      `./collect-on-signal.js?file=${encodeURIComponent(collected)}`,
      import.meta.url,
    );
    const nodeOptions = ['--expose-gc', '--import', collector.href];
    const target = await kind.start({ ...scenery, dir, children, nodeOptions });
    const isNode = kind.name === 'headgear' || kind.name === 'bare-socket';
    const client = children.start('idle-client', {
      command: process.execPath,
      args: [fileURLToPath(new URL('./idle-client.js', import.meta.url))],
      on: 'rest',
      ipc: true,
    });
    const { scheme, connections } = scenario;
    const port = scheme === 'http' ? target.httpPort : target.httpsPort;
    const ask = { scheme, port, host: HOST };
    const held = async (): Promise<number | null> => {
      await setTimeout(SETTLE_MS);
      if (isNode) await collectGarbage(target.child, collected);
      return residentBytes(target.child.pid);
    };
    await tell(client, { ...ask, ...WARM_UP });
    const before = await held();
    await tell(client, { ...ask, connections, requests: 1, keep: true });
    const after = await held();
    return {
      round,
      scenario: scenario.name,
      loader: 'idle',
      target: kind.name,
      requests: connections,
      failed: 0,
      requestsPerSecond: null,
      p99Ms: null,
      cpuUs: null,
      residentBefore: before,
      residentPeak: after,
      bytesPerConnection: before === null || after === null ? null : (after - before) / connections,
    };
  } finally {
    await children.stop();
  }
}

async function tell(client: Child, job: IdleJob): Promise<void> {
  client.process.send(job);
  const gone = once(client.process, 'exit').then(() => [client.epitaph()]);
  const [answer] = (await Promise.race([once(client.process, 'message'), gone])) as unknown[];
  if (answer !== 'opened') throw new Error(`idle connections: ${answer}`);
}

async function collectGarbage(child: Child, file: string): Promise<void> {
  const count = (): number => {
    try {
      return readFileSync(file, 'latin1').length;
    } catch {
      return 0;
    }
  };
  const before = count();
  child.process.kill('SIGUSR2');
  await until('a collection of garbage', child, () => count() > before);
}
