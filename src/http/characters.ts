/** Character classes of RFC 9110 section 5.6 as byte tables: a table look-up is what the JIT makes cheapest. */

function tableOf(accepts: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (accepts(code) ? 1 : 0));
}

const TOKEN_PUNCTUATION = "!#$%&'*+-.^_`|~";

/** 1 for `tchar` (RFC 9110 5.6.2). */
export const TOKEN = tableOf(
  (code) =>
    /[0-9A-Za-z]/.test(String.fromCharCode(code)) || TOKEN_PUNCTUATION.includes(String.fromCharCode(code)),
);

/**
 * Anything that no message head may hold: control characters, and CR or LF that are not a line end. HTAB stays legal in field
 * values. One pass over the whole head in compiled code is cheaper than a check a field.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is what it is for
const ILLEGAL_IN_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|[^\r]\n/;

const LF = 0x0a;

/** Whether a head (latin1 text that ends in CRLF) holds a byte that has no place in any head. */
export function hasIllegalBytes(head: string): boolean {
  return head.charCodeAt(0) === LF || ILLEGAL_IN_HEAD.test(head);
}

/** Whether `text[from, to)` is a token; an empty range is not. */
export function isToken(text: string, from: number, to: number): boolean {
  if (from >= to) return false;
  for (let index = from; index < to; index++) {
    if (TOKEN[text.charCodeAt(index)] !== 1) return false;
  }
  return true;
}
