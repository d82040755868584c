/** What a client sent and nobody took yet; finds where a request head ends without looking at any byte twice. */

import { requestWalk } from '../http/fields.ts';
import { GatheredBytes } from '../http/gathered-bytes.ts';
import {
  type HeadError,
  type HeadLimits,
  type RequestHead,
  readRequestHead,
  scanRequestHead,
} from '../http/request-head.ts';

/** Empty lines before a request, in bytes: some old clients send one (RFC 9112 2.2), an endless row of them only holds a connection. */
const MAX_BLANK_BYTES = 16;
const HEAD_END_BYTES = 4;
const CR = 0x0d;
const LF = 0x0a;

export class Http1Input {
  readonly #gathered = new GatheredBytes();
  /** How far the unfinished head was searched. */
  #searched = 0;
  #blank = 0;

  get length(): number {
    return this.#gathered.length;
  }

  get bytes(): Buffer {
    return this.#gathered.bytes;
  }

  /** Whether a head has begun that is not whole. */
  get inHead(): boolean {
    return this.#searched > 0;
  }

  push(chunk: Buffer): void {
    this.#gathered.push(chunk);
  }

  /** Copies what is left of a pushed view that is about to be overwritten. */
  own(): void {
    this.#gathered.own();
  }

  /** Removes the first `count` bytes. */
  drop(count: number): void {
    this.#gathered.drop(count);
    this.#searched = 0;
  }

  /** Everything that is left. */
  takeAll(): Buffer {
    const all = this.#gathered.bytes;
    this.drop(all.length);
    return all;
  }

  /** The next head, or why it is refused; null while it is not whole. Empty lines before it are passed over. */
  takeHead(limits: HeadLimits & { readonly maxHeadBytes: number }): RequestHead | HeadError | null {
    if (this.#searched === 0) {
      const head = scanRequestHead(this.#gathered.bytes, limits);
      // The limit counts up to the last field's CR, as below.
      if (head !== null && requestWalk.end - 2 <= limits.maxHeadBytes) {
        this.drop(requestWalk.end + 2);
        this.#blank = 0;
        return head;
      }
    }
    const text = this.takeHeadText(limits);
    return typeof text === 'string' ? readRequestHead(text, limits) : text;
  }

  /** The same, the head as latin1 text up to its last field's CRLF. */
  takeHeadText(limits: HeadLimits & { readonly maxHeadBytes: number }): string | HeadError | null {
    const { maxHeadBytes } = limits;
    if (this.#searched <= 1 && this.#passBlankLines()) {
      return { code: 'HTTP_BLANK_LINES', status: 400, reason: 'too many empty lines before the request' };
    }
    const bytes = this.#gathered.bytes;
    if (bytes.length === 0) return null;
    const end = bytes.indexOf('\r\n\r\n', this.#searched, 'latin1');
    if (end >= 0 && end <= maxHeadBytes) {
      const text = bytes.toString('latin1', 0, end + 2);
      this.drop(end + 4);
      this.#blank = 0;
      return text;
    }
    // Before the length: whichever comes first in the bytes decides, wherever they are cut.
    if (hasBareLineFeed(bytes, this.#searched, maxHeadBytes + HEAD_END_BYTES)) {
      return { code: 'HTTP_ILLEGAL_BYTE', status: 400, reason: 'bare LF in the head' };
    }
    if (bytes.length >= maxHeadBytes + HEAD_END_BYTES) {
      const lineEnd = bytes.indexOf(CR);
      return lineEnd >= 0 && lineEnd <= maxHeadBytes
        ? { code: 'HTTP_HEAD_TOO_LONG', status: 431, reason: `the head is above ${maxHeadBytes} bytes` }
        : {
            code: 'HTTP_TARGET_TOO_LONG',
            status: 414,
            reason: `the request target is above ${limits.maxTargetBytes} bytes`,
          };
    }
    this.#searched = Math.max(1, bytes.length - 3);
    return null;
  }

  /** True when there were more than anyone needs. */
  #passBlankLines(): boolean {
    const bytes = this.#gathered.bytes;
    let start = 0;
    while (bytes[start] === CR && bytes[start + 1] === LF) start += 2;
    if (start === 0) return false;
    this.drop(start);
    this.#blank += start;
    return this.#blank > MAX_BLANK_BYTES;
  }
}

/** A LF without its CR in the part not looked at before: no head can follow from it, so there is nothing to wait for. */
function hasBareLineFeed(bytes: Buffer, from: number, to: number): boolean {
  for (let at = bytes.indexOf(LF, from); at >= 0 && at < to; at = bytes.indexOf(LF, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CR) return true;
  }
  return false;
}
