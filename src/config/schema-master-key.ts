/** What private keys are encrypted with in the state directory. */
import { z } from 'zod';

const KEY = '([0-9A-Fa-f]{64}|[A-Za-z0-9+/]{43}=)';

export const masterKeySection = z
  .strictObject({
    /** One key a line, the current one first. Default: a file of Headgear's own, in `master-key/` of the state directory. */
    file: z.string().min(1).optional(),
    /** In place of a file; meant for the environment (HEADGEAR_MASTER_KEY). Former keys may follow, after commas. */
    key: z
      .string()
      .regex(
        new RegExp(`^\\s*${KEY}([\\s,]+${KEY})*\\s*$`),
        'must be 32 bytes in hex or base64 (openssl rand -hex 32)',
      )
      .optional(),
  })
  .prefault({});
