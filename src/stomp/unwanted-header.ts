/** Headers that nobody asks for: found as bytes, so that nothing has to be made of most of a MESSAGE's head. Pure. */

const NUL = 0;
const LF = 10;
const COLON = 58;

/**
 * Where the line at `at` ends, if all of it is there and it is a sound header of at most `maxBytes` whose name is none of `wanted`; -1 where it
 * has to be read.
 */
export function endOfUnwantedHeader(
  chunk: Buffer,
  at: number,
  wanted: readonly Buffer[],
  maxBytes: number,
): number {
  let colon = -1;
  let end = at;
  for (; chunk[end] !== LF; end += 1) {
    const byte = chunk[end];
    if (byte === undefined || byte === NUL) return -1;
    if (byte === COLON && colon === -1) colon = end;
  }
  const isHeader = colon > at && end - at <= maxBytes;
  return isHeader && !wanted.some((name) => isAt(name, chunk, at, colon)) ? end : -1;
}

function isAt(name: Buffer, chunk: Buffer, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let at = 0; at < name.length; at += 1) if (name[at] !== chunk[from + at]) return false;
  return true;
}
