import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isHeadError, type RequestHead, readRequestHead } from '../../src/http/request-head.ts';

const LIMITS = { maxTargetBytes: 200, maxHeaders: 20 };
const read = (...lines: string[]): ReturnType<typeof readRequestHead> =>
  readRequestHead(`${lines.join('\r\n')}\r\n`, LIMITS);
const good = (...lines: string[]): RequestHead => {
  const head = read(...lines);
  assert.ok(!isHeadError(head), JSON.stringify(head));
  return head;
};
const codeOf = (...lines: string[]): string => {
  const head = read(...lines);
  return isHeadError(head) ? head.code : 'accepted';
};
const H = 'Host: a.example';

describe('a request head', () => {
  it('is read into its parts, and unowned fields are kept as sent', () => {
    const head = good('POST /x?y HTTP/1.1', H, 'A:1', 'Content-Length: 12', 'b:  2 ');
    assert.equal(head.method, 'POST');
    assert.equal(head.target, '/x?y');
    assert.equal(head.contentLength, 12);
    assert.equal(head.kept, 'Host: a.example\r\nA:1\r\nContent-Length: 12\r\nb:  2 \r\n');
    assert.equal(head.keepAlive, true);
  });

  const attacks: readonly (readonly [string, string, readonly string[]])[] = [
    [
      'Content-Length with Transfer-Encoding',
      'HTTP_TWO_FRAMINGS',
      [H, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ],
    ['repeated Content-Length', 'HTTP_LENGTH_REPEATED', [H, 'Content-Length: 5', 'Content-Length: 5']],
    ['a list as Content-Length', 'HTTP_LENGTH_INVALID', [H, 'Content-Length: 5, 5']],
    ['a signed Content-Length', 'HTTP_LENGTH_INVALID', [H, 'Content-Length: +5']],
    ['a hexadecimal Content-Length', 'HTTP_LENGTH_INVALID', [H, 'Content-Length: 0x5']],
    ['an overflowing Content-Length', 'HTTP_LENGTH_INVALID', [H, 'Content-Length: 99999999999999999999']],
    ['an empty Content-Length', 'HTTP_LENGTH_INVALID', [H, 'Content-Length:']],
    ['a blank within Content-Length', 'HTTP_LENGTH_INVALID', [H, 'Content-Length: 1 2']],
    ['gzip as coding', 'HTTP_CODING_UNKNOWN', [H, 'Transfer-Encoding: gzip, chunked']],
    ['chunked not last', 'HTTP_CODING_UNKNOWN', [H, 'Transfer-Encoding: chunked, gzip']],
    [
      'chunked twice',
      'HTTP_CODING_REPEATED',
      [H, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ],
    ['an odd spelling of chunked', 'HTTP_CODING_UNKNOWN', [H, 'Transfer-Encoding: xchunked']],
    ['a quoted coding', 'HTTP_CODING_UNKNOWN', [H, 'Transfer-Encoding: "chunked"']],
    ['vertical tab before chunked', 'HTTP_ILLEGAL_BYTE', [H, 'Transfer-Encoding: \x0bchunked']],
    ['a blank before the colon', 'HTTP_FIELD_NAME', [H, 'Content-Length : 5']],
    ['a tab before the colon', 'HTTP_FIELD_NAME', [H, 'Transfer-Encoding\t: chunked']],
    ['obs-fold', 'HTTP_FIELD_NAME', [H, 'A: 1', ' chunked']],
    ['a first line that begins with a blank', 'HTTP_FIELD_NAME', [' Transfer-Encoding: chunked', H]],
    ['an empty field name', 'HTTP_FIELD_NAME', [H, ': x']],
    ['a line without a colon', 'HTTP_FIELD_NAME', [H, 'GET / HTTP/1.1']],
    ['a non-token name', 'HTTP_FIELD_NAME', [H, 'Foo(bar): x']],
    ['a name outside ASCII', 'HTTP_FIELD_NAME', [H, 'Transfer\xadEncoding: chunked']],
    ['NUL', 'HTTP_ILLEGAL_BYTE', [H, 'A: b\0c']],
    ['a bare CR', 'HTTP_ILLEGAL_BYTE', [H, 'A: b\rContent-Length: 5']],
    ['a bare LF', 'HTTP_ILLEGAL_BYTE', [H, 'A: b\nContent-Length: 5']],
    ['two Hosts', 'HTTP_HOST_REPEATED', [H, H]],
    ['no Host', 'HTTP_HOST_MISSING', ['A: b']],
    ['an unknown expectation', 'HTTP_EXPECT', [H, 'Expect: tea']],
    ['a Connection option that is no token', 'HTTP_CONNECTION_OPTION', [H, 'Connection: close, a b']],
    [
      'too many fields',
      'HTTP_TOO_MANY_FIELDS',
      [H, ...Array.from({ length: 20 }, (_, index) => `A${index}: 1`)],
    ],
  ];
  for (const [what, code, lines] of attacks) {
    it(`is refused for ${what}`, () => assert.equal(codeOf('POST / HTTP/1.1', ...lines), code));
  }

  const lines: readonly (readonly [string, string, string])[] = [
    ['two blanks', 'GET  / HTTP/1.1', 'HTTP_REQUEST_LINE'],
    ['a tab', 'GET\t/ HTTP/1.1', 'HTTP_REQUEST_LINE'],
    ['a trailing blank', 'GET / HTTP/1.1 ', 'HTTP_REQUEST_LINE'],
    ['no version', 'GET /', 'HTTP_REQUEST_LINE'],
    ['another protocol', 'GET / RTSP/1.0', 'HTTP_REQUEST_LINE'],
    ['HTTP/2.0', 'PRI * HTTP/2.0', 'HTTP_VERSION'],
    ['a lower-case version', 'GET / http/1.1', 'HTTP_REQUEST_LINE'],
    ['a method that is no token', 'G(T / HTTP/1.1', 'HTTP_REQUEST_LINE'],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1', 'HTTP_CONNECT'],
    ['an asterisk with GET', 'GET * HTTP/1.1', 'HTTP_TARGET_ASTERISK'],
    ['a relative target', 'GET x HTTP/1.1', 'HTTP_TARGET_FORM'],
    ['another scheme', 'GET ftp://a/ HTTP/1.1', 'HTTP_TARGET_FORM'],
    ['an absolute target without authority', 'GET http:///x HTTP/1.1', 'HTTP_TARGET_FORM'],
    ['a fragment', 'GET /a#b HTTP/1.1', 'HTTP_TARGET_BYTES'],
    ['bytes outside ASCII', 'GET /\xe4 HTTP/1.1', 'HTTP_TARGET_BYTES'],
    ['a target that is too long', `GET /${'x'.repeat(200)} HTTP/1.1`, 'HTTP_TARGET_TOO_LONG'],
  ];
  for (const [what, line, code] of lines) {
    it(`is refused for a request line with ${what}`, () => assert.equal(codeOf(line, H), code));
  }

  it('loses chunked in HTTP/1.0', () =>
    assert.equal(codeOf('POST / HTTP/1.0', 'Transfer-Encoding: chunked'), 'HTTP_CODING_IN_10'));

  it('in absolute form gives the target behind the authority, unchanged', () => {
    const head = good('GET http://a.example:80?x HTTP/1.1', H);
    assert.equal(head.target, '/?x');
    assert.equal(head.targetAuthority, 'a.example:80');
  });

  it('keeps OPTIONS *', () => assert.equal(good('OPTIONS * HTTP/1.1', H).target, '*'));

  it('does not let Connection take framing, Host or Cookie away', () => {
    const head = good(
      'POST / HTTP/1.1',
      H,
      'Content-Length: 5',
      'Cookie: a',
      'X: b',
      'Connection: Content-Length, Host, Cookie, X',
    );
    assert.equal(head.kept, 'Host: a.example\r\nContent-Length: 5\r\nCookie: a\r\n');
    assert.equal(head.contentLength, 5);
  });

  it('never throws, and never keeps a line that it should not, whatever the bytes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '\r\n',
        ':',
        ' ',
        'Host: a',
        'Content-Length: 1',
        'Transfer-Encoding: chunked',
        'X-Forwarded-For: 1',
        '\t',
        '\0',
        '\n',
        '\r',
      ),
      fc.string({ maxLength: 8, unit: 'binary' }).map((text) => Buffer.from(text).toString('latin1')),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const head = readRequestHead(`GET / HTTP/1.1\r\nHost: a\r\n${pieces.join('')}\r\n`, LIMITS);
        if (isHeadError(head)) return;
        for (const line of head.kept.split('\r\n')) {
          assert.ok(!/^(transfer-encoding|x-forwarded-for|connection)\s*:/i.test(line), line);
          assert.ok(!/[\r\n\0]/.test(line));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
