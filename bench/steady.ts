/**
 * CPU a request from when the connections of a run are up. With their handshakes, which cost a millisecond or two each, a second's run of 64
 * connections over HTTPS would tell as much of these as of requests. Requests are counted where they arrive, at the origin, since the programs
 * that drive load tell of a whole run only.
 */
import type { Scenario } from './scenarios.ts';

const FIRST_MS = 200;
/** What a slow target takes for a connection, with a handshake or without, with room to spare: both ends share one machine. */
const MS_PER_CONNECTION = { http: 1, https: 6 } as const;
/** Of what lies between two marks: how much of a run a lead-in may take without making it longer. */
const LEAD_SHARE = 0.5;
/** Shorter runs (of `--smoke`) are measured whole. */
const SHORTEST_SECONDS = 1;

/** A moment of a run. */
export interface Mark {
  /** CPU in microseconds that the target has used so far; null where that cannot be had. */
  readonly cpuUs: number | null;
  /** Requests that the origin has seen so far; null where it does not count. */
  readonly requests: number | null;
}

/**
 * How long the connections of a run get to come up, in milliseconds; 0: the run is measured whole, because connections are its
 * subject, or because its requests are so large that too few would be counted.
 */
export function leadInMs({ driver, close, load, scheme, connections }: Scenario, seconds: number): number {
  const few = load === '10m' || load === 'upload-10m';
  if (driver === 'websocket' || close || few || seconds < SHORTEST_SECONDS) return 0;
  return FIRST_MS + connections * MS_PER_CONNECTION[scheme];
}

/** How long to drive load for `seconds` to be measured. */
export function secondsWithLeadIn(seconds: number, leadMs: number): number {
  return leadMs <= seconds * 1_000 * LEAD_SHARE ? seconds : seconds + Math.ceil(leadMs / 1_000);
}

/** CPU a request in microseconds between the last two marks, of `answered` in all; null where the origin saw too few of them to tell. */
export function steadyCpuUs(start: Mark, led: Mark, end: Mark, answered: number): number | null {
  if (led.cpuUs === null || end.cpuUs === null) return null;
  if (start.requests === null || led.requests === null || end.requests === null) return null;
  const seen = end.requests - start.requests;
  // Fewer: a target that answers by itself. More is as it should be: an upload counts twice.
  if (seen < answered || end.requests <= led.requests) return null;
  const answeredSince = (answered * (end.requests - led.requests)) / seen;
  return (end.cpuUs - led.cpuUs) / answeredSince;
}
