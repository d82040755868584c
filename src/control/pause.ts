/** Waiting that a stop signal ends, and the backoff between attempts that must succeed some day. */
import { setTimeout as sleep } from 'node:timers/promises';

const firstDelayMs = 50;
const maxDelayMs = 5_000;

/** Waits, but not beyond the signal; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Delay before attempt number `attempt` + 1 (`attempt` from 1), milliseconds: doubling, up to 5 s. */
export function backoffMs(attempt: number): number {
  return Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 10));
}

/** What to say of a failure: message and system code, never a stack. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  return error.message.startsWith(code) ? error.message : `${code}${error.message}`;
}
