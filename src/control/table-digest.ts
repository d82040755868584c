/** The digest of the table, kept up to date by what changes. */
import type { AppKey } from '../spi/events.ts';
import { addDigests, applicationDigest, digestText } from '../table/digest.ts';
import type { Application, RoutingState } from '../table/state.ts';

export interface TableDigest {
  changed(before: Application | undefined, after: Application | undefined): void;
  /** 32 hex digits; null while it is made, which the first question begins. */
  value(): string | null;
}

/** More than these that changed since the last question: then the next one counts anew. */
const maxBehind = 4_096;
/** What is counted while who asks waits: a few milliseconds. */
const maxAtOnce = 256;

/**
 * Nothing is counted before somebody asks: hashing a million applications at every start would be for nobody. Then the table as it is at
 * that moment is summed up in slices (`breathe`). What changes afterwards is only noted, and counted by the next question: a flood of events
 * is not hashed for nobody either.
 */
export function createTableDigest(
  state: () => RoutingState,
  breathe: () => Promise<void> | null,
  signal: AbortSignal,
): TableDigest {
  let sum = 0n;
  let progress: 'unasked' | 'counting' | 'whole' = 'unasked';
  /** Records as they are in the sum, of what is another one by now. */
  const behind = new Map<AppKey, Application | undefined>();

  async function count(): Promise<void> {
    progress = 'counting';
    for (const app of state().apps.values()) {
      sum = addDigests(sum, applicationDigest(app), 0n);
      const breath = breathe();
      if (breath !== null) await breath;
      if (signal.aborted) return;
    }
    await catchUp();
  }

  async function catchUp(): Promise<void> {
    progress = 'counting';
    for (const key of behind.keys()) {
      take(key);
      const breath = breathe();
      if (breath !== null) await breath;
      if (signal.aborted) return;
    }
    progress = 'whole';
  }

  function take(key: AppKey): void {
    const counted = behind.get(key);
    behind.delete(key);
    sum = addDigests(sum, applicationDigest(state().apps.get(key)), applicationDigest(counted));
  }

  return {
    changed(before, after) {
      const key = (after ?? before)?.key;
      if (progress === 'unasked' || key === undefined || behind.has(key)) return;
      behind.set(key, before);
      if (progress !== 'whole' || behind.size <= maxBehind) return;
      [sum, progress] = [0n, 'unasked'];
      behind.clear();
    },
    value() {
      if (progress === 'unasked') void count();
      else if (progress === 'whole' && behind.size > maxAtOnce) void catchUp();
      else if (progress === 'whole') for (const key of behind.keys()) take(key);
      return progress === 'whole' ? digestText(sum) : null;
    },
  };
}
