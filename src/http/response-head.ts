/** A gear's response head, read as strictly as a request's: what is doubtful here could split a response there (RFC 9112 6, 11.1). */
import { hasIllegalBytes, isToken } from './characters.ts';
import { type FieldRule, RESPONSE_FIELDS } from './fields.ts';
import { connectionOptions, namedFields, readLength, trimmed } from './request-head.ts';

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
}

/** Why a response head was refused. */
export interface ResponseHeadError {
  readonly code: string;
  readonly reason: string;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: (.*))?$/;

function refuse(code: string, reason: string): ResponseHeadError {
  return { code, reason };
}

/** Reads a head: latin1 text from `HTTP/` to the last field's CRLF, without the empty line. */
export function readResponseHead(text: string, maxHeaders: number): ResponseHead | ResponseHeadError {
  return read(text, maxHeaders, null);
}

function read(
  text: string,
  maxHeaders: number,
  dropped: ReadonlySet<string> | null,
): ResponseHead | ResponseHeadError {
  if (hasIllegalBytes(text))
    return refuse('UPSTREAM_ILLEGAL_BYTE', 'control character, bare CR or bare LF in the head');
  const lineEnd = text.indexOf('\r\n');
  const statusText = text.slice(0, lineEnd);
  const match = STATUS_LINE.exec(statusText);
  if (match === null) return refuse('UPSTREAM_STATUS_LINE', 'the status line is not `HTTP/1.1 200 Reason`');
  const minorVersion = match[1] === '1' ? 1 : 0;
  const status = Number(match[2]);
  const withoutBody = status < 200 || status === 204;

  let kept = '';
  let runStart = lineEnd + 2;
  let contentLength = -1;
  let chunked = false;
  let connection = '';
  let upgrade = '';
  let count = 0;
  let lineStart = runStart;
  while (lineStart < text.length) {
    const end = text.indexOf('\r\n', lineStart);
    if (++count > maxHeaders) return refuse('UPSTREAM_TOO_MANY_FIELDS', `more than ${maxHeaders} fields`);
    const colon = text.indexOf(':', lineStart);
    if (colon < 0 || colon > end || !isToken(text, lineStart, colon)) {
      return refuse('UPSTREAM_FIELD_NAME', 'a field line does not begin with a field name and a colon');
    }
    const name = text.slice(lineStart, colon).toLowerCase();
    let rule: FieldRule | undefined = RESPONSE_FIELDS.get(name);
    if (rule === undefined && dropped?.has(name) === true) rule = 'hop';
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
        if (runStart < lineStart) kept += text.slice(runStart, lineStart);
        runStart = end + 2;
      }
    }
    lineStart = end + 2;
  }
  if (runStart < text.length) kept += text.slice(runStart);

  if (chunked && (contentLength !== -1 || minorVersion === 0)) {
    return refuse(
      'UPSTREAM_TWO_FRAMINGS',
      'Content-Length and Transfer-Encoding together, or chunked from HTTP/1.0',
    );
  }
  let keepAlive = minorVersion === 1;
  if (connection !== '') {
    const options = connectionOptions(connection);
    if (options === null)
      return refuse('UPSTREAM_CONNECTION_OPTION', 'Connection holds something that is not a token');
    if (options.has('close')) keepAlive = false;
    else if (minorVersion === 0) keepAlive = options.has('keep-alive');
    const named = namedFields(options);
    if (dropped === null && named.size > 0) return read(text, maxHeaders, named);
  }
  const statusLine = minorVersion === 1 ? statusText : `HTTP/1.1 ${match[2]} ${match[3] ?? ''}`;
  return { status, statusLine, kept, contentLength, chunked, keepAlive, upgrade };
}
