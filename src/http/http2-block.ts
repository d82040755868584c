/** A head of HTTP/1.1 as the field list that node:http2 hands to nghttp2: one text, made in one walk over the lines. */
import { http2Fields, NOT_IN_HTTP2 } from './http2-head.ts';

/** Triples `name NUL value NUL flags`, pseudo-header fields first; no field has a flag. */
export interface FieldBlock {
  readonly text: string;
  readonly fields: number;
}

const CR = 0x0d;
const COLON = 0x3a;
const BLANK = 0x20;
const TAB = 0x09;
/** What the status takes at most. */
const STATUS_BYTES = 16;
const MAX_LINES_LENGTH = 16_384;
const MAX_FIELDS = 256;
/** The walk reads bytes and writes bytes: characters of a string cost half as much again, and so do its slices. */
const source = Buffer.allocUnsafeSlow(MAX_LINES_LENGTH);
const target = Buffer.allocUnsafeSlow(MAX_LINES_LENGTH + STATUS_BYTES);
/** A number for each name so far: the same for the same name. */
const marks = new Int32Array(MAX_FIELDS);
/** Of the names that no answer may carry. */
const REFUSED_MARKS: ReadonlySet<number> = new Set([...NOT_IN_HTTP2].map(markOf));
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

/**
 * The block of an answer. `lines`: field lines of latin1 text, each with its CRLF and all valid. Null where the library's own way has to be
 * taken: it refuses to send some fields twice, and heads beyond measure are not worth another.
 */
export function responseBlock(status: number, lines: string): FieldBlock | null {
  if (lines.length > MAX_LINES_LENGTH || (lines !== '' && !lines.endsWith('\r\n'))) return null;
  const length = source.write(lines, 'latin1');
  let at = target.write(`:status\0${status}\0\0`, 'latin1');
  let fields = 0;
  let index = 0;
  while (index < length) {
    const start = at;
    let mark = 0;
    let byte = lower(index);
    while (byte !== COLON) {
      if (byte === CR) return null;
      target[at++] = byte;
      mark = next(mark, byte);
      byte = lower(++index);
    }
    const name = at - start;
    target[at++] = 0;
    do byte = source[++index] ?? CR;
    while (byte === BLANK || byte === TAB);
    while (byte !== CR) {
      target[at++] = byte;
      byte = source[++index] ?? CR;
    }
    index += 2;
    if (REFUSED_MARKS.has(mark) && NOT_IN_HTTP2.has(target.toString('latin1', start, start + name))) {
      at = start;
      continue;
    }
    while (target[at - 1] === BLANK || target[at - 1] === TAB) at--;
    target[at++] = 0;
    target[at++] = 0;
    for (let before = 0; before < fields; before++) {
      // Different names hardly ever have the same mark, so this is hardly ever looked at in vain.
      if (marks[before] === mark && repeatsField(lines)) return null;
    }
    if (fields === MAX_FIELDS) return null;
    marks[fields++] = mark;
  }
  return { text: target.toString('latin1', 0, at), fields: fields + 1 };
}

function markOf(name: string): number {
  let mark = 0;
  for (const byte of Buffer.from(name, 'latin1')) mark = next(mark, byte);
  return mark;
}

function next(mark: number, byte: number): number {
  return (Math.imul(mark, 31) + byte) | 0;
}

function lower(index: number): number {
  return LOWER[source[index] ?? CR] ?? CR;
}

/** Whether a field comes more than once, Set-Cookie apart. */
function repeatsField(lines: string): boolean {
  return Object.entries(http2Fields(lines)).some(
    ([name, value]) => typeof value !== 'string' && name !== 'set-cookie',
  );
}
