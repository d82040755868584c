/** Addresses as they stand in binary protocols (owner of ipaddr.js in this room, with trusted-proxies.ts). */
import ipaddr from 'ipaddr.js';

/** 4 or 16 bytes; null for what is no address. An IPv4-mapped IPv6 address gives the 4 bytes that it maps. */
export function addressBytes(address: string): readonly number[] | null {
  return ipaddr.isValid(address) ? ipaddr.process(address).toByteArray() : null;
}

/** The 16 bytes of an address of either family: an IPv4 one as `::ffff:a.b.c.d` (RFC 4291 2.5.5.2). */
export function ipv6Bytes(bytes: readonly number[]): readonly number[] {
  return bytes.length === 16 ? bytes : [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes];
}
