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

/** Control characters that have no place in any head; HTAB stays legal in field values, CR and LF are looked at apart. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is what it is for
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** What no field value may hold (RFC 9110 5.5): control characters but for HTAB, line ends included. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is what it is for
export const ILLEGAL_IN_VALUE = /[\0-\x08\x0a-\x1f\x7f]/;

/**
 * Whether a head (latin1 text that ends in CRLF) holds a control character, or a CR or LF that is not a line end. A plain class and a
 * search for pairs cost half of one expression that says both.
 */
export function hasIllegalBytes(head: string): boolean {
  if (CONTROL.test(head)) return true;
  let cr = head.indexOf('\r');
  let lf = head.indexOf('\n');
  while (cr >= 0 || lf >= 0) {
    if (cr < 0 || lf !== cr + 1) return true;
    cr = head.indexOf('\r', lf + 1);
    lf = head.indexOf('\n', lf + 1);
  }
  return false;
}

/** Whether `text[from, to)` is a token; an empty range is not. */
export function isToken(text: string, from: number, to: number): boolean {
  if (from >= to) return false;
  for (let index = from; index < to; index++) {
    if (TOKEN[text.charCodeAt(index)] !== 1) return false;
  }
  return true;
}
