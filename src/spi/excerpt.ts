/** How a hostile value may be quoted to people: short, escaped, and never where it could be key material. */
import type { PlainValue } from './document-types.ts';

const MAX_QUOTED_CHARACTERS = 40;

/**
 * A value for an error text: quoted with everything but printable ASCII escaped, or, where it is long or could be part
 * of a PEM block, only its kind and length. Cutting a long value short was rejected: the beginning of a private key
 * that was put into the wrong field is still key material.
 */
export function excerpt(value: PlainValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== 'string') return 'a map';
  if (value.length > MAX_QUOTED_CHARACTERS || value.includes('-----'))
    return `text of ${value.length} characters`;
  const escaped = value.replace(/[^\x20-\x7e]|["\\]/gu, (char) => {
    const point = char.codePointAt(0) ?? 0;
    return point === 0x22 || point === 0x5c ? `\\${char}` : `\\u{${point.toString(16)}}`;
  });
  return `"${escaped}"`;
}
