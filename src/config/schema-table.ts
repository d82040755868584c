/** The `table` section: how long what is over still matters, and how much there may be. Times are milliseconds. */
import { z } from 'zod';

const window = z.int().min(0).max(86_400_000, 'must be at most a day (86400000)');
const count = z.int().min(1);

export const tableSchema = z
  .strictObject({
    /** A certificate that was removed goes on being served for this long, unless another comes; 0: it goes at once. */
    certificateGraceMs: window.default(60_000),
    /** A remove that follows this soon on an add that replaced something is taken for the one that belonged before it. */
    swapWindowMs: window.default(10_000),
    /** How long adds cannot bring a deleted application back; ActiveMQ's redelivery plugin tries for about 3 minutes. */
    tombstoneMs: window.default(600_000),
    maxTombstones: z.int().min(0).default(10_000),
    /** Far above any real cloud: they keep a message bus gone wild from filling the memory. */
    maxApplications: count.default(250_000),
    maxNames: count.default(2_000_000),
  })
  .prefault({});
