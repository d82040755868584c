/**
 * The walk over a head's field lines: one pass over its bytes, in which names and values are checked, known names recognised and the
 * end of the head found. Searching for the end, the line ends, the colons and for illegal bytes one after another, and lower-casing
 * every name to look it up, cost two to three times as much (`npm run bench -- head-read`).
 */

import { TOKEN } from './characters.ts';

/** Of a byte in a name: none, a letter, digit or hyphen, or another token character, which gears may fold (fields.ts). */
const NOT_IN_NAME = 0;
const PLAIN = 1;
const FOLDS = 2;

const NAME = Uint8Array.from({ length: 256 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[0-9A-Za-z-]/.test(character)) return PLAIN;
  return TOKEN[code] === 1 ? FOLDS : NOT_IN_NAME;
});
/** 1 for what a field value may hold: HTAB, blank, visible ASCII, obs-text (RFC 9110 5.5). */
export const VALUE = Uint8Array.from({ length: 256 }, (_, code) =>
  code === 0x09 || (code >= 0x20 && code !== 0x7f) ? 1 : 0,
);

const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
/** Makes a capital letter small and leaves digits and the hyphen as they are. */
const LOWER = 0x20;
const LETTER_BITS = 5;
const LETTER_MASK = 0x1f;

/** How a walk ended: behind the empty line, at a line that cannot be trusted, at more fields than allowed, or where the bytes end. */
export type WalkEnd = 'whole' | 'bad' | 'too-many' | 'more';

/** A rule for names that gears may fold onto others, and for those that a prefix alone decides: whoever walks looks closer. */
export const LOOK_CLOSER = 'look-closer';

interface KnownName<Rule> {
  readonly bytes: Uint8Array;
  readonly rule: Rule;
}

/** Known names by length and first letter: most other names are ruled out by one look, without being cut out of the head. */
export class NameTable<Rule> {
  readonly #slots: (KnownName<Rule>[] | undefined)[];
  readonly #prefix: Uint8Array;

  /** Lower-case names of letters, digits and hyphens; `prefix`: names that begin so are worth a closer look ('' for none). */
  constructor(names: ReadonlyMap<string, Rule>, prefix: string) {
    const longest = Math.max(...[...names.keys()].map((name) => name.length));
    this.#slots = new Array((longest + 1) << LETTER_BITS).fill(undefined);
    this.#prefix = Buffer.from(prefix, 'latin1');
    for (const [name, rule] of names) {
      const slot = (name.length << LETTER_BITS) | (name.charCodeAt(0) & LETTER_MASK);
      const known = this.#slots[slot] ?? [];
      known.push({ bytes: Buffer.from(name, 'latin1'), rule });
      this.#slots[slot] = known;
    }
  }

  /** The rule of the name in `bytes[start, end)`, whatever its case. */
  match(bytes: Uint8Array, start: number, end: number): Rule | typeof LOOK_CLOSER | undefined {
    const slot = ((end - start) << LETTER_BITS) | ((bytes[start] ?? 0) & LETTER_MASK);
    const candidates = slot < this.#slots.length ? this.#slots[slot] : undefined;
    if (candidates !== undefined) {
      for (const candidate of candidates) if (isNamed(bytes, start, candidate.bytes)) return candidate.rule;
    }
    const prefix = this.#prefix;
    return prefix.length > 0 && end - start >= prefix.length && isNamed(bytes, start, prefix)
      ? LOOK_CLOSER
      : undefined;
  }
}

/** Most first lines end within it: a call out of JavaScript costs more than looking at that many bytes. */
const NEAR_BYTES = 64;

/** Index of the first CR, or -1. */
export function firstLineEnd(bytes: Buffer): number {
  const near = Math.min(NEAR_BYTES, bytes.length);
  for (let at = 0; at < near; at++) if (bytes[at] === CR) return at;
  return bytes.indexOf(CR, near);
}

function isNamed(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index++) {
    if (((bytes[start + index] ?? 0) | LOWER) !== name[index]) return false;
  }
  return true;
}

/** A field line that the walk found worth noting. */
export interface NotedField<Rule> {
  /** Of the line: its first byte, its colon, its CR. */
  start: number;
  colon: number;
  end: number;
  rule: Rule | typeof LOOK_CLOSER | undefined;
}

/** The walker of one kind of head. Used from head to head, so that a head costs no allocation here. */
export class FieldWalk<Rule> {
  readonly #table: NameTable<Rule>;
  /** The first `count` are of this head. */
  readonly noted: NotedField<Rule>[] = [];
  count = 0;
  /** Where the empty line begins, once the end is `whole`. */
  end = 0;

  constructor(table: NameTable<Rule>) {
    this.#table = table;
  }

  /** Walks over the field lines from `at`. `all`: notes also those that nobody knows. */
  walk(bytes: Uint8Array, from: number, maxFields: number, all: boolean): WalkEnd {
    const length = bytes.length;
    let fields = 0;
    let at = from;
    this.count = 0;
    for (;;) {
      const start = at;
      let kinds = 0;
      for (; at < length; at++) {
        const kind = NAME[bytes[at] ?? 0];
        if (kind === NOT_IN_NAME || kind === undefined) break;
        kinds |= kind;
      }
      if (at === start) {
        // Without a name: the empty line, or obs-fold, which begins with a blank.
        if (at >= length || (bytes[at] === CR && at + 1 >= length)) return 'more';
        if (bytes[at] !== CR || bytes[at + 1] !== LF) return 'bad';
        this.end = start;
        return 'whole';
      }
      if (at === length) return 'more';
      if (++fields > maxFields) return 'too-many';
      // Also a blank before the colon.
      if (bytes[at] !== COLON) return 'bad';
      const colon = at++;
      while (at < length && VALUE[bytes[at] ?? 0] === 1) at++;
      if (at + 1 >= length) return at === length || bytes[at] === CR ? 'more' : 'bad';
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return 'bad';
      const rule = (kinds & FOLDS) !== 0 ? LOOK_CLOSER : this.#table.match(bytes, start, colon);
      if (rule !== undefined || all) this.#note(start, colon, at, rule);
      at += 2;
    }
  }

  #note(start: number, colon: number, end: number, rule: NotedField<Rule>['rule']): void {
    const noted = this.noted[this.count++];
    if (noted === undefined) {
      this.noted.push({ start, colon, end, rule });
      return;
    }
    noted.start = start;
    noted.colon = colon;
    noted.end = end;
    noted.rule = rule;
  }
}
