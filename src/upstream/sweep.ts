/** One timer that looks at everything that could have been silent for too long: cheaper than timers a connection. */

import { workNow } from './turn.ts';

const SWEEP_INTERVAL_MS = 500;

/**
 * Calls `sweep` with performance.now() twice a second until the returned function is called. Each time what has arrived is read first:
 * after a pause of the whole process (a busy machine, a garbage collection) everybody would else look silent.
 */
export function startSweep(sweep: (now: number) => void): () => void {
  let stopped = false;
  const timer = setInterval(() => {
    // Timers run before the sockets of a turn of the event loop, immediates after.
    setImmediate(() => {
      if (stopped) return;
      // What was read may wait for the turn's end, whose immediate is behind this one.
      workNow();
      sweep(performance.now());
    });
  }, SWEEP_INTERVAL_MS);
  timer.unref();
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}
