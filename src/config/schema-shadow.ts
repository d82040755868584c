/** What a shadow (`headgear run --shadow`) holds its table against. */
import { z } from 'zod';

export const shadowSection = z
  .strictObject({
    /** NGINX_CONFDIR of the incumbent; without one the shadow compares nothing by itself. */
    nginxConfDir: z.string().min(1).optional(),
    /** How long a difference has to last until it counts: the incumbent is some seconds behind its events. */
    settleMs: z.int().min(0).default(30_000),
    /** How often the whole folder is looked through, besides what the system tells of it. */
    scanIntervalMs: z.int().min(100).default(300_000),
  })
  .prefault({});
