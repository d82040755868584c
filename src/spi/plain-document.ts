/**
 * The plain form of an event, read without a YAML parser: what every Psych emits for everything but certificates. Lines of `key: value`, lists of
 * words, lists of small maps; values plain or quoted on one line without escapes. js-yaml takes more than 100 microseconds for the smallest
 * document, which bounds the events a second; this takes three.
 *
 * It may only ever say what js-yaml would say, or nothing: whatever is not plainly of this form goes to js-yaml, errors too. A property test
 * holds the two against each other.
 *
 * Byte by byte, because lines and matches of expressions are most of what is left behind for the garbage collector; and parts of one text would
 * hold all of it for as long as an application lives.
 */
import type { PlainRecord, PlainValue } from './document-types.ts';

/** Beyond it nothing is plain. */
export const MAX_PLAIN_BYTES = 4_096;
/** Nesting that the form can have, as the parser counts it. */
export const PLAIN_DEPTH = 5;
const MAX_KEYS = 64;
const MAX_KEY_LENGTH = 32;

const LF = 0x0a;
const BLANK = 0x20;
const BANG = 0x21;
const DOUBLE_QUOTE = 0x22;
const QUOTE = 0x27;
const DASH = 0x2d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** What a byte may be, one bit each. */
const KEY_START = 1;
const KEY = 2;
/** Begins like no indicator of YAML, and holds none. */
const PLAIN_START = 4;
const PLAIN = 8;
const PRINTABLE = 16;
const KINDS = new Uint8Array(256);
for (let byte = 0x20; byte <= 0x7e; byte++) {
  const char = String.fromCharCode(byte);
  KINDS[byte] =
    PRINTABLE |
    (/[a-z]/.test(char) ? KEY_START : 0) |
    (/[a-z_]/.test(char) ? KEY : 0) |
    (/[A-Za-z0-9/]/.test(char) ? PLAIN_START : 0) |
    (/[A-Za-z0-9_./-]/.test(char) ? PLAIN : 0);
}

/** The record, or null where the text is not plainly of this form. */
export function readPlainDocument(bytes: Buffer): PlainRecord | null {
  if (bytes.length > MAX_PLAIN_BYTES) return null;
  const reader = new Reader(bytes);
  reader.skipMarker();
  if (reader.atEnd()) return null;
  const record = new Map<string, PlainValue>();
  while (!reader.atEnd()) {
    const key = reader.key();
    if (key === null) return null;
    const value = reader.value();
    if (value === undefined || record.has(key) || record.size === MAX_KEYS) return null;
    record.set(key, value);
  }
  return record;
}

