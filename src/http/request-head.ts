/**
 * A request head, read strictly (RFC 9112) and rewritten in the same pass. Doubt about framing is an error, never a guess:
 * whoever sits behind us might guess differently, and that is request smuggling.
 */
import { hasIllegalBytes, isToken } from './characters.ts';
import { connectionOptions, namedFields, readLength, saysKeepAlive, trimmed } from './field-values.ts';
import { firstLineEnd, LOOK_CLOSER, type WalkEnd } from './field-walk.ts';
import { requestFieldRule, requestWalk } from './fields.ts';
import { HeadBytes } from './head-bytes.ts';

export interface HeadLimits {
  readonly maxTargetBytes: number;
  readonly maxHeaders: number;
}

/** Why a head was refused, and what the client is told. */
export interface HeadError {
  readonly code: string;
  readonly status: 400 | 408 | 414 | 417 | 431 | 501 | 505;
  readonly reason: string;
}

export interface RequestHead {
  readonly method: string;
  /** Origin-form (or `*`), byte for byte as sent; of an absolute-form target the part after the authority. */
  readonly target: string;
  readonly minorVersion: 0 | 1;
  /** As sent; '' where HTTP/1.0 sent none. Whoever finds it just so elsewhere may put that copy here: texts that are one are compared at once. */
  host: string;
  /** Authority of an absolute-form target, or ''. It has to agree with `host`; the caller compares normal forms. */
  readonly targetAuthority: string;
  /** Field lines that pass on, each with its CRLF, in the order and spelling they came in. */
  readonly kept: string;
  /** Body length; -1 when the head does not say one. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** The client's wish for the connection (RFC 9112 9.3). */
  readonly keepAlive: boolean;
  /** Token(s) of an Upgrade that the Connection field names too, else ''. */
  readonly upgrade: string;
  readonly expectContinue: boolean;
  /** Forwarding fields as sent, lower-case name and value; the caller decides whether to believe them. */
  readonly forwarding: readonly (readonly [string, string])[];
  readonly userAgent: string;
  readonly referer: string;
  /**
   * Where request line and `kept` lie in what was read, until the next head is read or the bytes go; null where the head does not go
   * on as it came.
   */
  readonly wire: HeadBytes | null;
}

const VERSION_CHARS = 8;
const BLANK = 0x20;
const HASH = 0x23;
const CR = 0x0d;
const LF = 0x0a;

/** Of the head that was scanned last. */
const scanned = new HeadBytes();

const NONE: readonly (readonly [string, string])[] = [];

function refuse(code: string, reason: string, status: HeadError['status'] = 400): HeadError {
  return { code, status, reason };
}

/**
 * Reads the head that `bytes` begin with, in the fast way: null where it is not whole or anything is wrong with it, which
 * `readRequestHead` then says. `requestWalk.end` is where its empty line begins.
 */
export function scanRequestHead(bytes: Buffer, limits: HeadLimits): RequestHead | null {
  const lineEnd = firstLineEnd(bytes);
  if (lineEnd < 0 || requestWalk.walk(bytes, lineEnd + 2, limits.maxHeaders, false) !== 'whole') return null;
  const text = bytes.toString('latin1', 0, requestWalk.end);
  const head = read({ bytes, text, lineEnd, limits, walked: 'whole', wire: scanned }, null);
  return isHeadError(head) ? null : head;
}

/** Reads a head: latin1 text from the method to the last field's CRLF, without the empty line. */
export function readRequestHead(text: string, limits: HeadLimits): RequestHead | HeadError {
  const bytes = Buffer.from(`${text}\r\n`, 'latin1');
  const lineEnd = bytes.indexOf(CR);
  const end = requestWalk.walk(bytes, lineEnd + 2, limits.maxHeaders, false);
  // An empty line before the text ends: what follows it is no field.
  const walked = end === 'whole' && requestWalk.end < text.length ? 'bad' : end;
  const head = read({ bytes, text, lineEnd, limits, walked, wire: null }, null);
  // An illegal byte stops the walk as something else, or behind something else: it is what is said of the head all the same.
  return isHeadError(head) && hasIllegalBytes(text)
    ? refuse('HTTP_ILLEGAL_BYTE', 'control character, bare CR or bare LF in the head')
    : head;
}

/** Tells the two results apart. */
export function isHeadError<T extends object>(result: T | HeadError): result is HeadError {
  return 'code' in result;
}

