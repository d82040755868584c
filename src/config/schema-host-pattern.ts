/** Names of clients' hosts as several sections take them. */
import { z } from 'zod';

/** `www.example.com`, or `*.example.com` for exactly one label in the star's place; lower-case afterwards. */
export const hostPattern = z
  .string()
  .max(253)
  .regex(
    /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i,
    'must be a host name, or *. and a host name',
  )
  .transform((name) => name.toLowerCase());
