/** The digest of the table, kept up to date by what changes. */
import { addDigests, applicationDigest, digestText } from '../table/digest.ts';
import type { Application, RoutingState } from '../table/state.ts';

export interface TableDigest {
  changed(before: Application | undefined, after: Application | undefined): void;
  /** 32 hex digits; null while it is made, which the first question begins. */
  value(): string | null;
}

/**
 * Nothing is counted before somebody asks: hashing a million applications at every start would be for nobody. Then the table as it is at
 * that moment is summed up in slices (`breathe`), while what changes meanwhile already goes into the same sum.
 */
export function createTableDigest(
  state: () => RoutingState,
  breathe: () => Promise<void> | null,
  signal: AbortSignal,
): TableDigest {
  let sum = 0n;
  let progress: 'unasked' | 'counting' | 'whole' = 'unasked';

  async function count(): Promise<void> {
    progress = 'counting';
    for (const app of state().apps.values()) {
      sum = addDigests(sum, applicationDigest(app), 0n);
      const breath = breathe();
      if (breath !== null) await breath;
      if (signal.aborted) return;
    }
    progress = 'whole';
  }

  return {
    changed(before, after) {
      if (progress !== 'unasked') sum = addDigests(sum, applicationDigest(after), applicationDigest(before));
    },
    value() {
      if (progress === 'unasked') void count();
      return progress === 'whole' ? digestText(sum) : null;
    },
  };
}