/** A head that was walked over: what `requestWalk` noted is of it. */
interface Walked {
  readonly bytes: Buffer;
  readonly text: string;
  readonly lineEnd: number;
  readonly limits: HeadLimits;
  readonly walked: WalkEnd;
  /** Takes down where in `bytes` lies what passes on. */
  readonly wire: HeadBytes | null;
}

function read(walked: Walked, dropped: ReadonlySet<string> | null): RequestHead | HeadError {
  const { text, lineEnd, limits, wire } = walked;
  const method = methodOf(text);
  const targetEnd = text.indexOf(' ', method.length + 1);
  if (method === '' || targetEnd < 0 || targetEnd > lineEnd || text.charCodeAt(lineEnd + 1) !== LF) {
    return refuse('HTTP_REQUEST_LINE', 'the request line is not `METHOD target HTTP/1.1`');
  }
  const isCurrent = lineEnd - targetEnd === VERSION_CHARS + 1 && text.startsWith('HTTP/1.1', targetEnd + 1);
  if (!isCurrent) {
    const version = text.slice(targetEnd + 1, lineEnd);
    if (version !== 'HTTP/1.0') {
      return /^HTTP\/\d\.\d$/.test(version)
        ? refuse('HTTP_VERSION', 'only HTTP/1.1 and HTTP/1.0 are spoken here', 505)
        : refuse('HTTP_REQUEST_LINE', 'the request line does not end in an HTTP version');
    }
  }
  const minorVersion = isCurrent ? 1 : 0;
  const split = splitTarget(method, text.slice(method.length + 1, targetEnd), limits);
  if ('code' in split) return split;

  wire?.begin(walked.bytes, lineEnd + 2);
  let kept = '';
  let runStart = lineEnd + 2;
  let host: string | null = null;
  let contentLength = -1;
  let chunked = false;
  let connection = '';
  let upgrade = '';
  let expectContinue = false;
  let userAgent = '';
  let referer = '';
  let forwarding: [string, string][] | null = null;

  for (let index = 0; index < requestWalk.count; index++) {
    const field = requestWalk.noted[index];
    if (field === undefined) break;
    const { start: lineStart, colon, end } = field;
    let rule = field.rule;
    let name = '';
    if (rule === LOOK_CLOSER || rule === undefined || rule === 'forwarding' || rule === 'seen') {
      name = text.slice(lineStart, colon).toLowerCase();
      if (rule === LOOK_CLOSER) rule = requestFieldRule(name);
      if (rule === undefined && dropped?.has(name) === true) rule = 'hop';
    }
    if (rule !== undefined) {
      const value = trimmed(text, colon + 1, end);
      let keep = false;
      switch (rule) {
        case 'host':
          if (host !== null) return refuse('HTTP_HOST_REPEATED', 'more than one Host field');
          host = value;
          keep = true;
          break;
        case 'length': {
          if (contentLength !== -1)
            return refuse('HTTP_LENGTH_REPEATED', 'more than one Content-Length field');
          contentLength = readLength(value);
          if (contentLength < 0)
            return refuse('HTTP_LENGTH_INVALID', 'Content-Length is not a plain decimal number');
          keep = true;
          break;
        }
        case 'coding':
          if (chunked) return refuse('HTTP_CODING_REPEATED', 'more than one Transfer-Encoding field');
          if (value.toLowerCase() !== 'chunked') {
            return refuse('HTTP_CODING_UNKNOWN', 'Transfer-Encoding other than `chunked`', 501);
          }
          chunked = true;
          break;
        case 'connection':
          connection = connection === '' ? value : `${connection},${value}`;
          break;
        case 'upgrade':
          upgrade = upgrade === '' ? value : `${upgrade}, ${value}`;
          break;
        case 'expect':
          if (value.toLowerCase() !== '100-continue')
            return refuse('HTTP_EXPECT', 'unknown expectation', 417);
          expectContinue = minorVersion === 1;
          keep = expectContinue;
          break;
        case 'forwarding':
          forwarding ??= [];
          forwarding.push([name, value]);
          break;
        case 'seen':
          if (name === 'referer') referer = value;
          else userAgent = value;
          keep = true;
          break;
        case 'hop':
        case 'never':
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
  if (walked.walked === 'too-many') {
    return refuse('HTTP_TOO_MANY_FIELDS', `more than ${limits.maxHeaders} fields`, 431);
  }
  if (walked.walked !== 'whole') {
    return refuse('HTTP_FIELD_NAME', 'a field line does not begin with a field name and a colon');
  }
  if (runStart < text.length) {
    kept += text.slice(runStart);
    wire?.keep(runStart, text.length);
  }
  wire?.finish(text.length);

  if (chunked && contentLength !== -1) {
    return refuse('HTTP_TWO_FRAMINGS', 'Content-Length and Transfer-Encoding together');
  }
  if (chunked && minorVersion === 0)
    return refuse('HTTP_CODING_IN_10', 'Transfer-Encoding in an HTTP/1.0 request');
  if (host === null && minorVersion === 1) return refuse('HTTP_HOST_MISSING', 'no Host field');

  let keepAlive = minorVersion === 1;
  let upgradeNamed = false;
  if (saysKeepAlive(connection)) keepAlive = true;
  else if (connection !== '') {
    const options = connectionOptions(connection);
    if (options === null)
      return refuse('HTTP_CONNECTION_OPTION', 'Connection holds something that is not a token');
    if (options.has('close')) keepAlive = false;
    else if (minorVersion === 0) keepAlive = options.has('keep-alive');
    upgradeNamed = options.has('upgrade');
    // Fields that the client calls hop-by-hop go too; they may stand before the Connection field, hence a second reading.
    const named = namedFields(options);
    if (dropped === null && named.size > 0) {
      requestWalk.walk(walked.bytes, lineEnd + 2, limits.maxHeaders, true);
      return read(walked, named);
    }
  }
  return {
    method,
    target: split.target,
    minorVersion,
    host: host ?? '',
    targetAuthority: split.authority,
    kept,
    contentLength,
    chunked,
    keepAlive,
    upgrade: upgradeNamed && minorVersion === 1 ? upgrade : '',
    expectContinue,
    forwarding: forwarding ?? NONE,
    userAgent,
    referer,
    wire: minorVersion === 1 && split.authority === '' ? wire : null,
  };
}

/** The method, or '' where the head begins with none. The usual ones are constants: cutting one out costs more than comparing it. */
function methodOf(text: string): string {
  for (const method of USUAL_METHODS) {
    if (text.charCodeAt(method.length) === BLANK && text.startsWith(method)) return method;
  }
  const end = text.indexOf(' ');
  return isToken(text, 0, end) ? text.slice(0, end) : '';
}

const USUAL_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'DELETE', 'PATCH'] as const;

const ABSOLUTE = /^https?:\/\/([^/?]*)/i;

/** The target in origin-form (or `*`) and the authority of an absolute-form one. */
export function splitTarget(
  method: string,
  target: string,
  limits: HeadLimits,
): { readonly target: string; readonly authority: string } | HeadError {
  if (target.length > limits.maxTargetBytes) {
    return refuse('HTTP_TARGET_TOO_LONG', `the request target is above ${limits.maxTargetBytes} bytes`, 414);
  }
  if (!isVisible(target)) {
    return refuse('HTTP_TARGET_BYTES', 'the request target holds a fragment, a blank or bytes outside ASCII');
  }
  if (method === 'CONNECT')
    return refuse('HTTP_CONNECT', 'CONNECT is not served: this is not a forward proxy', 501);
  if (target.charCodeAt(0) === 0x2f) return { target, authority: '' };
  if (target === '*') {
    return method === 'OPTIONS'
      ? { target, authority: '' }
      : refuse('HTTP_TARGET_ASTERISK', '`*` is for OPTIONS only');
  }
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null || absolute[1] === '' || absolute[1] === undefined) {
    return refuse('HTTP_TARGET_FORM', 'the request target is neither a path nor an http URL');
  }
  const rest = target.slice(absolute[0].length);
  // RFC 9112 3.2.4: the server as a whole is meant, which only the asterisk says.
  if (rest === '' && method === 'OPTIONS') return { target: '*', authority: absolute[1] };
  return { target: rest.startsWith('/') ? rest : `/${rest}`, authority: absolute[1] };
}

/** Nothing in a request target that RFC 3986 has no place for; browsers send some of `|"{}^`, gears have always got them. */
function isVisible(target: string): boolean {
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code < 0x21 || code > 0x7e || code === HASH) return false;
  }
  return true;
}
