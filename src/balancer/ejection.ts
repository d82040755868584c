/** Passive ejection: an endpoint that refuses connections is left alone for a while, longer each time, until it answers again. */
import { isConnectFailure, type UpstreamFailure } from '../upstream/failure.ts';

const FIRST_EJECTION_MS = 1_000;
const LONGEST_EJECTION_MS = 30_000;

export interface Ejections {
  /** Takes the outcome of an attempt; null is an answer. */
  observe(id: string, failure: UpstreamFailure | null): void;
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
    observe(id, failure) {
      if (failure === null) {
        if (out.size > 0) out.delete(id);
        return;
      }
      // Only what says that nothing listens there. A slow or broken answer is the application's own affair.
      if (!isConnectFailure(failure.code)) return;
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
