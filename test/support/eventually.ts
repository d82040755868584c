/** Waits for a condition, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

/** Resolves with the first truthy value of `condition`; rejects with `what` when there is none within `timeoutMs`. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  what = 'the condition',
  timeoutMs = 10_000,
): Promise<Truthy<T>> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Truthy<T>;
    if (performance.now() > until) throw new Error(`${what} did not come about within ${timeoutMs} ms`);
    await sleep(5);
  }
}
