/** Which hosts ask their clients for a certificate (mutual TLS). */
import { z } from 'zod';
import { hostPattern } from './schema-host-pattern.ts';

export const clientCertificatesSection = z
  .strictObject({
    rules: z
      .array(
        z.strictObject({
          names: z.array(hostPattern).min(1),
          /** request: a client may have none, but one that it shows must be good. require: no request without one. */
          mode: z.enum(['request', 'require']),
          /** Certificates that a client's certificate has to lead to. */
          caFile: z.string().min(1),
          /** Revocation lists, one for every CA of the chain; OpenSSL refuses every client when one is missing or out of date. */
          crlFile: z.string().min(1).optional(),
          /** What X-Forwarded-Client-Cert says of it. */
          forward: z
            .array(z.enum(['hash', 'subject', 'uri', 'dns', 'cert']))
            .default(['hash', 'subject', 'uri', 'dns']),
          /** X-Forwarded-SSL-Client-Cert with the whole certificate, as the node frontend has it. */
          sslClientCert: z.boolean().default(true),
        }),
      )
      .default([]),
  })
  .prefault({});
