import { networkInterfaces } from 'node:os';

/** Addresses that `oo-last-access` would take for the node's own. Loopback ones are left out: only a sample or a test has them as targets. */
export function machineAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(all.filter(({ internal }) => !internal).map(({ address }) => address));
}
