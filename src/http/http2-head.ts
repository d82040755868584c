/**
 * Field lists of HTTP/2 (RFC 9113 8) to and from the heads of HTTP/1.1. nghttp2 refuses much of what is refused here; it is checked again
 * all the same, since a CR LF that got through would be a request of its own for the gear.
 */
import { ILLEGAL_IN_VALUE, isToken } from './characters.ts';
import { readLength, trimmed } from './field-values.ts';
import { requestFieldRule } from './fields.ts';
import {
  type HeadError,
  type HeadLimits,
  isHeadError,
  type RequestHead,
  splitTarget,
} from './request-head.ts';

export interface Http2HeadLimits extends HeadLimits {
  readonly maxHeadBytes: number;
}

export interface Http2Head extends RequestHead {
  /** `:protocol` of an extended CONNECT (RFC 8441), else ''. */
  readonly protocol: string;
}

/** Methods whose requests say the length of a body even where there is none (RFC 9110 8.6): some gears answer 411 otherwise. */
const SAYS_LENGTH: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

function refuse(code: string, reason: string, status: HeadError['status'] = 400): HeadError {
  return { code, status, reason };
}

/**
 * A request's field list, flat `name, value, ...` in latin1 as it was received, as the head of the HTTP/1.1 request that says the same.
 * `whole`: no body follows.
 */
export function readHttp2Head(
  raw: readonly string[],
  whole: boolean,
  limits: Http2HeadLimits,
): Http2Head | HeadError {
  let method = '';
  let path = '';
  let scheme = '';
  let authority = '';
  let protocol = '';
  let host: string | null = null;
  let cookies = '';
  let lines = '';
  let contentLength = -1;
  let expectContinue = false;
  let userAgent = '';
  let referer = '';
  let size = 0;
  const forwarding: [string, string][] = [];
  if (raw.length > 2 * (limits.maxHeaders + 5)) return tooMany(limits);

  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    size += name.length + value.length + 4;
    if (ILLEGAL_IN_VALUE.test(value)) return refuse('HTTP_ILLEGAL_BYTE', 'control character in a field');
    if (name.charCodeAt(0) === 0x3a) {
      if (name === ':method') method = value;
      else if (name === ':path') path = value;
      else if (name === ':scheme') scheme = value;
      else if (name === ':authority') authority = value;
      else if (name === ':protocol') protocol = value;
      else return refuse('HTTP2_PSEUDO_FIELD', 'unknown pseudo-header field');
      continue;
    }
    if (!isToken(name, 0, name.length) || name !== name.toLowerCase()) {
      return refuse('HTTP_FIELD_NAME', 'a field name that is not a lower-case token');
    }
    if (name === 'cookie') {
      // RFC 9113 8.2.3: crumbs become one field again.
      cookies = cookies === '' ? value : `${cookies}; ${value}`;
      continue;
    }
    switch (requestFieldRule(name)) {
      case 'host':
        if (host !== null) return refuse('HTTP_HOST_REPEATED', 'more than one Host field');
        host = value;
        break;
      case 'length':
        if (contentLength !== -1) return refuse('HTTP_LENGTH_REPEATED', 'more than one Content-Length field');
        contentLength = readLength(value);
        if (contentLength < 0)
          return refuse('HTTP_LENGTH_INVALID', 'Content-Length is not a plain decimal number');
        lines += `${name}: ${value}\r\n`;
        break;
      case 'coding':
      case 'connection':
      case 'upgrade':
        return refuse('HTTP2_CONNECTION_FIELD', 'a field of HTTP/1.1 connections');
      case 'hop':
        if (name === 'keep-alive' || name === 'proxy-connection')
          return refuse('HTTP2_CONNECTION_FIELD', 'a field of HTTP/1.1 connections');
        if (name === 'te' && value.toLowerCase() !== 'trailers')
          return refuse('HTTP2_CONNECTION_FIELD', 'TE other than `trailers`');
        break;
      case 'expect':
        if (value.toLowerCase() !== '100-continue') return refuse('HTTP_EXPECT', 'unknown expectation', 417);
        expectContinue = true;
        lines += `${name}: ${value}\r\n`;
        break;
      case 'forwarding':
        forwarding.push([name, value]);
        break;
      case 'never':
        break;
      case 'seen':
        if (name === 'referer') referer = value;
        else userAgent = value;
        lines += `${name}: ${value}\r\n`;
        break;
      case undefined:
        lines += `${name}: ${value}\r\n`;
        break;
    }
  }
  if (size > limits.maxHeadBytes) {
    return refuse('HTTP_HEAD_TOO_LONG', `the head is above ${limits.maxHeadBytes} bytes`, 431);
  }
  if (!isToken(method, 0, method.length)) return refuse('HTTP_REQUEST_LINE', 'the method is not a token');
  const target = targetOf(protocol === '' ? method : 'GET', path, scheme, limits);
  if (typeof target !== 'string') return target;
  if (protocol !== '' && method !== 'CONNECT')
    return refuse('HTTP2_PSEUDO_FIELD', '`:protocol` is for CONNECT only');
  if (whole && contentLength > 0)
    return refuse('HTTP_LENGTH_INVALID', 'Content-Length of a body that does not come');

  const effective = authority === '' ? (host ?? '') : authority;
  const chunked = protocol === '' && !whole && contentLength < 0;
  if (protocol === '' && whole && contentLength < 0 && SAYS_LENGTH.has(method))
    lines += 'content-length: 0\r\n';
  if (cookies !== '') lines += `cookie: ${cookies}\r\n`;
  return {
    method,
    target,
    minorVersion: 1,
    host: effective,
    // A Host field beside `:authority` has to agree with it; the caller compares normal forms, as for an absolute-form target.
    targetAuthority: authority === '' ? '' : (host ?? ''),
    kept: `host: ${effective}\r\n${lines}`,
    wire: null,
    contentLength,
    chunked,
    keepAlive: true,
    upgrade: '',
    expectContinue,
    forwarding,
    userAgent,
    referer,
    protocol,
  };
}

