/**
 * Which addresses an endpoint may have (owner of ipaddr.js here). An endpoint is an address that strangers make us dial: a
 * loopback or metadata address would turn the edge into their door to this machine, one of our own listeners into a loop.
 */
import ipaddr from 'ipaddr.js';
import type { Rejection } from '../spi/events.ts';
import { ownEntry } from './own-entry.ts';
import type { TablePolicy } from './policy.ts';
import type { EndpointKey } from './state.ts';

export type JudgedAddress =
  /** `address`: canonical public form, the identity of the endpoint; `dial`: literal address to connect to. */
  | { readonly ok: true; readonly address: string; readonly dial: string }
  | { readonly ok: false; readonly rejection: Rejection };

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** `text`: its one spelling; `rejection`: why it is no address for an endpoint, or null. */
interface Literal {
  readonly text: string;
  readonly rejection: string | null;
}

const LOOPBACK = 'TABLE_ADDRESS_LOOPBACK';

/** AWS's metadata service over IPv6 (the IPv4 one, 169.254.169.254, is link-local). */
const metadataAddresses: ReadonlySet<string> = new Set(['fd00:ec2::254']);

/** `address:port`, IPv6 in brackets. Our own listeners are written in this form, too. */
export function endpointKey(address: string, port: number): EndpointKey {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * One spelling an address: IPv6 compressed (RFC 5952), IPv4-mapped IPv6 as IPv4, so that no second spelling gets round ownership.
 * What is no literal address comes back trimmed of nothing and lower-cased.
 */
export function canonicalAddress(address: string): string {
  return parseLiteral(address)?.text ?? address.toLowerCase();
}

/** Judges what an endpoint's address and port come to: the public pair and the pair that would be dialled (`TABLE_ADDRESS_...`). */
export function judgeAddress(address: string, port: number, policy: TablePolicy): JudgedAddress {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    return refuse('TABLE_PORT_INVALID', `port ${port} is not a TCP port`);
  }
  const canonical = canonicalAddress(address);
  const mapped = mappedAddress(address, canonical, policy);
  const dial = parseLiteral(mapped ?? canonical);
  if (dial === null) {
    return refuse('TABLE_ADDRESS_NOT_LITERAL', `${shown(mapped ?? address)} is not a literal IP address`);
  }
  const dialAddress = dial.text;
  if (isOwnListener(canonical, port, policy) || isOwnListener(dialAddress, port, policy)) {
    return refuse(
      'TABLE_ADDRESS_OWN_LISTENER',
      `${endpointKey(canonical, port)} is a listener of this server`,
    );
  }
  // Where the operator mapped the address, only the dial side is judged: public addresses are never dialled then, and
  // 127.0.0.1 is what an unconfigured node announces (domain.md 0), exactly what a map has to repair.
  const rejection = dial.rejection === LOOPBACK && policy.allowLoopbackEndpoints ? null : dial.rejection;
  return rejection === null
    ? { ok: true, address: canonical, dial: dialAddress }
    : { ok: false, rejection: { code: rejection, reason: `${shown(address)} is ${rangeWords(rejection)}` } };
}

/** True when `address:port` reaches a listener of this process; all of 127.0.0.0/8 reaches one on 127.0.0.1 or on every address. */
export function isOwnListener(address: string, port: number, policy: TablePolicy): boolean {
  // So it is when a start judges every endpoint there is: spares the keys.
  if (policy.ownListeners.size === 0) return false;
  if (policy.ownListeners.has(endpointKey(address, port))) return true;
  return address.startsWith('127.') && policy.ownListeners.has(endpointKey('127.0.0.1', port));
}

function mappedAddress(address: string, canonical: string, policy: TablePolicy): string | undefined {
  return ownEntry(policy.addressMap, address) ?? ownEntry(policy.addressMap, canonical);
}

/**
 * What was parsed lately: a start judges every endpoint of every application three times over, and they are on as many addresses as there are
 * nodes.
 */
const parsedLately = new Map<string, Literal | null>();
const MAX_PARSED = 4_096;

function parseLiteral(text: string): Literal | null {
  const known = parsedLately.get(text);
  if (known !== undefined) return known;
  const ip = parseAnew(text);
  const parsed = ip === null ? null : { text: ip.toString(), rejection: judgeRange(ip) };
  if (text.length > MAX_LITERAL) return parsed;
  if (parsedLately.size >= MAX_PARSED) parsedLately.clear();
  parsedLately.set(text, parsed);
  return parsed;
}

/** The longest IPv6 address, with an IPv4 one in it. */
const MAX_LITERAL = 45;

/** Strict: four decimal parts without leading zeros, or IPv6 without a zone. `0x7f.1` and `0177.0.0.1` are no addresses here. */
function parseAnew(text: string): Ip | null {
  if (text.length > MAX_LITERAL) return null;
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    const parsed = ipaddr.IPv4.parse(text);
    return parsed.toString() === text ? parsed : null;
  }
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return null;
  return ipaddr.process(text);
}

function judgeRange(ip: Ip): string | null {
  const embedded = embeddedIpv4(ip);
  if (embedded !== null) return judgeRange(embedded);
  switch (ip.range()) {
    case 'loopback':
      return LOOPBACK;
    case 'unspecified':
      return 'TABLE_ADDRESS_UNSPECIFIED';
    case 'multicast':
      return 'TABLE_ADDRESS_MULTICAST';
    case 'broadcast':
      return 'TABLE_ADDRESS_BROADCAST';
    case 'linkLocal':
      return 'TABLE_ADDRESS_LINK_LOCAL';
    default:
      return metadataAddresses.has(ip.toString()) ? 'TABLE_ADDRESS_LINK_LOCAL' : null;
  }
}

/** The IPv4 address inside an IPv4-compatible, translated (RFC 6145), NAT64 (RFC 6052) or 6to4 (RFC 3056) one: it decides. */
function embeddedIpv4(ip: Ip): ipaddr.IPv4 | null {
  if (!(ip instanceof ipaddr.IPv6)) return null;
  const bytes = ip.toByteArray();
  const range = ip.range();
  const compatible = bytes.slice(0, 12).every((byte) => byte === 0) && range === 'unicast';
  if (compatible || range === 'rfc6145' || range === 'rfc6052') return new ipaddr.IPv4(bytes.slice(12, 16));
  return range === '6to4' ? new ipaddr.IPv4(bytes.slice(2, 6)) : null;
}

function rangeWords(code: string): string {
  return `no address for an endpoint: ${code.slice('TABLE_ADDRESS_'.length).toLowerCase().replaceAll('_', '-')}`;
}

function shown(address: string): string {
  return JSON.stringify(address.slice(0, 64));
}

function refuse(code: string, reason: string): JudgedAddress {
  return { ok: false, rejection: { code, reason } };
}
