/**
 * Just enough DER (X.690) to look into a key's envelope before OpenSSL is let loose on it. Stricter than OpenSSL on purpose:
 * definite, minimal lengths and nothing trailing, so that what was examined here is what OpenSSL will read. forge.asn1 is not used:
 * it accepts BER, recurses as deep as the input says, and throws.
 */

export const TAG_INTEGER = 0x02;
export const TAG_OCTET_STRING = 0x04;
export const TAG_OID = 0x06;
export const TAG_SEQUENCE = 0x30;

/** One element: its tag and where its contents lie. */
export interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** The element at `offset`, or null where there is none that ends by `limit`. */
export function readElement(bytes: Uint8Array, offset: number, limit: number): Element | null {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || offset + 2 > limit) return null;
  if ((tag & 0x1f) === 0x1f) return null;
  if (first < 0x80) {
    const start = offset + 2;
    return start + first <= limit ? { tag, start, end: start + first } : null;
  }
  const count = first & 0x7f;
  if (count === 0 || count > 3 || offset + 2 + count > limit) return null;
  let length = 0;
  for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[offset + 2 + i] ?? 0);
  if (length < 0x80 || (count > 1 && length < 256 ** (count - 1))) return null;
  const start = offset + 2 + count;
  return start + length <= limit ? { tag, start, end: start + length } : null;
}

/** The elements within `parent`, at most `max`; null where they do not fill it exactly. */
export function childrenOf(bytes: Uint8Array, parent: Element, max = 10): readonly Element[] | null {
  const found: Element[] = [];
  let offset = parent.start;
  while (offset < parent.end) {
    const element = found.length < max ? readElement(bytes, offset, parent.end) : null;
    if (element === null) return null;
    found.push(element);
    offset = element.end;
  }
  return found;
}

/** Dotted form of an object identifier, or null. */
export function oidOf(bytes: Uint8Array, element: Element | undefined): string | null {
  if (element?.tag !== TAG_OID || element.end === element.start || element.end - element.start > 32)
    return null;
  const arcs: number[] = [];
  let value = 0;
  for (let i = element.start; i < element.end; i += 1) {
    const byte = bytes[i] ?? 0;
    if (value > 0xffffff) return null;
    value = value * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(value / 40));
      arcs.push(root, value - root * 40);
    } else arcs.push(value);
    value = 0;
  }
  return ((bytes[element.end - 1] ?? 0x80) & 0x80) === 0 ? arcs.join('.') : null;
}

/** A non-negative INTEGER below 2^47, `Infinity` above that, null where it is none (or negative, or not minimal). */
export function integerOf(bytes: Uint8Array, element: Element | undefined): number | null {
  if (element?.tag !== TAG_INTEGER || element.end === element.start) return null;
  const first = bytes[element.start] ?? 0x80;
  const second = bytes[element.start + 1] ?? 0x80;
  if ((first & 0x80) !== 0 || (first === 0 && element.end - element.start > 1 && (second & 0x80) === 0)) {
    return null;
  }
  if (element.end - element.start > 6) return Number.POSITIVE_INFINITY;
  let value = 0;
  for (let i = element.start; i < element.end; i += 1) value = value * 256 + (bytes[i] ?? 0);
  return value;
}

/** The bytes of an OCTET STRING, or null. */
export function octetsOf(der: Buffer, element: Element | undefined): Buffer | null {
  return element?.tag === TAG_OCTET_STRING ? der.subarray(element.start, element.end) : null;
}

/** The elements of a SEQUENCE, or null. */
export function sequenceOf(der: Uint8Array, element: Element | null | undefined): readonly Element[] | null {
  return element?.tag === TAG_SEQUENCE ? childrenOf(der, element) : null;
}
