/** Who this machine is on the network. */
import { networkInterfaces } from 'node:os';

/** Every literal address of this machine, loopback included, without zones. */
export function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ address }) => address.split('%')[0] ?? address);
}
