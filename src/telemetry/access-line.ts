/**
 * One line of the access log, from a request context. Pure, and on the hot path: plain concatenation, nothing allocated
 * that is not part of the line.
 *
 * Fields are separated by one blank, always all of them, in this order:
 *
 *     time client method host "target" protocol status bytesIn bytesOut durationMs upstreamMs app endpoint attempts failure "user-agent" "referer"
 *
 * - `time`: start of the request, UTC, ISO 8601 with milliseconds
 * - `client`: address of the client (IPv6 without brackets)
 * - `bytesIn`, `bytesOut`: body bytes
 * - `durationMs`: from the first byte of the request to the last of the answer; `upstreamMs`: to the first byte of the
 *   gear's answer; both in milliseconds with three decimals
 * - `app`: `namespace/app`; `endpoint`: `address:port` of the last endpoint tried; `failure`: stable code
 * - a value that is not there is `-` (also within quotes)
 *
 * Whatever a client sent cannot end a field or a line: in every field each byte that is not printable ASCII, each `"` and
 * each `\` is written as `\xNN`, and so is a blank outside of quotes. A value that was cut ends in `\...`.
 */
import { isoMilliseconds } from './epoch-text.ts';
import type { RequestContext } from './request-context.ts';

const MAX_TARGET_CHARS = 4_096;
const MAX_HEADER_CHARS = 1_024;
/** Only short values are remembered, and few: clients choose them, and a piece of a head may keep the whole head alive. */
const MAX_REMEMBERED_CHARS = 256;
const MAX_REMEMBERED = 512;

const UNSAFE_QUOTED = /[^ !#-[\]-~]/;
const UNSAFE_BARE = /[^!#-[\]-~]/;
const UNSAFE_QUOTED_ALL = /[^ !#-[\]-~]/g;
const UNSAFE_BARE_ALL = /[^!#-[\]-~]/g;

/** `.000` to `.999` with the blank that follows; ` 0 ` to ` 599 `. */
const FRACTIONS: readonly string[] = Array.from(
  { length: 1_000 },
  (_, n) => `.${String(n).padStart(3, '0')} `,
);
const STATUSES: readonly string[] = Array.from({ length: 600 }, (_, n) => ` ${n} `);

const FIRST_ATTEMPT_WENT_WELL = '1 - ';

// Looking a value up that was seen before (address, host, agent) costs a third of scanning it for unsafe characters.
const bareSeen = new Map<string, string>();
const quotedSeen = new Map<string, string>();
let lastHeader = '';
let lastHeaderText = '"-"';

/** The line of one request, with its line feed. `durationUs` in microseconds. ASCII only. */
export function accessLine(context: RequestContext, durationUs: number): string {
  const upstreamUs = context.upstreamFirstByteUs;
  return (
    isoMilliseconds(context.startedAtUs) +
    ' ' +
    bare(context.clientAddress) +
    bare(context.method) +
    bare(context.host) +
    target(context.target) +
    context.protocol +
    (STATUSES[context.status] ?? ` ${context.status} `) +
    (context.bytesIn === 0 ? '0 ' : `${context.bytesIn} `) +
    context.bytesOut +
    ' ' +
    milliseconds(durationUs) +
    (upstreamUs > 0 ? milliseconds(upstreamUs) : '- ') +
    bare(context.app) +
    bare(context.endpoint) +
    (context.attempts === 1 && context.failure === ''
      ? FIRST_ATTEMPT_WENT_WELL
      : `${context.attempts} ${bare(context.failure)}`) +
    header(context.userAgent) +
    ' ' +
    header(context.referer) +
    '\n'
  );
}

function milliseconds(us: number): string {
  const whole = Math.floor(us / 1_000);
  return whole + (FRACTIONS[Math.floor(us - whole * 1_000)] ?? ' ');
}

/** A value outside of quotes, with the blank after it. */
function bare(value: string): string {
  const seen = bareSeen.get(value);
  if (seen !== undefined) return seen;
  const safe = value !== '' && !UNSAFE_BARE.test(value) && value.length <= MAX_HEADER_CHARS;
  const text = safe ? `${value} ` : `${cut(value, MAX_HEADER_CHARS, UNSAFE_BARE_ALL)} `;
  return remember(bareSeen, value, text);
}

/** Targets differ from request to request: never remembered. */
function target(value: string): string {
  const safe = value !== '' && value.length <= MAX_TARGET_CHARS && !UNSAFE_QUOTED.test(value);
  return safe ? `"${value}" ` : `"${cut(value, MAX_TARGET_CHARS, UNSAFE_QUOTED_ALL)}" `;
}

function header(value: string): string {
  if (value === '') return '"-"';
  // Comparing with the last one is cheaper than hashing a long value that was cut out of a head a moment ago.
  if (value === lastHeader) return lastHeaderText;
  lastHeader = value;
  lastHeaderText = quoted(value);
  return lastHeaderText;
}

function quoted(value: string): string {
  const seen = quotedSeen.get(value);
  if (seen !== undefined) return seen;
  const safe = value.length <= MAX_HEADER_CHARS && !UNSAFE_QUOTED.test(value);
  const text = safe ? `"${value}"` : `"${cut(value, MAX_HEADER_CHARS, UNSAFE_QUOTED_ALL)}"`;
  return remember(quotedSeen, value, text);
}

function remember(seen: Map<string, string>, value: string, text: string): string {
  if (value.length > MAX_REMEMBERED_CHARS) return text;
  if (seen.size >= MAX_REMEMBERED) seen.clear();
  seen.set(value, text);
  return text;
}

function cut(value: string, maxChars: number, unsafe: RegExp): string {
  if (value === '') return '-';
  if (value.length <= maxChars) return value.replace(unsafe, escapeCharacter);
  return `${value.slice(0, maxChars).replace(unsafe, escapeCharacter)}\\...`;
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  // Heads are read as latin1, so a code above 255 can only come from elsewhere.
  if (code > 0xff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\x${code.toString(16).padStart(2, '0')}`;
}