/** Where the reading stands. What is undefined is not of the plain form. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** A first line `---`. */
  skipMarker(): void {
    if (this.#is(0, DASH) && this.#is(1, DASH) && this.#is(2, DASH) && this.#endsLine(3)) this.#at = 4;
  }

  /**
   * A key and its colon, and the blank behind it. `:name`, as Ruby writes a symbol, and `name` are one key. null: there is none, and the
   * reading stays where it was.
   */
  key(): string | null {
    const bytes = this.#bytes;
    const isSymbol = bytes[this.#at] === COLON;
    const from = this.#at + (isSymbol ? 1 : 0);
    if (!isKind(bytes[from], KEY_START)) return null;
    let to = from + 1;
    while (isKind(bytes[to], KEY)) to += 1;
    if (to - from > MAX_KEY_LENGTH || bytes[to] !== COLON) return null;
    const behind = bytes[to + 1];
    if (behind !== BLANK && behind !== LF && to + 1 < bytes.length) return null;
    const key = sharedText(bytes, from, to);
    if (key === 'null' && !isSymbol) return null;
    this.#at = behind === BLANK ? to + 2 : to + 1;
    return key;
  }

  /** What stands behind a key: a scalar, or nothing and a list on the lines below. */
  value(): PlainValue | undefined {
    if (this.#bytes[this.#at] === 0x5b) {
      if (!this.#is(1, 0x5d) || !this.#endsLine(2)) return undefined;
      this.#at += 3;
      return [];
    }
    if (!this.#endsLine(0)) return this.#scalar(false);
    this.#at += 1;
    return this.#isItem() ? this.#list() : null;
  }

  #list(): PlainValue[] | undefined {
    const items: PlainValue[] = [];
    while (this.#isItem()) {
      this.#at += 2;
      const key = this.key();
      const item = key === null ? this.#scalar(true) : this.#map(key);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }

  /** A map that is an item of a list, from behind its first key on. */
  #map(first: string): PlainRecord | undefined {
    const map = new Map<string, PlainValue>();
    for (let key: string | null = first; ; ) {
      if (key === null || map.has(key) || map.size === MAX_KEYS) return undefined;
      const value = this.#endsLine(0) ? this.#nothing() : this.#scalar(false);
      if (value === undefined) return undefined;
      map.set(key, value);
      if (!this.#is(0, BLANK) || !this.#is(1, BLANK)) return map;
      this.#at += 2;
      key = this.key();
    }
  }

  #nothing(): null {
    this.#at += 1;
    return null;
  }

  /** To the end of the line, which must not be empty. `isShared`: one of few words that come again and again. */
  #scalar(isShared: boolean): string | null | undefined {
    const bytes = this.#bytes;
    // Psych 1.2.2 writes `! 'x'`.
    const isMarked = bytes[this.#at] === BANG && bytes[this.#at + 1] === BLANK;
    if (isMarked) this.#at += 2;
    const first = bytes[this.#at];
    if (first === QUOTE || first === DOUBLE_QUOTE) return this.#quoted(first);
    if (isMarked) return undefined;
    const from = this.#at;
    let to = from + 1;
    if (first === COLON) {
      while (isKind(bytes[to], KEY)) to += 1;
      if (to === from + 1) return undefined;
    } else {
      if (!isKind(first, PLAIN_START)) return undefined;
      while (isKind(bytes[to], PLAIN)) to += 1;
    }
    if (to < bytes.length && bytes[to] !== LF) return undefined;
    this.#at = to + 1;
    const text =
      isShared || first === COLON ? sharedText(bytes, from, to) : bytes.toString('latin1', from, to);
    return text.length === 4 && isNull(text) ? null : text;
  }

  #quoted(quote: number): string | undefined {
    const bytes = this.#bytes;
    const from = this.#at + 1;
    let to = from;
    for (; bytes[to] !== quote; to += 1) {
      if (!isKind(bytes[to], PRINTABLE)) return undefined;
      if (quote === DOUBLE_QUOTE && bytes[to] === BACKSLASH) return undefined;
    }
    if (to + 1 < bytes.length && bytes[to + 1] !== LF) return undefined;
    this.#at = to + 2;
    return to === from ? '' : bytes.toString('latin1', from, to);
  }

  #is(ahead: number, byte: number): boolean {
    return this.#bytes[this.#at + ahead] === byte;
  }

  #isItem(): boolean {
    return this.#is(0, DASH) && this.#is(1, BLANK);
  }

  #endsLine(ahead: number): boolean {
    return this.#at + ahead >= this.#bytes.length || this.#is(ahead, LF);
  }
}

function isKind(byte: number | undefined, kind: number): boolean {
  return byte !== undefined && ((KINDS[byte] ?? 0) & kind) !== 0;
}

function isNull(text: string): boolean {
  return text === 'null' || text === 'Null' || text === 'NULL';
}

/** Latest texts of keys, symbols and words of lists, by a hash: never of values, which may be a pass phrase. */
const SHARED: string[] = new Array<string>(256).fill('');
const MAX_SHARED_LENGTH = 32;

/** The same string as the last time, where it is still known: nothing to make, and its hash is known. */
function sharedText(bytes: Buffer, from: number, to: number): string {
  const length = to - from;
  if (length > MAX_SHARED_LENGTH) return bytes.toString('latin1', from, to);
  let hash = length;
  for (let at = from; at < to; at += 1) hash = (hash * 31 + (bytes[at] ?? 0)) | 0;
  const slot = (hash ^ (hash >>> 8)) & 0xff;
  const known = SHARED[slot] ?? '';
  if (known.length === length && isText(known, bytes, from)) return known;
  const text = bytes.toString('latin1', from, to);
  SHARED[slot] = text;
  return text;
}

function isText(text: string, bytes: Buffer, from: number): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) !== bytes[from + at]) return false;
  return true;
}
