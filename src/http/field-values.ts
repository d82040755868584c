/** Values of the fields that decide how a message is framed and what becomes of its connection, the same in requests and answers. */
import { isToken } from './characters.ts';
import { NOT_CONNECTION_OPTIONS } from './fields.ts';

const LENGTH_DIGITS_LIMIT = 16;

/** Optional blanks around a value removed (RFC 9110 5.5). */
export function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** A Content-Length, or -1: digits only, at most 15 of them (exact in a double). */
export function readLength(value: string): number {
  return value.length > 0 && value.length < LENGTH_DIGITS_LIMIT && /^[0-9]+$/.test(value)
    ? Number(value)
    : -1;
}

/** Whether a Connection field says that and nothing else: a set for it would cost more than the rest of the field. */
export function saysKeepAlive(connection: string): boolean {
  return connection === 'keep-alive' || connection === 'Keep-Alive';
}

/** The options of a Connection field, lower-case; null when one is no token. Empty list members are legal (RFC 9110 5.6.1). */
export function connectionOptions(value: string): ReadonlySet<string> | null {
  const lower = value.toLowerCase();
  if (lower === 'keep-alive' || lower === 'close') return new Set([lower]);
  const options = new Set<string>();
  for (const part of lower.split(',')) {
    const option = trimmed(part, 0, part.length);
    if (option === '') continue;
    if (!isToken(option, 0, option.length)) return null;
    options.add(option);
  }
  return options;
}

/** Which fields a set of connection options takes away. */
export function namedFields(options: ReadonlySet<string>): ReadonlySet<string> {
  const named = new Set<string>();
  for (const option of options) {
    const plain = option === 'close' || option === 'keep-alive' || option === 'upgrade' || option === 'te';
    if (!plain && !NOT_CONNECTION_OPTIONS.has(option)) named.add(option);
  }
  return named;
}
