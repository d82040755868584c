/** What every transaction is made from. */
import type { StoreBatch } from './types.ts';

/** A transaction that changes nothing, to be filled. */
export function emptyTransaction(nextClaim: number, generation: number): StoreBatch {
  return {
    apps: [],
    tombstones: [],
    certificates: [],
    quarantine: [],
    forgetQuarantineOf: [],
    dropQuarantine: [],
    journal: [],
    nextClaim,
    generation,
  };
}
