/** TLS connections that go on undecrypted, chosen by the name that the client asks for (SNI). */
import { z } from 'zod';
import { hostPattern } from './schema-host-pattern.ts';

const proxyProtocol = z.enum(['off', 'v1', 'v2']);

export const passThrough = z
  .strictObject({
    /** Connections for the names of applications whose endpoints speak nothing but TLS; off: decrypted here, and told so. */
    tlsApplications: z.boolean().default(true),
    /** Begin each connection to a gear with a PROXY header, since nothing else can say there who the client is. */
    proxyProtocol: proxyProtocol.default('off'),
    /** Silence both ways after which a connection ends. */
    idleTimeoutMs: z.int().min(1).default(3_600_000),
    /**
     * Names that are never decrypted here, whoever has them in the routing table. `to`: where they go; without it to the endpoints that
     * the application of that name has for TLS.
     */
    rules: z
      .array(
        z.strictObject({
          names: z.array(hostPattern).min(1),
          to: z
            .array(z.strictObject({ address: z.string(), port: z.int().min(1).max(65535) }))
            .min(1)
            .optional(),
          proxyProtocol: proxyProtocol.optional(),
        }),
      )
      .default([]),
  })
  .prefault({});
