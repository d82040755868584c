/** What a client sent and nobody took yet; finds where a request head ends without looking at any byte twice. */
import type { HeadError } from '../http/request-head.ts';

const NOTHING = Buffer.alloc(0);

export class Http1Input {
  #bytes: Buffer = NOTHING;
  /** How far the unfinished head was searched. */
  #searched = 0;

  get length(): number {
    return this.#bytes.length;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Whether a head has begun that is not whole. */
  get inHead(): boolean {
    return this.#searched > 0;
  }

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** Removes the first `count` bytes. */
  drop(count: number): void {
    this.#bytes = count >= this.#bytes.length ? NOTHING : this.#bytes.subarray(count);
    this.#searched = 0;
  }

  /** Everything that is left. */
  takeAll(): Buffer {
    const all = this.#bytes;
    this.drop(all.length);
    return all;
  }

  /**
   * The next head as latin1 text up to its last field's CRLF; null while it is not whole. Empty lines before it are passed over
   * (RFC 9112 2.2).
   */
  takeHead(maxBytes: number): string | HeadError | null {
    if (this.#searched === 0) {
      let start = 0;
      while (this.#bytes[start] === 0x0d && this.#bytes[start + 1] === 0x0a) start += 2;
      if (start > 0) this.drop(start);
    }
    const bytes = this.#bytes;
    if (bytes.length === 0) return null;
    const end = bytes.indexOf('\r\n\r\n', this.#searched, 'latin1');
    if (end >= 0 && end <= maxBytes) {
      const text = bytes.toString('latin1', 0, end + 2);
      this.drop(end + 4);
      return text;
    }
    if (bytes.length > maxBytes) {
      return { code: 'HTTP_HEAD_TOO_LONG', status: 431, reason: `the head is above ${maxBytes} bytes` };
    }
    if (hasBareLineFeed(bytes, this.#searched)) {
      return { code: 'HTTP_ILLEGAL_BYTE', status: 400, reason: 'bare LF in the head' };
    }
    this.#searched = Math.max(1, bytes.length - 3);
    return null;
  }
}

/** A LF without its CR in the part not looked at before: no head can follow from it, so there is nothing to wait for. */
function hasBareLineFeed(bytes: Buffer, from: number): boolean {
  for (let at = bytes.indexOf(0x0a, from); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (at === 0 || bytes[at - 1] !== 0x0d) return true;
  }
  return false;
}
