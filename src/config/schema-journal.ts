/** The `journal` section: how long and how much of what happened is remembered. */
import { z } from 'zod';

export const journalSchema = z
  .strictObject({
    maxAgeMs: z
      .int()
      .min(1)
      .default(30 * 86_400_000),
    /** Of all entries together. */
    maxBytes: z
      .int()
      .min(1)
      .default(64 * 1024 * 1024),
  })
  .prefault({});
