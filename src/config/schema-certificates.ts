/** Certificates of aliases: what is served of those that are not as they should be, and when their end is announced. */
import { z } from 'zod';

/** `fallback`: handshakes get what they would get without it, the platform's certificate. */
const served = z.enum(['serve', 'fallback']).default('serve');

export const certificatesSection = z
  .strictObject({
    expired: served,
    notYetValid: served,
    /** Certificates that do not stand for the alias they were given for. */
    nameMismatch: served,
    /** Days before its end from which on a certificate is among the alerts. */
    expiryAlertDays: z.int().min(0).max(825).default(30),
  })
  .prefault({});
