/** A gear's response head, read as strictly as a request's: what is doubtful here could split a response there (RFC 9112 6, 11.1). */
import { hasIllegalBytes } from './characters.ts';
import { connectionOptions, namedFields, readLength, saysKeepAlive, trimmed } from './field-values.ts';
import { firstLineEnd, LOOK_CLOSER, VALUE, type WalkEnd } from './field-walk.ts';
import { responseWalk } from './fields.ts';
import { HeadBytes } from './head-bytes.ts';
import { readPlainResponseHead } from './plain-response-head.ts';

export interface ResponseHead {
  readonly status: number;
  /** `HTTP/1.1 200 OK` without its CRLF: the minor version is ours, the rest as sent. */
  readonly statusLine: string;
  /** Field lines that pass on, each with its CRLF. */
  readonly kept: string;
  readonly contentLength: number;
  readonly chunked: boolean;
  /** Whether the gear keeps the connection. */
  readonly keepAlive: boolean;
  /** Upgrade tokens of a 101, else ''. */
  readonly upgrade: string;
  /**
   * Where status line and `kept` lie in what was read, for as long as the sink is told of the head; null where the head does not go on
   * as it came.
   */
  readonly wire: HeadBytes | null;
}

/** The head with other field lines. */
export function withKept(head: ResponseHead, kept: string): ResponseHead {
  const { status, statusLine, contentLength, chunked, keepAlive, upgrade } = head;
  return { status, statusLine, kept, contentLength, chunked, keepAlive, upgrade, wire: null };
}

/** Why a response head was refused. */
export interface ResponseHeadError {
  readonly code: string;
  readonly reason: string;
}

// `HTTP/1.1 200 OK`
const MINOR_AT = 7;
const STATUS_AT = 9;
const REASON_AT = 12;
const BLANK = 0x20;
const ZERO = 0x30;
const ONE = 0x31;
const CR = 0x0d;
const LF = 0x0a;

/** Of the head that was scanned last. */
const scanned = new HeadBytes();

function refuse(code: string, reason: string): ResponseHeadError {
  return { code, reason };
}

/**
 * Reads the head that `bytes` begin with, in the fast way: null where it is not whole or anything is wrong with it, which
 * `readResponseHead` then says. `responseWalk.end` is where its empty line begins.
 */
export function scanResponseHead(bytes: Buffer, maxHeaders: number): ResponseHead | null {
  const lineEnd = firstLineEnd(bytes);
  if (lineEnd < 0 || responseWalk.walk(bytes, lineEnd + 2, maxHeaders, false) !== 'whole') return null;
  const plain = readPlainResponseHead(bytes, lineEnd, scanned);
  if (plain !== null) return plain;
  const text = bytes.toString('latin1', 0, responseWalk.end);
  const head = read({ bytes, text, lineEnd, maxHeaders, walked: 'whole', wire: scanned }, null);
  return 'code' in head ? null : head;
}

/** Reads a head: latin1 text from `HTTP/` to the last field's CRLF, without the empty line. */
export function readResponseHead(text: string, maxHeaders: number): ResponseHead | ResponseHeadError {
  const bytes = Buffer.from(`${text}\r\n`, 'latin1');
  const lineEnd = bytes.indexOf(CR);
  const end = responseWalk.walk(bytes, lineEnd + 2, maxHeaders, false);
  // An empty line before the text ends: what follows it is no field.
  const walked = end === 'whole' && responseWalk.end < text.length ? 'bad' : end;
  const head = read({ bytes, text, lineEnd, maxHeaders, walked, wire: null }, null);
  // An illegal byte stops the walk as something else, or behind something else: it is what is said of the head all the same.
  return 'code' in head && hasIllegalBytes(text)
    ? refuse('UPSTREAM_ILLEGAL_BYTE', 'control character, bare CR or bare LF in the head')
    : head;
}

/** A head that was walked over: what `responseWalk` noted is of it. */
interface Walked {
  readonly bytes: Buffer;
  readonly text: string;
  readonly lineEnd: number;
  readonly maxHeaders: number;
  readonly walked: WalkEnd;
  /** Takes down where in `bytes` lies what passes on. */
  readonly wire: HeadBytes | null;
}

