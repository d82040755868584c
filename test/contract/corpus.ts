/** Requests written by hand, each with what is odd about it. The last one of each says `Connection: close`, or is no request. */
import { HOST } from '../support/data-plane.ts';

export interface CorpusCase {
  readonly name: string;
  /** Latin1. */
  readonly text: string;
}

const H = `Host: ${HOST}`;
const CLOSE = 'Connection: close';
const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const get = (...fields: string[]): string => head('GET /x HTTP/1.1', H, CLOSE, ...fields);
const post = (fields: readonly string[], body: string): string =>
  head('POST /x HTTP/1.1', H, CLOSE, ...fields) + body;
const chunked = (body: string): string => post(['Transfer-Encoding: chunked'], body);
const target = (text: string, method = 'GET'): string => head(`${method} ${text} HTTP/1.1`, H, CLOSE);
const host = (text: string): string => head('GET /x HTTP/1.1', `Host: ${text}`, CLOSE);
const HIDDEN = head('GET /hidden HTTP/1.1', H, CLOSE);
const HIDDEN_CHUNK = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

const TEXTS: Readonly<Record<string, string>> = {
  'a plain GET': get(),
  'two pipelined': head('GET /1 HTTP/1.1', H) + get(),
  'three pipelined, one with a body': `${head('GET /1 HTTP/1.1', H) + head('PUT /2 HTTP/1.1', H, 'Content-Length: 2')}ab${get()}`,
  'an empty line before': `\r\n${get()}`,
  'an empty line between': `${head('POST /1 HTTP/1.1', H, 'Content-Length: 1')}a\r\n${get()}`,
  'a body of known length': post(['Content-Length: 5'], 'hello'),
  'an empty body': post(['Content-Length: 0'], ''),
  'a body on GET': `${head('GET /x HTTP/1.1', H, CLOSE, 'Content-Length: 5')}hello`,
  'a body that is a request, on GET':
    head('GET /x HTTP/1.1', H, CLOSE, `Content-Length: ${HIDDEN.length}`) + HIDDEN,
  'a chunked body on DELETE':
    head('DELETE /x HTTP/1.1', H, CLOSE, 'Transfer-Encoding: chunked') + HIDDEN_CHUNK,
  'a chunked body on OPTIONS':
    head('OPTIONS /x HTTP/1.1', H, CLOSE, 'Transfer-Encoding: chunked') + HIDDEN_CHUNK,
  'length and coding': post(['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
  'coding and length': post(
    ['Transfer-Encoding: chunked', `Content-Length: ${HIDDEN.length + 5}`],
    `0\r\n\r\n${HIDDEN}`,
  ),
  'the same length twice': post(['Content-Length: 5', 'Content-Length: 5'], 'hello'),
  'two lengths': post(['Content-Length: 5', 'Content-Length: 6'], 'hello!'),
  'a list of lengths': post(['Content-Length: 5, 5'], 'hello'),
  'a signed length': post(['Content-Length: +5'], 'hello'),
  'a negative length': post(['Content-Length: -5'], 'hello'),
  'a hexadecimal length': post(['Content-Length: 0x5'], 'hello'),
  'an overflowing length': post(['Content-Length: 18446744073709551621'], 'hello'),
  'an empty length': post(['Content-Length:'], 'hello'),
  'a length with zeros before it': post(['Content-Length: 0005'], 'hello'),
  'a blank before the colon of the length': post(['Content-Length : 5'], 'hello'),
  'a folded length': post(['Content-Length:\r\n 5'], 'hello'),
  'chunked, capital': post(['Transfer-Encoding: CHUNKED'], '2\r\nab\r\n0\r\n\r\n'),
  xchunked: post(['Transfer-Encoding: xchunked'], '2\r\nab\r\n0\r\n\r\n'),
  identity: post(['Transfer-Encoding: identity', 'Content-Length: 2'], 'ab'),
  'gzip, chunked': post(['Transfer-Encoding: gzip, chunked'], '2\r\nab\r\n0\r\n\r\n'),
  'chunked, chunked': post(['Transfer-Encoding: chunked, chunked'], '2\r\nab\r\n0\r\n\r\n'),
  'chunked twice': post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '2\r\nab\r\n0\r\n\r\n'),
  'chunked behind a vertical tab': post(['Transfer-Encoding: \x0bchunked'], '0\r\n\r\n'),
  'coding with _': post(['Transfer_Encoding: chunked', 'Content-Length: 2'], 'ab'),
  'coding behind a bare LF': post(['X: y\nTransfer-Encoding: chunked', 'Content-Length: 2'], 'ab'),
  'coding behind a bare CR': post(['X: y\rTransfer-Encoding: chunked', 'Content-Length: 2'], 'ab'),
  chunks: chunked('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n'),
  'chunk extensions': chunked('5;a=b;c\r\nhello\r\n0;x="y"\r\n\r\n'),
  'a chunk extension with a bare LF': chunked('5;a\nhello\r\n0\r\n\r\n'),
  'a trailer': chunked('1\r\na\r\n0\r\nX-T: 1\r\n\r\n'),
  'a trailer that frames': chunked(`1\r\na\r\n0\r\nContent-Length: ${HIDDEN.length}\r\n\r\n`),
  'a chunk size with a blank after it': chunked('5 \r\nhello\r\n0\r\n\r\n'),
  'a chunk size with a blank before it': chunked(' 5\r\nhello\r\n0\r\n\r\n'),
  'a chunk size with a sign': chunked('+5\r\nhello\r\n0\r\n\r\n'),
  'a chunk size with 0x': chunked('0x5\r\nhello\r\n0\r\n\r\n'),
  'a chunk size that overflows': chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'),
  'a chunk size with zeros before it': chunked('0000000005\r\nhello\r\n0\r\n\r\n'),
  'chunk lines that end in LF': chunked('5\nhello\n0\n\n'),
  'a chunk longer than it said': chunked('4\r\nhello\r\n0\r\n\r\n'),
  'a chunk that ends in two bytes that are no CRLF': chunked('5\r\nhelloxx0\r\n\r\n'),
  'an empty chunk size': chunked('\r\nhello\r\n0\r\n\r\n'),
  'a body cut short': post(['Content-Length: 50'], 'hello'),
  'chunks cut short': chunked('5\r\nhel'),
  'a field named twice': get('X-A: 1', 'X-A: 2'),
  'an empty value': get('X-A:'),
  'blanks around a value': get('X-A: \t b \t '),
  'bytes above ASCII in a value': get('X-A: \xe4\xff'),
  'a NUL in a value': get('X-A: a\0b'),
  'a folded field': get('X-A: a', ' b'),
  'an empty name': get(': a'),
  'no colon': get('X-A'),
  'a name with a blank': get('X A: b'),
  'a name with a bracket': get('X(A): b'),
  'a first field that begins with a blank': head('GET /x HTTP/1.1', ` ${H}`, CLOSE),
  'lines that end in LF': `GET /x HTTP/1.1\n${H}\n${CLOSE}\n\n`,
  'a last line that ends in LF CR LF': `GET /x HTTP/1.1\r\n${H}\r\n${CLOSE}\n\r\n`,
  'Connection names Host': get('Connection: Host'),
  'Connection names Content-Length': post(['Content-Length: 2', 'Connection: Content-Length'], 'ab'),
  'Connection holds no token': get('Connection: (x)'),
  'Upgrade without Connection': get('Upgrade: websocket'),
  'Upgrade to h2c': head('GET /x HTTP/1.1', H, 'Connection: close, Upgrade', 'Upgrade: h2c'),
  'an upgrade with a body':
    head('POST /x HTTP/1.1', H, 'Connection: close, Upgrade', 'Upgrade: websocket', 'Content-Length: 5') +
    'hello',
  'Expect 100-continue': post(['Content-Length: 2', 'Expect: 100-continue'], 'ab'),
  'Expect something else': post(['Content-Length: 2', 'Expect: 200-ok'], 'ab'),
  HEAD: target('/x', 'HEAD'),
  'an asterisk': target('*', 'OPTIONS'),
  'an asterisk with GET': target('*'),
  'an absolute target': target(`http://${HOST}/y?z`),
  'an absolute target without a path': target(`http://${HOST}`),
  'an absolute target for another host': target('http://other.test/y'),
  'an absolute target with a user': target(`http://me@${HOST}/y`),
  'an absolute target with a broken bracket': target('http://[::/'),
  'an absolute target with a zone': target('http://[fe80::a%25eth0]/'),
  'another scheme': target(`ftp://${HOST}/y`),
  CONNECT: target(`${HOST}:80`, 'CONNECT'),
  'a target without a slash': target('x'),
  'doubled slashes and dots': target('//a//b/../c/./d'),
  escapes: target('/%2e%2e%2f%00%zz'),
  'bytes that no URL has': target('/a|b{c}^"<>\\`'),
  'a byte above ASCII in the target': target('/\xe4'),
  'a fragment': target('/a#b'),
  'a blank in the target': target('/a b'),
  'a tab before the version': `GET /x\tHTTP/1.1\r\n${H}\r\n${CLOSE}\r\n\r\n`,
  'two blanks in the request line': `GET  /x HTTP/1.1\r\n${H}\r\n${CLOSE}\r\n\r\n`,
  'a long target': target(`/${'a'.repeat(5_000)}`),
  'a method in small letters': target('/x', 'get'),
  'an unheard-of method': target('/x', 'UNHEARD-OF'),
  TRACE: target('/x', 'TRACE'),
  'HTTP/1.0': head('GET /x HTTP/1.0', H),
  'HTTP/1.0 without Host': head('GET /x HTTP/1.0'),
  'HTTP/1.0 that keeps the connection':
    head('GET /1 HTTP/1.0', H, 'Connection: keep-alive') + head('GET /2 HTTP/1.0', H),
  'HTTP/1.0 with a coding': `${head('POST /x HTTP/1.0', H, 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  'HTTP/1.2': head('GET /x HTTP/1.2', H, CLOSE),
  'HTTP/2.0': head('GET /x HTTP/2.0', H, CLOSE),
  'HTTP/0.9': 'GET /x\r\n\r\n',
  'HTTP/01.1': head('GET /x HTTP/01.1', H, CLOSE),
  'http/1.1': head('GET /x http/1.1', H, CLOSE),
  RTSP: head('GET /x RTSP/1.0', H, CLOSE),
  ICE: head('SOURCE /x ICE/1.0', H, CLOSE),
  'no Host': head('GET /x HTTP/1.1', CLOSE),
  'an empty Host': host(''),
  'two Hosts': get('Host: other.test'),
  'the same Host twice': get(H),
  'a Host with a port': host(`${HOST}:8080`),
  'a Host in capitals with a dot at its end': host(`${HOST.toUpperCase()}.`),
  'a Host with a port out of range': host(`${HOST}:99999`),
  'a Host with two ports': host(`${HOST}:80:80`),
  'a Host with a user': host(`me@${HOST}`),
  'a Host with a path': host(`${HOST}/x`),
  'a Host with a blank': host(`${HOST} x`),
  'a Host with a comma': host(`${HOST},other.test`),
  'another Host': host('other.test'),
  'a request after close': get() + HIDDEN,
  'a request behind rubbish': `\x16\x03\x01\r\n\r\n${HIDDEN}`,
  'a request behind a refused one': post(['Content-Length: 5', 'Content-Length: 6'], 'hello') + HIDDEN,
};

export const CORPUS: readonly CorpusCase[] = Object.entries(TEXTS).map(([name, text]) => ({ name, text }));
