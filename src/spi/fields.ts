/** The fields of an event, each coerced by its own rule (domain.md 1.1, 1.2): the record holds nothing but text. */
import type { PlainRecord, PlainValue } from './document-types.ts';
import type { AppRef, Mapping, Rejection } from './events.ts';
import { excerpt } from './excerpt.ts';
import { fitsLabel, normalName } from './names.ts';

/** A field's value, or why the whole event is refused. */
export type Field<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rejection: Rejection };

const MAX_LIST_ITEMS = 32;
const MAX_ITEM_LENGTH = 64;
const MAX_MAPPINGS = 64;
const MAX_MAPPING_LENGTH = 1024;
const MAX_PASS_PHRASE_LENGTH = 1024;
const MAX_CARTRIDGE_LENGTH = 255;

export function ok<T>(value: T): Field<T> {
  return { ok: true, value };
}

export function refused<T>(code: string, reason: string): Field<T> {
  return { ok: false, rejection: { code, reason } };
}

/** Text that must be there; quotes nothing of it. */
export function requiredText(record: PlainRecord, name: string): Field<string> {
  const value = record.get(name);
  if (value === undefined || value === null || value === '') {
    return refused('SPI_FIELD_MISSING', `${name} is missing`);
  }
  if (typeof value !== 'string')
    return refused('SPI_FIELD_INVALID', `${name} is ${excerpt(value)}, not text`);
  return ok(value);
}

/** Required text that `normalise` must accept; `what` says what it should have been. */
export function requiredNormal<T>(
  record: PlainRecord,
  name: string,
  code: string,
  what: string,
  normalise: (text: string) => T | null,
): Field<T> {
  const text = requiredText(record, name);
  if (!text.ok) return text;
  const value = normalise(text.value);
  return value === null ? refused(code, `${name} ${excerpt(text.value)} is not ${what}`) : ok(value);
}

/** app_name and namespace, lower-case: endpoint events may carry them in mixed case, alias events never do. */
export function readApp(record: PlainRecord): Field<AppRef> {
  const what = 'made of 1 to 32 letters and digits';
  const appName = requiredNormal(record, 'app_name', 'SPI_NAME_INVALID', what, normalName);
  if (!appName.ok) return appName;
  const namespace = requiredNormal(record, 'namespace', 'SPI_NAME_INVALID', what, normalName);
  if (!namespace.ok) return namespace;
  if (!fitsLabel(appName.value, namespace.value)) {
    return refused('SPI_NAME_INVALID', 'app_name and namespace together do not fit into one DNS label');
  }
  return ok({ appName: appName.value, namespace: namespace.value });
}

/** `true` or `false`; anything else is null, with a note when it was something. */
export function readFlag(record: PlainRecord, name: string, notes: string[]): boolean | null {
  const value = record.get(name);
  if (typeof value === 'string') {
    const word = value.toLowerCase();
    if (word === 'true') return true;
    if (word === 'false') return false;
  }
  if (value !== undefined && value !== null && value !== '')
    notes.push(`${name} is ${excerpt(value)}: not known`);
  return null;
}

/** `public_port_name`, really the cartridge's name-version. Only shown, never a key, so it may be missing. */
export function readCartridge(record: PlainRecord): Field<string> {
  const value = record.get('public_port_name') ?? '';
  if (typeof value !== 'string' || value.length > MAX_CARTRIDGE_LENGTH || /\p{Cc}/u.test(value)) {
    return refused('SPI_FIELD_INVALID', `public_port_name is ${excerpt(value)}, not a cartridge name`);
  }
  return ok(value);
}

/** `protocols` and `types`: lower-case words, each once; null is none. A single word without a list is tolerated. */
export function readWords(record: PlainRecord, name: string): Field<readonly string[]> {
  const value = record.get(name) ?? '';
  const items: readonly PlainValue[] =
    typeof value === 'string' ? (value === '' ? [] : [value]) : listOf(value);
  if (typeof value !== 'string' && !Array.isArray(value)) {
    return refused('SPI_FIELD_INVALID', `${name} is ${excerpt(value)}, not a list`);
  }
  if (items.length > MAX_LIST_ITEMS)
    return refused('SPI_FIELD_INVALID', `${name} has more than ${MAX_LIST_ITEMS} items`);
  const words: string[] = [];
  for (const item of items) {
    if (typeof item !== 'string' || item.length > MAX_ITEM_LENGTH || !/^[\x21-\x7e]+$/.test(item)) {
      return refused('SPI_FIELD_INVALID', `${name} holds ${excerpt(item)}, not a word`);
    }
    const word = item.toLowerCase();
    if (!words.includes(word)) words.push(word);
  }
  return ok(words);
}

/** Null is none (no mapping was ever set), the empty list too (none declared). */
export function readMappings(record: PlainRecord): Field<readonly Mapping[]> {
  const value = record.get('mappings');
  if (value === undefined || value === null || value === '') return ok([]);
  if (!Array.isArray(value) || value.length > MAX_MAPPINGS) {
    return refused('SPI_FIELD_INVALID', `mappings is ${excerpt(value)}, not a list of up to ${MAX_MAPPINGS}`);
  }
  const mappings: Mapping[] = [];
  for (const item of listOf(value)) {
    if (!(item instanceof Map))
      return refused('SPI_FIELD_INVALID', `mappings holds ${excerpt(item)}, not a map`);
    const frontend: PlainValue = item.get('frontend') ?? '';
    const backend: PlainValue = item.get('backend') ?? '';
    if (!isShortText(frontend) || !isShortText(backend)) {
      return refused('SPI_FIELD_INVALID', 'a mapping holds something else than two short texts');
    }
    mappings.push({ frontend, backend });
  }
  return ok(mappings);
}

/** Text, or a list of one (the broker's field is declared as an array); null and '' mean that there is none. */
export function readPassPhrase(record: PlainRecord): Field<string | null> {
  const raw = record.get('pass_phrase') ?? null;
  const value = Array.isArray(raw) && raw.length <= 1 ? (listOf(raw)[0] ?? null) : raw;
  if (value === null || value === '') return ok(null);
  if (typeof value !== 'string') return refused('SPI_FIELD_INVALID', 'pass_phrase is not one text');
  if (value.length > MAX_PASS_PHRASE_LENGTH) return refused('SPI_FIELD_INVALID', 'pass_phrase is too long');
  return ok(value);
}

function listOf(value: PlainValue): readonly PlainValue[] {
  return Array.isArray(value) ? value : [];
}

function isShortText(value: PlainValue): value is string {
  return typeof value === 'string' && value.length <= MAX_MAPPING_LENGTH;
}
