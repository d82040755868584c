/** Parts of `upstream` that have grown: TLS and HTTP/2 towards gears. */
import { z } from 'zod';

const ms = z.int().min(1);
const count = z.int().min(1);

/**
 * TLS towards https gears and node frontends. Whether certificates are verified is said where the endpoints are (`endpoints.verifyTls`,
 * `nodeFrontend.verifyTls`), and here against what.
 */
export const upstreamTls = z
  .strictObject({
    /** PEM bundle of the authorities that gears' certificates may come from, in place of Node's own list. */
    caFile: z.string().min(1).optional(),
    /** SHA-256 fingerprints of single certificates that are good whoever issued them and whatever names they hold. */
    pinnedSha256: z
      .array(
        z
          .string()
          .regex(
            /^[0-9a-f]{2}(:?[0-9a-f]{2}){31}$/i,
            'must be a SHA-256 fingerprint: 64 hex digits, with or without colons',
          ),
      )
      .default([]),
    handshakeTimeoutMs: ms.default(5_000),
    /** Gears on platforms of 2013 may need less than the default, and then `ciphers` such as DEFAULT@SECLEVEL=0. */
    minVersion: z.enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
    ciphers: z.string().min(1).optional(),
  })
  .prefault({});

/** HTTP/2 to endpoints whose protocols ask for it (h2c, grpc, h2, grpcs). */
export const upstreamHttp2 = z
  .strictObject({
    /** Requests under way on one connection, where the gear does not allow fewer; above it another connection is opened. */
    maxConcurrentStreams: count.default(100),
    /** How much of an answer a gear may send before the client takes some of it. */
    streamWindowBytes: z
      .int()
      .min(65_535)
      .max(2 ** 31 - 1)
      .default(262_144),
  })
  .prefault({});
