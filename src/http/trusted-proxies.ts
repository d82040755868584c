/** Which peers' forwarding fields are believed (owner of ipaddr.js in this room). */
import ipaddr from 'ipaddr.js';

export type Trust = (address: string) => boolean;

/**
 * A predicate over peer addresses from CIDRs (`10.0.0.0/8`, `::1`). IPv4-mapped IPv6 peers match IPv4 ranges. CIDRs were
 * validated with the configuration; one that is not a CIDR throws.
 */
export function trustOf(cidrs: readonly string[]): Trust {
  if (cidrs.length === 0) return () => false;
  const ranges = cidrs.map((cidr) =>
    cidr.includes('/')
      ? ipaddr.parseCIDR(cidr)
      : ([ipaddr.process(cidr), cidr.includes(':') ? 128 : 32] as const),
  );
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([range, bits]) => range.kind() === parsed.kind() && parsed.match(range, bits));
  };
}

/** A socket's peer address as it is shown and sent: IPv4-mapped IPv6 as IPv4, no zone. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare;
}
