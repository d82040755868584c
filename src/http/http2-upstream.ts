/**
 * Heads between HTTP/1.1 and HTTP/2 towards gears: a request's head becomes a field list, and the field list of an answer is read as strictly
 * as a head of HTTP/1.1 (RFC 9113 8). nghttp2 refuses much of what is refused here; a CR LF that got through would be a field or an answer
 * of its own for a client of HTTP/1.1, so nothing is left to it.
 */
import { ILLEGAL_IN_VALUE, isToken } from './characters.ts';
import { readLength, trimmed } from './field-values.ts';
import { RESPONSE_FIELDS } from './fields.ts';
import { type Http2Fields, http2Fields } from './http2-head.ts';
import type { ResponseHead, ResponseHeadError } from './response-head.ts';

/** Fields of our own heads that HTTP/2 says otherwise or not at all (RFC 9113 8.2.2); what clients sent of these is gone already. */
const NOT_TO_GEARS = /^(?:host|connection|upgrade|transfer-encoding|keep-alive|proxy-connection):/i;

/**
 * The head of a request (latin1 text with its empty line, as it would go out in HTTP/1.1) as the field list that says the same, `te: trailers`
 * added: trailers pass here, and gRPC servers ask for it. An Upgrade is not passed on: HTTP/2 has none, see `makeConnect`.
 */
export function http2Request(head: string, scheme: 'http' | 'https'): Http2Fields {
  const methodEnd = head.indexOf(' ');
  const targetEnd = head.indexOf(' ', methodEnd + 1);
  let at = head.indexOf('\r\n') + 2;
  let authority = '';
  let lines = '';
  for (;;) {
    const end = head.indexOf('\r\n', at);
    if (end <= at) break;
    const line = head.slice(at, end);
    at = end + 2;
    const special = NOT_TO_GEARS.exec(line);
    if (special === null) lines += `${line}\r\n`;
    else if (special[0].length === 5) authority = trimmed(line, 5, line.length);
  }
  const fields = http2Fields(lines);
  fields[':method'] = head.slice(0, methodEnd);
  fields[':scheme'] = scheme;
  fields[':authority'] = authority;
  fields[':path'] = head.slice(methodEnd + 1, targetEnd);
  fields.te = 'trailers';
  return fields;
}

const STATUS = /^[1-5][0-9]{2}$/;
const SWITCHING_PROTOCOLS = 101;

function refuse(code: string, reason: string): ResponseHeadError {
  return { code, reason };
}

/**
 * Reads the field list of an answer, flat `name, value, ...` in latin1 as it was received. `reasons`: what to call a status in the status line
 * of HTTP/1.1, since HTTP/2 has no such phrase.
 */
export function readHttp2Answer(
  raw: readonly string[],
  maxFields: number,
  reasons: Readonly<Record<number, string | undefined>>,
): ResponseHead | ResponseHeadError {
  if (raw.length > 2 * (maxFields + 1))
    return refuse('UPSTREAM_TOO_MANY_FIELDS', `more than ${maxFields} fields`);
  if (raw[0] !== ':status' || !STATUS.test(raw[1] ?? ''))
    return refuse('UPSTREAM_STATUS_LINE', 'the field list does not begin with a status');
  const status = Number(raw[1]);
  // RFC 9113 8.6.
  if (status === SWITCHING_PROTOCOLS) return refuse('UPSTREAM_STATUS_LINE', '101 in HTTP/2');
  const withoutBody = status < 200 || status === 204;
  let kept = '';
  let contentLength = -1;
  for (let index = 2; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    if (ILLEGAL_IN_VALUE.test(value)) return refuse('UPSTREAM_ILLEGAL_BYTE', 'control character in a field');
    // Also what catches a pseudo-field that is unknown, repeated or behind other fields.
    if (!isToken(name, 0, name.length) || name !== name.toLowerCase())
      return refuse('UPSTREAM_FIELD_NAME', 'a field name that is not a lower-case token');
    switch (RESPONSE_FIELDS.get(name)) {
      case undefined:
        kept += `${name}: ${value}\r\n`;
        break;
      case 'length':
        if (contentLength !== -1)
          return refuse('UPSTREAM_LENGTH_REPEATED', 'more than one Content-Length field');
        contentLength = readLength(value);
        if (contentLength < 0)
          return refuse('UPSTREAM_LENGTH_INVALID', 'Content-Length is not a plain decimal number');
        if (!withoutBody) kept += `${name}: ${value}\r\n`;
        break;
      case 'coding':
      case 'connection':
      case 'upgrade':
        return refuse('UPSTREAM_CONNECTION_FIELD', 'a field of HTTP/1.1 connections');
      default:
        if (name === 'keep-alive' || name === 'proxy-connection')
          return refuse('UPSTREAM_CONNECTION_FIELD', 'a field of HTTP/1.1 connections');
        break;
    }
  }
  return {
    status,
    wire: null,
    statusLine: `HTTP/1.1 ${status} ${reasons[status] ?? ''}`,
    kept,
    contentLength,
    chunked: false,
    keepAlive: true,
    upgrade: '',
  };
}
