/**
 * How many bytes of array buffers are really held. `process.memoryUsage()` alone counts garbage that was not
 * collected yet, so a bound on it depends on when the collector last ran (and fails on another machine).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Bytes of array buffers that are still reachable. Costs a full collection: call it now and then, not in a hot loop. */
export function liveBufferBytes(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}