function read(head: Walked, dropped: ReadonlySet<string> | null): ResponseHead | ResponseHeadError {
  const { text, lineEnd, wire } = head;
  if (endOfStatusLine(text) !== lineEnd) {
    return refuse('UPSTREAM_STATUS_LINE', 'the status line is not `HTTP/1.1 200 Reason`');
  }
  const minorVersion = text.charCodeAt(MINOR_AT) === ONE ? 1 : 0;
  const status =
    100 * digitAt(text, STATUS_AT) + 10 * digitAt(text, STATUS_AT + 1) + digitAt(text, STATUS_AT + 2);
  const withoutBody = status < 200 || status === 204;

  wire?.begin(head.bytes, lineEnd + 2);
  let kept = '';
  let runStart = lineEnd + 2;
  let contentLength = -1;
  let chunked = false;
  let connection = '';
  let upgrade = '';
  for (let index = 0; index < responseWalk.count; index++) {
    const field = responseWalk.noted[index];
    if (field === undefined) break;
    const { start: lineStart, colon, end } = field;
    // Names that gears fold are nobody's business on the way back.
    let rule = field.rule === LOOK_CLOSER ? undefined : field.rule;
    if (rule === undefined && dropped?.has(text.slice(lineStart, colon).toLowerCase()) === true) rule = 'hop';
    if (rule !== undefined) {
      const value = trimmed(text, colon + 1, end);
      let keep = false;
      switch (rule) {
        case 'length':
          if (contentLength !== -1)
            return refuse('UPSTREAM_LENGTH_REPEATED', 'more than one Content-Length field');
          contentLength = readLength(value);
          if (contentLength < 0)
            return refuse('UPSTREAM_LENGTH_INVALID', 'Content-Length is not a plain decimal number');
          // RFC 9110 8.6: none in 1xx and 204; a client could read the next response as its body.
          keep = !withoutBody;
          break;
        case 'coding':
          if (chunked || value.toLowerCase() !== 'chunked') {
            return refuse('UPSTREAM_CODING', 'Transfer-Encoding other than one `chunked`');
          }
          chunked = true;
          break;
        case 'connection':
          connection = connection === '' ? value : `${connection},${value}`;
          break;
        case 'upgrade':
          upgrade = value;
          // Outside a 101 it offers an upgrade to a later request: hop-by-hop.
          break;
        default:
          break;
      }
      if (!keep) {
        if (runStart < lineStart) {
          kept += text.slice(runStart, lineStart);
          wire?.keep(runStart, lineStart);
        }
        runStart = end + 2;
      }
    }
  }
  if (head.walked === 'too-many') {
    return refuse('UPSTREAM_TOO_MANY_FIELDS', `more than ${head.maxHeaders} fields`);
  }
  if (head.walked !== 'whole') {
    return refuse('UPSTREAM_FIELD_NAME', 'a field line does not begin with a field name and a colon');
  }
  if (runStart < text.length) {
    kept += text.slice(runStart);
    wire?.keep(runStart, text.length);
  }
  wire?.finish(text.length);

  if (chunked && (contentLength !== -1 || minorVersion === 0)) {
    return refuse(
      'UPSTREAM_TWO_FRAMINGS',
      'Content-Length and Transfer-Encoding together, or chunked from HTTP/1.0',
    );
  }
  let keepAlive = minorVersion === 1;
  if (saysKeepAlive(connection)) keepAlive = true;
  else if (connection !== '') {
    const options = connectionOptions(connection);
    if (options === null)
      return refuse('UPSTREAM_CONNECTION_OPTION', 'Connection holds something that is not a token');
    if (options.has('close')) keepAlive = false;
    else if (minorVersion === 0) keepAlive = options.has('keep-alive');
    const named = namedFields(options);
    if (dropped === null && named.size > 0) {
      responseWalk.walk(head.bytes, lineEnd + 2, head.maxHeaders, true);
      return read(head, named);
    }
  }
  const reason = lineEnd > REASON_AT ? text.slice(REASON_AT, lineEnd) : ' ';
  const statusLine = minorVersion === 1 ? text.slice(0, lineEnd) : `HTTP/1.1 ${status}${reason}`;
  return {
    status,
    statusLine,
    kept,
    contentLength,
    chunked,
    keepAlive,
    upgrade,
    wire: minorVersion === 1 ? wire : null,
  };
}

function digitAt(text: string, at: number): number {
  return text.charCodeAt(at) - ZERO;
}

/** Index of the status line's CR, or -1 where it is none that can be trusted. The reason and the blank before it may be missing. */
function endOfStatusLine(text: string): number {
  if (!text.startsWith('HTTP/1.')) return -1;
  const minor = digitAt(text, MINOR_AT);
  const [first, second, third] = [
    digitAt(text, STATUS_AT),
    digitAt(text, STATUS_AT + 1),
    digitAt(text, STATUS_AT + 2),
  ];
  if (minor !== 0 && minor !== 1) return -1;
  if (text.charCodeAt(STATUS_AT - 1) !== BLANK) return -1;
  if (!(first >= 1 && first <= 9 && second >= 0 && second <= 9 && third >= 0 && third <= 9)) return -1;
  let at = REASON_AT;
  if (text.charCodeAt(at) === BLANK) while (at < text.length && VALUE[text.charCodeAt(at)] === 1) at++;
  return text.charCodeAt(at) === CR && text.charCodeAt(at + 1) === LF ? at : -1;
}
