/** Passive ejection: an endpoint that refuses connections is left alone for a while, longer each time, until it answers again. */

const FIRST_EJECTION_MS = 1_000;
const LONGEST_EJECTION_MS = 30_000;

export interface Ejections {
  /**
   * Takes the outcome of an attempt: whether it was answered, or could not even connect. A slow or broken answer is neither: that
   * is the application's own affair.
   */
  observe(id: string, outcome: 'answered' | 'unconnected'): void;
  ejected(id: string): boolean;
  /** The endpoint left the table. */
  forget(id: string): void;
  /** Endpoint ids that are ejected now. */
  list(): readonly string[];
}

/** `now` in milliseconds, monotonic. */
export function createEjections(now: () => number = () => performance.now()): Ejections {
  const out = new Map<string, { until: number; forMs: number }>();
  return {
    observe(id, outcome) {
      if (outcome === 'answered') {
        if (out.size > 0) out.delete(id);
        return;
      }
      const before = out.get(id);
      const time = now();
      if (before !== undefined && time < before.until) return;
      const forMs =
        before === undefined ? FIRST_EJECTION_MS : Math.min(before.forMs * 2, LONGEST_EJECTION_MS);
      out.set(id, { until: time + forMs, forMs });
    },
    ejected(id) {
      if (out.size === 0) return false;
      const entry = out.get(id);
      return entry !== undefined && now() < entry.until;
    },
    forget: (id) => void out.delete(id),
    list: () => [...out].filter(([, entry]) => now() < entry.until).map(([id]) => id),
  };
}
