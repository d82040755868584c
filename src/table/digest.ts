/** One number for a whole table, the same whatever order things came in. Pure. */
import { createHash } from 'node:crypto';
import { certificateId } from './certificate-ref.ts';
import type { Application } from './state.ts';

const BITS = 128;
const PREFIX_HEX = BITS / 4;

/**
 * What of an application decides where its requests go and what its handshakes get; not claims, times or flags of the broker, which
 * differ between two instances that serve the same. 0 for none. Sums of these, by `addDigests`, stand for tables.
 */
export function applicationDigest(app: Application | undefined): bigint {
  if (app === undefined) return 0n;
  const endpoints = app.endpoints.map(({ address, port, gearId, protocols, types }) =>
    JSON.stringify([address, port, gearId, [...protocols].sort(), [...types].sort()]),
  );
  const aliases = app.aliases.map(({ alias, announced, certificate }) =>
    JSON.stringify([alias, announced, certificate === null ? null : certificateId(certificate)]),
  );
  const hash = createHash('sha256').update(JSON.stringify([app.key, endpoints.sort(), aliases.sort()]));
  return BigInt(`0x${hash.digest('hex').slice(0, PREFIX_HEX)}`);
}

/** The sum, with what is taken away, within as many bits. */
export function addDigests(sum: bigint, added: bigint, taken: bigint): bigint {
  return BigInt.asUintN(BITS, sum + added - taken);
}

export function digestText(sum: bigint): string {
  return sum.toString(16).padStart(PREFIX_HEX, '0');
}
