/**
 * The PROXY header that we begin a connection to a gear with, versions 1 and 2 (HAProxy's specification, "proxy-protocol.txt"): what
 * proxy-header.ts reads, the other way round. Pure.
 */
import { addressBytes, ipv6Bytes } from '../http/address-bytes.ts';

export interface ProxyParty {
  readonly address: string;
  readonly port: number;
}

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const VERSION_2_PROXY = 0x21;
const VERSION_2_LOCAL = 0x20;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * `source` is the client, `target` what it connected to. Where the two are of different families (a balancer in front of us said who
 * the client is) both are written as IPv6: the header has room for one family only. An address that is none makes a header that names
 * nobody.
 */
export function proxyHeader(version: 'v1' | 'v2', source: ProxyParty, target: ProxyParty): Buffer {
  const from = addressBytes(source.address);
  const to = addressBytes(target.address);
  if (from === null || to === null) {
    return version === 'v1'
      ? Buffer.from('PROXY UNKNOWN\r\n')
      : Buffer.concat([SIGNATURE, Buffer.from([VERSION_2_LOCAL, 0, 0, 0])]);
  }
  const plain = from.length === 4 && to.length === 4;
  const addresses = plain ? [from, to] : [ipv6Bytes(from), ipv6Bytes(to)];
  if (version === 'v1') {
    const shown = addresses.map(plain ? ipv4Text : ipv6Text).join(' ');
    return Buffer.from(`PROXY ${plain ? 'TCP4' : 'TCP6'} ${shown} ${source.port} ${target.port}\r\n`);
  }
  const body = Buffer.from([...addresses.flat(), ...portBytes(source.port), ...portBytes(target.port)]);
  const head = [VERSION_2_PROXY, plain ? TCP_OVER_IPV4 : TCP_OVER_IPV6, 0, body.length];
  return Buffer.concat([SIGNATURE, Buffer.from(head), body]);
}

function portBytes(port: number): readonly number[] {
  return [port >> 8, port & 0xff];
}

function ipv4Text(bytes: readonly number[]): string {
  return bytes.join('.');
}

/** All eight groups: every reader takes them, and a mapped address is not shown in a form that some readers do not. */
function ipv6Text(bytes: readonly number[]): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 2) {
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  }
  return groups.join(':');
}
