/**
 * Which addresses may be asked for a certificate's status. A tenant's certificate names the responder, so this decides what a tenant can
 * make this machine connect to: public addresses on port 80, and beyond that only what the operator has allowed.
 */
import { BlockList, isIP } from 'node:net';

export interface DialPolicy {
  allows(address: string, port: number): boolean;
}

const PUBLIC_PORT = 80;

/** Everything that is not for the public internet (IANA special-purpose registries, RFC 6890). */
const NOT_PUBLIC_IPV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
];
const GLOBAL_UNICAST_IPV6 = ['2000::/3'];
/** Of these: Teredo and its neighbours, documentation, 6to4 (which has an IPv4 address inside). */
const NOT_PUBLIC_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** `allowed`: addresses and networks that may be asked as well, on any port, as an internal CA's. */
export function createDialPolicy(allowed: readonly string[]): DialPolicy {
  const operator = listOf(allowed);
  const notPublic = listOf([...NOT_PUBLIC_IPV4, ...NOT_PUBLIC_IPV6]);
  const globalIpv6 = listOf(GLOBAL_UNICAST_IPV6);
  return {
    allows(address, port) {
      const family = isIP(address);
      if (family === 0 || address.includes('%')) return false;
      const type = family === 4 ? 'ipv4' : 'ipv6';
      if (operator.check(address, type)) return true;
      if (port !== PUBLIC_PORT || notPublic.check(address, type)) return false;
      return family === 4 || globalIpv6.check(address, 'ipv6');
    },
  };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const type = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, type);
    else list.addSubnet(address, Number(bits), type);
  }
  return list;
}
