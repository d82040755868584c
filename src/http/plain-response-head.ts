/**
 * The response head that nearly every answer has, read from its bytes alone: HTTP/1.1, a final status that may have a body, at most one plain
 * framing, a connection that stays. What only few ask for, its text, is made when it is asked for. Anything else is null here and is
 * read as text (response-head.ts), which also says what is wrong with it; both read alike (`test/http/plain-response-head.test.ts`).
 */
import { VALUE } from './field-walk.ts';
import { responseWalk } from './fields.ts';
import type { HeadBytes } from './head-bytes.ts';

const START = Buffer.from('HTTP/1.1 ', 'latin1');
const KEEP_ALIVE = Buffer.from('keep-alive', 'latin1');
const CHUNKED = Buffer.from('chunked', 'latin1');
const REASON_AT = 12;
const MAX_LENGTH_DIGITS = 15;
const FIRST_FINAL_STATUS = 200;
const LAST_STATUS = 599;
const NO_CONTENT = 204;
const BLANK = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const LOWER = 0x20;

/** Of a head that `responseWalk` walked over to its end; `lineEnd`: index of the status line's CR. Notes in `wire` what passes on. */
export function readPlainResponseHead(
  bytes: Buffer,
  lineEnd: number,
  wire: HeadBytes,
): PlainResponseHead | null {
  const status = plainStatus(bytes, lineEnd);
  if (status < 0) return null;
  wire.begin(bytes, lineEnd + 2);
  let runStart = lineEnd + 2;
  let contentLength = -1;
  let chunked = false;
  for (let index = 0; index < responseWalk.count; index++) {
    const field = responseWalk.noted[index];
    if (field === undefined) return null;
    switch (field.rule) {
      case 'length':
        if (contentLength >= 0) return null;
        contentLength = plainLength(bytes, field.colon + 2, field.end);
        if (contentLength < 0 || bytes[field.colon + 1] !== BLANK) return null;
        continue;
      case 'coding':
        if (chunked || !isValue(bytes, field.colon, field.end, CHUNKED)) return null;
        chunked = true;
        break;
      case 'connection':
        if (!isValue(bytes, field.colon, field.end, KEEP_ALIVE)) return null;
        break;
      case 'hop':
      case 'never':
        break;
      default:
        return null;
    }
    if (runStart < field.start) wire.keep(runStart, field.start);
    runStart = field.end + 2;
  }
  if (chunked && contentLength >= 0) return null;
  const { end } = responseWalk;
  if (runStart < end) wire.keep(runStart, end);
  wire.finish(end);
  return new PlainResponseHead(status, contentLength, chunked, wire, lineEnd);
}

/** A `ResponseHead`, whose texts are there for as long as its bytes are. */
export class PlainResponseHead {
  readonly status: number;
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly keepAlive = true;
  readonly upgrade = '';
  readonly wire: HeadBytes;
  readonly #lineEnd: number;
  #text = '';

  constructor(status: number, contentLength: number, chunked: boolean, wire: HeadBytes, lineEnd: number) {
    this.status = status;
    this.contentLength = contentLength;
    this.chunked = chunked;
    this.wire = wire;
    this.#lineEnd = lineEnd;
  }

  get statusLine(): string {
    return this.#known().slice(0, this.#lineEnd);
  }

  get kept(): string {
    return this.#known().slice(this.#lineEnd + 2);
  }

  #known(): string {
    if (this.#text === '') this.#text = this.wire.text;
    return this.#text;
  }
}

/** The status of a line that is beyond doubt, or -1. */
function plainStatus(bytes: Buffer, lineEnd: number): number {
  if (lineEnd < REASON_AT || bytes[lineEnd + 1] !== LF) return -1;
  for (let at = 0; at < START.length; at++) if (bytes[at] !== START[at]) return -1;
  const status = plainLength(bytes, START.length, REASON_AT);
  if (status < FIRST_FINAL_STATUS || status > LAST_STATUS || status === NO_CONTENT) return -1;
  if (bytes[REASON_AT] !== BLANK) return bytes[REASON_AT] === CR ? status : -1;
  for (let at = REASON_AT; at < lineEnd; at++) if (VALUE[bytes[at] ?? 0] !== 1) return -1;
  return status;
}

/** The decimal number in `bytes[start, end)`, or -1. */
function plainLength(bytes: Buffer, start: number, end: number): number {
  if (end <= start || end - start > MAX_LENGTH_DIGITS) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Whether a blank and then `word`, in any case, is all that stands between the colon and the end of a line. */
function isValue(bytes: Buffer, colon: number, end: number, word: Buffer): boolean {
  if (end - colon !== word.length + 2 || bytes[colon + 1] !== BLANK) return false;
  for (let at = 0; at < word.length; at++)
    if (((bytes[colon + 2 + at] ?? 0) | LOWER) !== word[at]) return false;
  return true;
}
