/** Counts latencies in steps of 10 us up to 10 s: in constant space, however many requests there are. */
const STEP_MS = 0.01;
const STEPS = 1_000_000;

export interface Latencies {
  add(ms: number): void;
  /** Milliseconds that the given share of them stayed within; null of none. */
  percentile(share: number): number | null;
}

export function createLatencies(): Latencies {
  const counts = new Uint32Array(STEPS);
  let total = 0;
  return {
    add(ms) {
      const step = Math.min(STEPS - 1, Math.floor(ms / STEP_MS));
      counts[step] = (counts[step] ?? 0) + 1;
      total += 1;
    },
    percentile(share) {
      let seen = 0;
      for (const [step, count] of counts.entries()) {
        seen += count;
        if (total > 0 && seen >= total * share) return (step + 1) * STEP_MS;
      }
      return null;
    },
  };
}
