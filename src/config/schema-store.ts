/** The durable state. */
import { z } from 'zod';

export const storeSection = z
  .strictObject({
    /** Longest time that a change is in the store but not yet in the verified snapshot beside it. */
    snapshotIntervalMs: z.int().min(1_000).default(600_000),
  })
  .prefault({});