function tooMany(limits: HeadLimits): HeadError {
  return refuse('HTTP_TOO_MANY_FIELDS', `more than ${limits.maxHeaders} fields`, 431);
}

/** `:path` under the rules of a request target in HTTP/1.1; RFC 9113 8.3.1 knows no absolute form. */
function targetOf(method: string, path: string, scheme: string, limits: HeadLimits): string | HeadError {
  if (method === 'CONNECT')
    return refuse('HTTP_CONNECT', 'CONNECT is not served: this is not a forward proxy', 501);
  if (scheme !== 'https' && scheme !== 'http')
    return refuse('HTTP2_SCHEME', '`:scheme` is not http or https');
  const split = splitTarget(method, path, limits);
  if (isHeadError(split)) return split;
  return split.authority === '' ? split.target : refuse('HTTP_TARGET_FORM', '`:path` is not a path');
}

/** Fields of answers that HTTP/2 has no place for and that are not gone already (RFC 9113 8.2.2), and one that no object holds. */
export const NOT_IN_HTTP2: ReadonlySet<string> = new Set(['http2-settings', 'te', '__proto__']);

/** Fields by lower-case name; repeated ones in order. */
export type Http2Fields = Record<string, string | string[]>;

/** Field lines, each with its CRLF and all valid, as a field list without pseudo-header fields. */
export function http2Fields(lines: string): Http2Fields {
  const fields: Http2Fields = {};
  let at = 0;
  while (at < lines.length) {
    const colon = lines.indexOf(':', at);
    const end = lines.indexOf('\r\n', colon);
    const name = lines.slice(at, colon).toLowerCase();
    const value = trimmed(lines, colon + 1, end);
    at = end + 2;
    if (NOT_IN_HTTP2.has(name)) continue;
    // `constructor` is a name like any other. Not an object without a prototype: those are slower, for every answer.
    const before = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (before === undefined) fields[name] = value;
    else if (typeof before === 'string') fields[name] = [before, value];
    else before.push(value);
  }
  return fields;
}

/**
 * The same with one line a name, `set-cookie` apart: what readers of a repeated field make of it (RFC 9110 5.3). For an HTTP/2 library
 * that will not send `content-type` and others twice.
 */
export function joinedFields(fields: Http2Fields): Http2Fields {
  const joined: Http2Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    joined[name] =
      typeof value === 'string' || name === 'set-cookie' ? value : [...new Set(value)].join(', ');
  }
  return joined;
}

/** A request's trailer fields, flat `name, value, ...`, as lines; null where one is not valid. */
export function http2Trailer(raw: readonly string[]): string | null {
  let lines = '';
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    if (!isToken(name, 0, name.length) || ILLEGAL_IN_VALUE.test(value)) return null;
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}
