/** One run of one scenario against one target. */
import { setTimeout } from 'node:timers/promises';
import { takeLines } from './access-log-lines.ts';
import { cpuMicroseconds } from './cpu.ts';
import type { Loader } from './load.ts';
import { residentBytes, watchResident } from './memory.ts';
import type { Sample } from './sample.ts';
import { LOADS, type Scenario } from './scenarios.ts';
import { leadInMs, type Mark, secondsWithLeadIn, steadyCpuUs } from './steady.ts';
import { HOST, type Target } from './targets/target.ts';

/** A moment for logs to be written and connections to close; what that costs belongs to a run that is measured whole. A smoke run has less to settle. */
const SETTLE_MS = 400;
const SETTLE_SHARE = 0.5;
const LONGEST = 16;

export interface Cell {
  readonly scenario: Scenario;
  readonly loader: Loader;
  readonly target: Target;
}

/**
 * Rejects when the target ended, answered nothing, or did not log what it answered; requests that failed are counted. `countRequests`: how
 * many the origin has seen so far.
 */
export async function measure(
  { scenario, loader, target }: Cell,
  seconds: number,
  round: number,
  countRequests: () => Promise<number | null>,
): Promise<Sample> {
  const { pid } = target.child;
  const mark = async (): Promise<Mark> => ({
    requests: await countRequests(),
    cpuUs: cpuMicroseconds(pid),
  });
  const leadMs = leadInMs(scenario, seconds);
  const residentBefore = residentBytes(pid);
  const peak = watchResident(pid);
  const start = await mark();
  const job = {
    ...scenario,
    ...LOADS[scenario.load],
    port: scenario.scheme === 'http' ? target.httpPort : target.httpsPort,
    host: HOST,
  };
  let [result, led] = await Promise.all([
    loader.run({ ...job, seconds: secondsWithLeadIn(seconds, leadMs) }),
    leadMs === 0 ? null : setTimeout(leadMs).then(mark),
  ]);
  const end = await mark();
  // A busy machine may not come to one answer in the little time that a smoke run has.
  for (let longer = 2; result.requests + result.failed === 0 && longer <= LONGEST; longer *= 2)
    [result, led] = [await loader.run({ ...job, seconds: seconds * longer }), null];
  await setTimeout(Math.min(SETTLE_MS, seconds * 1_000 * SETTLE_SHARE));
  const after = cpuMicroseconds(pid);
  const epitaph = target.child.epitaph();
  if (epitaph !== null) throw new Error(epitaph);
  if (result.requests === 0)
    throw new Error(`${target.name}: all ${result.failed} requests of ${scenario.name} failed`);
  // A WebSocket is one request, however many messages it carries.
  const lines = scenario.driver === 'websocket' ? scenario.connections : result.requests;
  if (target.accessLog !== null) await takeLines(target.accessLog, lines);
  const whole = start.cpuUs === null || after === null ? null : (after - start.cpuUs) / result.requests;
  return {
    round,
    scenario: scenario.name,
    loader: loader.name,
    target: target.name,
    ...result,
    cpuUs: (led === null ? null : steadyCpuUs(start, led, end, result.requests)) ?? whole,
    residentBefore,
    residentPeak: peak(),
    bytesPerConnection: null,
    heapPerConnection: null,
  };
}
