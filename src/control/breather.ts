import { performance } from 'node:perf_hooks';

/**
 * Gives the event loop to the traffic whenever `sliceMs` milliseconds have passed since it last had it: a batch of events must not stall
 * requests. null: go on at once (no promise, no turn of the loop).
 */
export function createBreather(sliceMs: number): () => Promise<void> | null {
  let since = performance.now();
  return () => {
    if (performance.now() - since < sliceMs) return null;
    return new Promise<void>((resolve) => {
      setImmediate(() => {
        since = performance.now();
        resolve();
      });
    });
  };
}
