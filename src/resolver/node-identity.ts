/** Who this machine is on the network. */
import { networkInterfaces } from 'node:os';

/** Every literal address of this machine, loopback included, without zones. */
export function machineAddresses(): readonly string[] {
  return interfaceAddresses(() => true);
}

/** Those that others can reach it by: what `oo-last-access` would take for the node's own (domain.md 6). */
export function outwardAddresses(): ReadonlySet<string> {
  return new Set(interfaceAddresses(({ internal }) => !internal));
}

function interfaceAddresses(wanted: (entry: { readonly internal: boolean }) => boolean): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(wanted)
    .map(({ address }) => address.split('%')[0] ?? address);
}
