/**
 * The chunked transfer coding (RFC 9112 7.1). Bodies are decoded and coded anew rather than passed with the sender's framing:
 * what leaves here then has one reading only, whatever extensions or odd sizes came in.
 */
import { ILLEGAL_IN_VALUE, TOKEN } from './characters.ts';
import { foldedName } from './fields.ts';

const CR = 0x0d;
const LF = 0x0a;
const MAX_SIZE_DIGITS = 13; // 2^52: exact in a double
const MAX_LINE_BYTES = 4_096; // extensions of one chunk
const MAX_EXTENSION_BYTES = 65_536; // extensions of one message
const MAX_TRAILER_BYTES = 8_192;
/** A piece of payload below this is moved next to the one before it: see `#give`. */
const SMALL_PIECE_BYTES = 1_024;

type Step = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done' | 'failed';

/** Incremental decoder: splitting the input at any byte gives the same result. */
export class ChunkedDecoder {
  #step: Step = 'size';
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #extensionBytes = 0;
  #trailer = '';
  /** Payload of the present input that lies in one piece and was not given out yet. */
  #runFrom = 0;
  #runTo = 0;
  /** Code of what is wrong, or ''. After an error the connection has to close. */
  error = '';

  get done(): boolean {
    return this.#step === 'done';
  }

  /** Trailer field lines, each with its CRLF, as sent. Known once done. */
  get trailer(): string {
    return this.#trailer;
  }

