/** Names and addresses as events may carry them, brought to their one normal form (domain.md 3). Null: refused. */
import { isIP, isIPv4, SocketAddress } from 'node:net';
import { domainToASCII } from 'node:url';

const MAX_NAME_LENGTH = 32;
const MAX_HOST_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
const MAX_GEAR_ID_LENGTH = 48;

/**
 * An application name or a namespace, lower-case. Letters and digits only, as OpenShift has it: with a `-` inside,
 * `a-b` in `c` and `a` in `b-c` would be one host name, and one tenant could take the other's traffic. Mixed case is
 * legacy data; above the broker's lengths (32 and 16) up to 32 is tolerated.
 */
export function normalName(text: string): string | null {
  if (text.length > MAX_NAME_LENGTH || !isMadeOf(text, ALPHANUMERIC)) return null;
  return text.toLowerCase();
}

/**
 * Stands for the gear id where a source of endpoints does not know it (an nginx folder): whatever gear the broker later names is the
 * one. Not a hex id, and none that Mongo makes.
 */
export const UNKNOWN_GEAR = 'unknown';

/** True when `app-namespace` fits into one DNS label. */
export function fitsLabel(appName: string, namespace: string): boolean {
  return appName.length + 1 + namespace.length <= MAX_LABEL_LENGTH;
}

/** A gear's id, lower-case: 24 hex digits as a rule, tolerated as any token that can begin a host name. */
export function normalGearId(text: string): string | null {
  if (text.length > MAX_GEAR_ID_LENGTH || !isMadeOf(text, TOKEN)) return null;
  if (text.startsWith('-') || text.startsWith('_')) return null;
  return text.toLowerCase();
}

/**
 * An alias, lower-case and without a trailing dot. The broker's rule, read with tolerance: labels of letters, digits and
 * `-` (which may end a label), beginning with a letter or digit; no wildcard, no underscore, no IPv4 address.
 * Checked label by label: the broker's own expression takes exponential time. The broker takes ASCII only; other platforms may send an
 * internationalised name as people read it, which becomes what clients ask for (A-labels, RFC 5891).
 */
export function normalAlias(text: string): string | null {
  const ascii = text.length <= MAX_HOST_LENGTH + 1 ? inAscii(text) : text;
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (name.length === 0 || name.length > MAX_HOST_LENGTH || !/^[A-Za-z0-9]/.test(name) || isIPv4(name))
    return null;
  for (const label of name.split('.')) {
    if (label.length > MAX_LABEL_LENGTH || !/^[A-Za-z0-9-]+$/.test(label)) return null;
  }
  return name.toLowerCase();
}

/** '' where IDNA has no ASCII form. Only for names of letters, digits, dots and hyphens: the rest of a URL would be cut off unseen. */
function inAscii(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text;
  return /^[\p{L}\p{M}\p{N}.-]+$/u.test(text) ? domainToASCII(text) : '';
}

/**
 * An IP literal in its one normal form: IPv4 dotted, IPv6 as RFC 5952 writes it, lower-case and without a zone (a zone
 * names an interface of the node, which means nothing here), IPv4-mapped IPv6 as IPv4. Blanks around it are dropped:
 * the value comes out of the output of a command (domain.md 1.2). Null for anything else, host names among them:
 * resolving what a message names would let its sender choose when and where we look.
 */
export function normalAddress(text: string): string | null {
  if (text.length > 128) return null;
  if (isDottedQuad(text)) return text;
  const literal = text.trim().split('%', 1)[0] ?? '';
  const family = isIP(literal);
  if (family === 0 || isIP(text.trim()) === 0) return null;
  if (family === 4) return literal;
  const canonical = new SocketAddress({ address: literal, family: 'ipv6' }).address;
  const mapped = canonical.startsWith('::ffff:') ? canonical.slice('::ffff:'.length) : '';
  return isIPv4(mapped) ? mapped : canonical;
}

/** A TCP port in strict decimal, or null. */
export function normalPort(text: string): number | null {
  if (text.length > 5 || text.startsWith('0') || !isMadeOf(text, DIGITS)) return null;
  const port = Number(text);
  return port <= 65535 ? port : null;
}

/** As `isIPv4`, whose expression costs more than all else that an endpoint event is looked at for. */
export function isDottedQuad(text: string): boolean {
  let dots = 0;
  let part = -1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x2e) {
      if (part < 0) return false;
      dots += 1;
      part = -1;
    } else {
      // No leading zeros: some read those as octal.
      if (code < 0x30 || code > 0x39 || part === 0) return false;
      part = Math.max(part, 0) * 10 + code - 0x30;
      if (part > 255) return false;
    }
  }
  return dots === 3 && part >= 0;
}

const DIGITS = 1;
const ALPHANUMERIC = 2;
const TOKEN = 4;
/** What an ASCII character belongs to, one bit each. */
const CLASSES = new Uint8Array(128);
for (let code = 0; code < CLASSES.length; code += 1) {
  const char = String.fromCharCode(code);
  if (/[0-9]/.test(char)) CLASSES[code] = DIGITS | ALPHANUMERIC | TOKEN;
  else if (/[A-Za-z]/.test(char)) CLASSES[code] = ALPHANUMERIC | TOKEN;
  else if (/[_-]/.test(char)) CLASSES[code] = TOKEN;
}

/** Not empty, and of these characters alone. */
function isMadeOf(text: string, kind: number): boolean {
  for (let at = 0; at < text.length; at += 1)
    if (((CLASSES[text.charCodeAt(at)] ?? 0) & kind) === 0) return false;
  return text !== '';
}
