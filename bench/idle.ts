/**
 * What an idle keep-alive connection takes: the growth of memory by some thousand of them, in a process that is fresh each time and holds half
 * as many already, since the first ones make the heap itself grow.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Child, createChildren } from './children.ts';
import { familyIds } from './cpu.ts';
import type { IdleJob } from './idle-client.ts';
import { residentBytes } from './memory.ts';
import type { Sample } from './sample.ts';
import type { Scenario } from './scenarios.ts';
import { HOST, type Scenery, type TargetKind } from './targets/target.ts';
import { until } from './wait.ts';

/** Compiled code and pools are there before. */
const WARM_UP = { connections: 32, requests: 100, keep: false };
const SETTLE_MS = 300;

interface Held {
  /** Of JavaScript, buffers included; null where the target is not Node. */
  readonly heap: number | null;
  readonly resident: number | null;
}

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
    const processes = (): number => familyIds(target.child.pid)?.length ?? 0;
    const own = processes();
    const held = async (): Promise<Held> => {
      await setTimeout(SETTLE_MS);
      const heap = isNode ? await collectGarbage(target.child, collected) : null;
      // What a process takes that comes and goes, as the one that copies Headgear's store, is no connection's.
      await until('the end of a passing process', target.child, () => processes() <= own);
      return { heap, resident: residentBytes(target.child.pid) };
    };
    await tell(client, { ...ask, ...WARM_UP });
    await tell(client, { ...ask, connections: Math.ceil(connections / 2), requests: 1, keep: true });
    const before = await held();
    await tell(client, { ...ask, connections, requests: 1, keep: true });
    const after = await held();
    const growth = (from: number | null, to: number | null): number | null =>
      from === null || to === null ? null : (to - from) / connections;
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
      residentBefore: before.resident,
      residentPeak: after.resident,
      bytesPerConnection: growth(before.resident, after.resident),
      heapPerConnection: growth(before.heap, after.heap),
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

/** Bytes that the heap of a Node process holds after a collection. */
async function collectGarbage(child: Child, file: string): Promise<number> {
  const lines = (): string[] => {
    try {
      return readFileSync(file, 'latin1').split('\n').slice(0, -1);
    } catch {
      return [];
    }
  };
  const before = lines().length;
  child.process.kill('SIGUSR2');
  await until('a collection of garbage', child, () => lines().length > before);
  return Number(lines().at(-1));
}