  /**
   * Takes `bytes[from..]`, puts views of the payload into `out`, and returns the index behind the last byte taken: the body's end
   * when `done`, else the input's. Check `error` after each call. Moves payload within the part of `bytes` that it takes.
   */
  feed(bytes: Buffer, from: number, out: Buffer[]): number {
    this.#runFrom = this.#runTo = from;
    const index = this.#walk(bytes, from, out);
    if (this.#runTo > this.#runFrom) out.push(bytes.subarray(this.#runFrom, this.#runTo));
    return index;
  }

  #walk(bytes: Buffer, from: number, out: Buffer[]): number {
    let index = from;
    while (index < bytes.length) {
      switch (this.#step) {
        case 'size':
          index = this.#readSize(bytes, index);
          break;
        case 'extension':
          index = this.#skipExtension(bytes, index);
          break;
        case 'size-lf':
          if (bytes[index++] !== LF) return this.#fail('CHUNK_SIZE_LINE', index);
          this.#step = this.#size === 0 ? 'trailer' : 'data';
          this.#lineBytes = 0;
          break;
        case 'data': {
          const end = Math.min(bytes.length, index + this.#size);
          this.#give(bytes, index, end, out);
          this.#size -= end - index;
          index = end;
          if (this.#size === 0) this.#step = 'data-cr';
          break;
        }
        case 'data-cr':
          if (bytes[index++] !== CR) return this.#fail('CHUNK_TERMINATOR', index);
          this.#step = 'data-lf';
          break;
        case 'data-lf':
          if (bytes[index++] !== LF) return this.#fail('CHUNK_TERMINATOR', index);
          this.#step = 'size';
          this.#digits = 0;
          break;
        case 'trailer':
          index = this.#readTrailer(bytes, index);
          break;
        case 'done':
        case 'failed':
          return index;
      }
    }
    return index;
  }

  /**
   * Payload at [from, to). Small pieces join up in place, over the chunk sizes that stood between them: without it a body in chunks of one
   * byte would cost a view, a write and a chunk of our own for every six bytes sent.
   */
  #give(bytes: Buffer, from: number, to: number, out: Buffer[]): void {
    const length = to - from;
    if (this.#runTo > this.#runFrom) {
      if (length < SMALL_PIECE_BYTES) {
        bytes.copyWithin(this.#runTo, from, to);
        this.#runTo += length;
        return;
      }
      out.push(bytes.subarray(this.#runFrom, this.#runTo));
    }
    this.#runFrom = from;
    this.#runTo = to;
  }

  #readSize(bytes: Buffer, index: number): number {
    const code = bytes[index] ?? 0;
    const digit = hexDigit(code);
    if (digit >= 0) {
      if (++this.#digits > MAX_SIZE_DIGITS) return this.#fail('CHUNK_SIZE_OVERFLOW', index);
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits === 0) {
      return this.#fail('CHUNK_SIZE', index);
    } else if (code === CR) {
      this.#step = 'size-lf';
    } else if (code === 0x3b) {
      this.#step = 'extension';
    } else {
      return this.#fail('CHUNK_SIZE', index);
    }
    return index + 1;
  }

  #skipExtension(bytes: Buffer, from: number): number {
    let index = from;
    for (; index < bytes.length; index++) {
      const code = bytes[index] ?? 0;
      if (code === CR) {
        this.#step = 'size-lf';
        return index + 1;
      }
      if ((code < 0x20 && code !== 0x09) || code === 0x7f) return this.#fail('CHUNK_EXTENSION', index);
      if (++this.#lineBytes > MAX_LINE_BYTES || ++this.#extensionBytes > MAX_EXTENSION_BYTES) {
        return this.#fail('CHUNK_EXTENSION_TOO_LONG', index);
      }
    }
    return index;
  }

  /** Trailer lines up to the empty one, collected as text and checked as a whole at the end of each line. */
  #readTrailer(bytes: Buffer, from: number): number {
    const lf = bytes.indexOf(LF, from);
    const end = lf < 0 ? bytes.length : lf + 1;
    this.#trailer += bytes.toString('latin1', from, end);
    if (this.#trailer.length > MAX_TRAILER_BYTES) return this.#fail('CHUNK_TRAILER_TOO_LONG', end);
    if (lf < 0) return end;
    if (this.#trailer === '\r\n' || this.#trailer.endsWith('\r\n\r\n')) {
      this.#trailer = this.#trailer.slice(0, -2);
      this.#step = 'done';
      return isFieldLines(this.#trailer) ? end : this.#fail('CHUNK_TRAILER', end);
    }
    return this.#trailer.endsWith('\r\n') ? end : this.#fail('CHUNK_TRAILER', end);
  }

  #fail(code: string, index: number): number {
    this.error = code;
    this.#step = 'failed';
    return index;
  }
}

/** The bytes that go before a chunk of `size` bytes; `\r\n` goes after it. */
export function chunkHead(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/** The end of a chunked body with its trailer lines. */
export function lastChunk(trailer: string): string {
  return `0\r\n${trailer}\r\n`;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return code >= 0x41 && code <= 0x46 ? code - 0x37 : -1;
}

function isFieldLines(text: string): boolean {
  return text.split('\r\n').every((line) => {
    const colon = line.indexOf(':');
    if (line === '') return true;
    if (colon < 1 || ILLEGAL_IN_VALUE.test(line)) return false;
    for (let index = 0; index < colon; index++) if (TOKEN[line.charCodeAt(index)] !== 1) return false;
    return true;
  });
}

/** Fields that are no trailers: framing, routing, authentication, request modifiers (RFC 9110 6.5.1), and what only we say. */
const NOT_IN_TRAILERS =
  /^(?:host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|proxy.*|x-forwarded-.*|forwarded|x-client-ip|x-real-ip|x-openshift-host|x-request-start|http2-settings|headgear-failure|authorization|cookie|set-cookie|expect|cache-control|max-forwards|range|if-.*|age|date|expires|location|retry-after|vary|warning|www-authenticate)$/;

/** Trailer lines that may pass on; spellings that gears fold onto a forbidden name are forbidden too. */
export function passableTrailer(trailer: string): string {
  if (trailer === '') return '';
  return trailer
    .split('\r\n')
    .filter(
      (line) =>
        line !== '' && !NOT_IN_TRAILERS.test(foldedName(line.slice(0, line.indexOf(':')).toLowerCase())),
    )
    .map((line) => `${line}\r\n`)
    .join('');
}
