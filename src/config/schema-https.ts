/** What clients of plain HTTP are told of HTTPS, and clients of HTTPS of plain HTTP. */
import { z } from 'zod';
import { hostPattern } from './schema-host-pattern.ts';

const redirect = z.literal(['off', 301, 302, 307, 308]);

const hsts = z.union([
  z.literal('off'),
  z.strictObject({
    /** 0 tells browsers to forget. */
    maxAgeSeconds: z.int().min(0),
    includeSubDomains: z.boolean().default(false),
    /** Asks to be put on the browsers' own lists, from which nobody comes off soon. */
    preload: z.boolean().default(false),
    /** A gear's own field: keep it and add nothing, or put this one in its place. */
    gears: z.enum(['keep', 'replace']).default('keep'),
  }),
]);

export const httpsSection = z
  .strictObject({
    /** Status of the redirect from HTTP to HTTPS, on names that have a certificate. */
    redirect: redirect.default('off'),
    /** Strict-Transport-Security (RFC 6797), the same. */
    hsts: hsts.default('off'),
    /** Requests in plain HTTP for one segment below these are never redirected: validation of certificates (RFC 8555 8.3). */
    exemptPaths: z
      .array(z.string().regex(/^\/(?:[A-Za-z0-9._~-]+\/)*$/, 'must begin and end with a slash'))
      .default(['/.well-known/acme-challenge/']),
    /** For single hosts, then for applications, in place of the above. */
    rules: z
      .array(
        z.strictObject({
          names: z.array(hostPattern).default([]),
          applications: z
            .array(z.string().regex(/^[a-z0-9]+\/[a-z0-9]+$/, 'must be written namespace/app, in lower case'))
            .default([]),
          redirect: redirect.optional(),
          hsts: hsts.optional(),
        }),
      )
      .default([]),
  })
  .prefault({});
