/**
 * What a gear is told of the client's certificate: X-Forwarded-Client-Cert as Envoy writes it, and X-Forwarded-SSL-Client-Cert as the
 * node frontend does (domain.md 4). Whatever stands in a certificate cannot end a value, an element or a field.
 */

export type ForwardedDetail = 'hash' | 'subject' | 'uri' | 'dns' | 'cert';

/** As node:crypto's X509Certificate has them. */
export interface ClientCertificate {
  /** `AA:BB:...` */
  readonly fingerprint256: string;
  /** One RDN a line, the most significant first; values escaped as in RFC 2253. */
  readonly subject: string | undefined;
  /** `DNS:a, URI:b`; values that could be mistaken for more than one are JSON strings. */
  readonly subjectAltName: string | undefined;
  toString(): string;
}

/** Field lines, each with its CRLF. */
export function clientCertificateLines(
  certificate: ClientCertificate,
  details: readonly ForwardedDetail[],
  sslClientCert: boolean,
): string {
  const pem = certificate.toString();
  const parts: string[] = [];
  const names = alternativeNames(certificate.subjectAltName ?? '');
  // Envoy's order, whatever the configuration's.
  if (details.includes('hash')) {
    parts.push(`Hash=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`);
  }
  if (details.includes('cert')) parts.push(`Cert="${encodeURIComponent(pem)}"`);
  if (details.includes('subject'))
    parts.push(`Subject="${escapedQuotes(distinguishedName(certificate.subject ?? ''))}"`);
  for (const [detail, type, key] of ALTERNATIVE_NAMES) {
    if (!details.includes(detail)) continue;
    for (const [kind, value] of names) if (kind === type) parts.push(`${key}=${quotedWhereNeeded(value)}`);
  }
  const element = parts.length === 0 ? '' : `X-Forwarded-Client-Cert: ${parts.join(';')}\r\n`;
  return sslClientCert ? `${element}X-Forwarded-SSL-Client-Cert: ${onOneLine(pem)}\r\n` : element;
}

const ALTERNATIVE_NAMES = [
  ['uri', 'URI', 'URI'],
  ['dns', 'DNS', 'DNS'],
] as const;

/** As mod_headers of Apache does it: a blank for each line end. The last one would be cut off on the way. */
function onOneLine(pem: string): string {
  return pem.trim().replaceAll(/\r?\n/g, ' ');
}

/** RFC 2253 2.1: the last RDN first, commas between. What is not ASCII as escaped bytes (2.4). */
function distinguishedName(subject: string): string {
  const names = subject.split('\n').filter((name) => name !== '');
  return asciiBy(names.reverse().join(','), (byte) => `\\${byte}`);
}

/** Each name with its type. Node writes values that hold a comma, a quote or the like as JSON strings. */
function alternativeNames(text: string): (readonly [type: string, value: string])[] {
  const names: (readonly [string, string])[] = [];
  for (const [, type = '', value = ''] of text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    names.push([type, value.startsWith('"') ? fromJson(value) : value]);
  }
  return names;
}

function fromJson(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

function quotedWhereNeeded(value: string): string {
  const ascii = asciiBy(value, (byte) => `%${byte}`);
  return /[,;=" ]/.test(ascii) ? `"${escapedQuotes(ascii)}"` : ascii;
}

/** A quote that no backslash stands before gets one; those of an escaped name have theirs. */
function escapedQuotes(value: string): string {
  return value
    .replaceAll(/\\.|"/gs, (found) => (found === '"' ? '\\"' : found))
    .replace(/(?<!\\)(\\\\)*\\$/, '$&\\');
}

/** Bytes of what is no printable ASCII as two hexadecimal digits, in the form of `written`. */
function asciiBy(value: string, written: (byte: string) => string): string {
  return value.replaceAll(/[^\x20-\x7e]+/g, (found) =>
    [...Buffer.from(found)].map((byte) => written(byte.toString(16).toUpperCase().padStart(2, '0'))).join(''),
  );
}
