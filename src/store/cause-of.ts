/** Why a commit failed. */
import { messageOf } from './store-error.ts';

const CAUSE_WAIT_MS = 1_000;

/**
 * lmdb hides the system's error in a second promise, which must be handled anyway: unhandled, it would end Node. The
 * wait for it is bounded, in case it is one that lmdb forgets to settle.
 */
export function causeOf(error: unknown): Promise<string> {
  const hidden = (error as { commitError?: unknown }).commitError;
  if (!(hidden instanceof Promise)) return Promise.resolve(messageOf(error));
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(messageOf(error)), CAUSE_WAIT_MS);
    const settle = (cause: unknown) => {
      clearTimeout(late);
      resolve(messageOf(cause));
    };
    hidden.then(() => settle(error), settle);
  });
}
