/**
 * The plain form of an event, read without a YAML parser: what every Psych emits for everything but certificates. Lines of `key: value`, lists of
 * words, lists of small maps; values plain or quoted on one line without escapes. js-yaml takes more than 100 microseconds for the smallest
 * document, which bounds the events a second; this takes five.
 *
 * It may only ever say what js-yaml would say, or nothing: whatever is not plainly of this form goes to js-yaml, errors too. A property test
 * holds the two against each other.
 */
import type { PlainRecord, PlainValue } from './document-types.ts';

/** Beyond it nothing is plain, and regular expressions are kept away from what strangers make large. */
export const MAX_PLAIN_BYTES = 4_096;
/** Nesting that the form can have, as the parser counts it. */
export const PLAIN_DEPTH = 5;
const MAX_KEYS = 64;

const PRINTABLE = /^[\x20-\x7e\n]*$/;
const FIELD = /^(:?[a-z][a-z_]{0,31}):(?: (.*))?$/;
/** Begins like no indicator of YAML and holds none; a symbol is one colon and a word. */
const PLAIN = /^(?::[a-z_]+|[A-Za-z0-9/][A-Za-z0-9_./-]*)$/;
/** Psych 1.2.2 writes `! 'x'`. */
const SINGLE_QUOTED = /^(?:! )?'([^']*)'$/;
const DOUBLE_QUOTED = /^(?:! )?"([^"\\]*)"$/;
const NULL = /^(?:null|Null|NULL)$/;

/** The record, or null where the text is not plainly of this form. */
export function readPlainDocument(text: string): PlainRecord | null {
  if (text.length > MAX_PLAIN_BYTES || !PRINTABLE.test(text)) return null;
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let at = lines[0] === '---' ? 1 : 0;
  if (at === lines.length) return null;
  const record = new Map<string, PlainValue>();
  while (at < lines.length) {
    const field = FIELD.exec(lines[at] ?? '');
    if (field === null) return null;
    at += 1;
    const [, key = '', value = ''] = field;
    const begins = lines[at] ?? '';
    let read: PlainValue | undefined;
    if (value === '' && begins.startsWith('- ')) {
      const list = readList(lines, at);
      if (list === null) return null;
      [read, at] = list;
    } else {
      read = value === '[]' ? [] : scalarOf(value);
    }
    if (read === undefined || !put(record, key, read)) return null;
  }
  return record;
}

/** Items from the line `at` on, and the line behind them. */
function readList(lines: readonly string[], at: number): [PlainValue[], number] | null {
  const items: PlainValue[] = [];
  let line = at;
  while (lines[line]?.startsWith('- ')) {
    const text = lines[line]?.slice(2) ?? '';
    line += 1;
    if (!FIELD.test(text)) {
      const item = scalarOf(text);
      if (item === undefined || text === '') return null;
      items.push(item);
      continue;
    }
    const item = new Map<string, PlainValue>();
    if (!putField(item, text)) return null;
    for (; lines[line]?.startsWith('  '); line += 1)
      if (!putField(item, lines[line]?.slice(2) ?? '')) return null;
    items.push(item);
  }
  return [items, line];
}

function putField(map: Map<string, PlainValue>, text: string): boolean {
  const field = FIELD.exec(text);
  if (field === null) return false;
  const value = scalarOf(field[2] ?? '');
  return value !== undefined && put(map, field[1] ?? '', value);
}

/** False for what js-yaml has something to say about. `:name`, as Ruby writes a symbol, and `name` are one key. */
function put(map: Map<string, PlainValue>, key: string, value: PlainValue): boolean {
  const name = key.startsWith(':') ? key.slice(1) : key;
  if (NULL.test(key) || map.has(name) || map.size === MAX_KEYS) return false;
  map.set(name, value);
  return true;
}

function scalarOf(text: string): string | null | undefined {
  if (text === '') return null;
  if (PLAIN.test(text)) return NULL.test(text) ? null : text;
  return (SINGLE_QUOTED.exec(text) ?? DOUBLE_QUOTED.exec(text))?.[1];
}
