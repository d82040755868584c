/**
 * The PROXY protocol, versions 1 and 2 (HAProxy's specification, "proxy-protocol.txt"): who the client is, said by a load balancer
 * in front of us before the first byte of the connection proper. Pure.
 */
import { isIP } from 'node:net';

/** more: not whole yet. `source` null: the balancer speaks for itself (LOCAL, UNKNOWN), the socket's own peer stands. */
export type ProxyHeader =
  | { readonly kind: 'more' }
  | { readonly kind: 'invalid'; readonly reason: string }
  | { readonly kind: 'header'; readonly length: number; readonly source: ProxySource | null };

export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const V1_MAX_BYTES = 107;
/** Room for TLVs; the longest that balancers send is a few hundred bytes. */
const V2_MAX_BYTES = 4_096;
const MORE: ProxyHeader = { kind: 'more' };

/** Reads the header at the beginning of `bytes`. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const compared = Math.min(bytes.length, V2_SIGNATURE.length);
  if (bytes.subarray(0, compared).equals(V2_SIGNATURE.subarray(0, compared))) {
    return compared < V2_SIGNATURE.length ? MORE : readV2(bytes);
  }
  return readV1(bytes);
}

function readV1(bytes: Buffer): ProxyHeader {
  const text = bytes.toString('latin1', 0, V1_MAX_BYTES);
  if (!'PROXY '.startsWith(text.slice(0, 6))) return invalid('no PROXY header');
  const end = text.indexOf('\r\n');
  if (end < 0) return bytes.length >= V1_MAX_BYTES ? invalid('a version 1 header without end') : MORE;
  const length = end + 2;
  const [, family = '', source = '', target = '', sourcePort = '', targetPort = '', ...more] = text
    .slice(0, end)
    .split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', length, source: null };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : 0;
  const wellFormed =
    version !== 0 &&
    more.length === 0 &&
    isIP(source) === version &&
    isIP(target) === version &&
    isPort(sourcePort) &&
    isPort(targetPort);
  if (!wellFormed) return invalid('a malformed version 1 header');
  return { kind: 'header', length, source: { address: source.toLowerCase(), port: Number(sourcePort) } };
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535;
}

const LOCAL = 0x20;
const PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

function readV2(bytes: Buffer): ProxyHeader {
  if (bytes.length < 16) return MORE;
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const length = 16 + bytes.readUInt16BE(14);
  if (command !== LOCAL && command !== PROXY) return invalid('an unknown version 2 command');
  if (length > V2_MAX_BYTES) return invalid('a version 2 header above 4096 bytes');
  if (bytes.length < length) return MORE;
  if (command === LOCAL) return { kind: 'header', length, source: null };
  if (family === TCP_OVER_IPV4) {
    if (length < 28) return invalid('a version 2 header too short for IPv4');
    return {
      kind: 'header',
      length,
      source: { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24) },
    };
  }
  if (family === TCP_OVER_IPV6) {
    if (length < 52) return invalid('a version 2 header too short for IPv6');
    return {
      kind: 'header',
      length,
      source: { address: ipv6Text(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) },
    };
  }
  // AF_UNSPEC, UDP, UNIX: to be accepted, and ignored.
  return { kind: 'header', length, source: null };
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  // The URL parser writes the one canonical form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function invalid(reason: string): ProxyHeader {
  return { kind: 'invalid', reason };
}
