import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { http2Fields, http2Trailer, joinedFields, readHttp2Head } from '../../src/http/http2-head.ts';
import { isHeadError } from '../../src/http/request-head.ts';

const limits = { maxTargetBytes: 1_000, maxHeaders: 20, maxHeadBytes: 4_000 };
const pseudo = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'a.example'];
const read = (raw: readonly string[], whole = true) => readHttp2Head(raw, whole, limits);
const codeOf = (raw: readonly string[], whole = true): string => {
  const head = read(raw, whole);
  return isHeadError(head) ? head.code : '';
};
const replaced = (name: string, value: string): string[] => {
  const raw = [...pseudo];
  raw[raw.indexOf(name) + 1] = value;
  return raw;
};

describe('a request head of HTTP/2', () => {
  it('becomes the head of an HTTP/1.1 request', () => {
    const head = read([...pseudo, 'accept', '*/*', 'cookie', 'a=1', 'x', ' y ', 'cookie', 'b=2'], false);
    assert.ok(!isHeadError(head));
    assert.equal(head.kept, 'host: a.example\r\naccept: */*\r\nx:  y \r\ncookie: a=1; b=2\r\n');
    const { method, target, host, chunked, contentLength } = head;
    assert.deepEqual([method, target, host, chunked, contentLength], ['GET', '/', 'a.example', true, -1]);
  });

  it('takes Host where there is no :authority, and hands both on where there are both', () => {
    const alone = read([...pseudo.slice(0, 6), 'host', 'b.example']);
    assert.ok(!isHeadError(alone));
    assert.deepEqual([alone.host, alone.targetAuthority], ['b.example', '']);
    const both = read([...pseudo, 'host', 'b.example']);
    assert.ok(!isHeadError(both));
    assert.deepEqual(
      [both.host, both.targetAuthority, both.kept],
      ['a.example', 'b.example', 'host: a.example\r\n'],
    );
  });

  const refused: readonly (readonly [string, readonly string[]])[] = [
    ['HTTP_ILLEGAL_BYTE', [...pseudo, 'x', 'a\r\nTransfer-Encoding: chunked']],
    ['HTTP_ILLEGAL_BYTE', [...pseudo, 'x', 'a\nb']],
    ['HTTP_ILLEGAL_BYTE', [...pseudo, 'x', 'a\0b']],
    ['HTTP_ILLEGAL_BYTE', replaced(':path', '/ HTTP/1.1\r\nHost: victim\r\n\r\n')],
    ['HTTP_ILLEGAL_BYTE', replaced(':authority', 'a.example\r\nX: y')],
    ['HTTP_FIELD_NAME', [...pseudo, 'x: y\r\nz', 'a']],
    ['HTTP_FIELD_NAME', [...pseudo, 'Upper', 'a']],
    ['HTTP_FIELD_NAME', [...pseudo, 'a b', 'a']],
    ['HTTP_FIELD_NAME', [...pseudo, '', 'a']],
    ['HTTP_TARGET_BYTES', replaced(':path', '/ HTTP/1.1')],
    ['HTTP_TARGET_BYTES', replaced(':path', '/a#b')],
    ['HTTP_TARGET_BYTES', replaced(':path', '/\xe4')],
    ['HTTP_TARGET_FORM', replaced(':path', 'http://b.example/')],
    ['HTTP_TARGET_FORM', replaced(':path', '')],
    ['HTTP_TARGET_ASTERISK', replaced(':path', '*')],
    ['HTTP_TARGET_TOO_LONG', replaced(':path', `/${'a'.repeat(1_000)}`)],
    ['HTTP_HEAD_TOO_LONG', [...pseudo, 'x', 'y'.repeat(4_000)]],
    ['HTTP_TOO_MANY_FIELDS', [...pseudo, ...Array.from({ length: 25 }, () => ['x', 'y']).flat()]],
    ['HTTP_REQUEST_LINE', replaced(':method', 'GET /x')],
    ['HTTP_REQUEST_LINE', replaced(':method', '')],
    ['HTTP2_SCHEME', replaced(':scheme', 'https://victim/')],
    ['HTTP2_PSEUDO_FIELD', [':method', 'GET', ':status', '200']],
    ['HTTP2_PSEUDO_FIELD', [...pseudo, ':protocol', 'websocket']],
    ['HTTP2_CONNECTION_FIELD', [...pseudo, 'connection', 'close']],
    ['HTTP2_CONNECTION_FIELD', [...pseudo, 'transfer-encoding', 'chunked']],
    ['HTTP2_CONNECTION_FIELD', [...pseudo, 'upgrade', 'websocket']],
    ['HTTP2_CONNECTION_FIELD', [...pseudo, 'keep-alive', 'timeout=1']],
    ['HTTP2_CONNECTION_FIELD', [...pseudo, 'proxy-connection', 'close']],
    ['HTTP2_CONNECTION_FIELD', [...pseudo, 'te', 'gzip']],
    ['HTTP_HOST_REPEATED', [...pseudo, 'host', 'a.example', 'host', 'a.example']],
    ['HTTP_LENGTH_REPEATED', [...pseudo, 'content-length', '1', 'content-length', '1']],
    ['HTTP_LENGTH_INVALID', [...pseudo, 'content-length', '+1']],
    ['HTTP_LENGTH_INVALID', [...pseudo, 'content-length', '5']],
    ['HTTP_EXPECT', [...pseudo, 'expect', 'miracles']],
    ['HTTP_CONNECT', [':method', 'CONNECT', ':authority', 'a.example:443']],
  ];
  for (const [code, raw] of refused) {
    it(`is refused with ${code}: ${JSON.stringify(raw.slice(-2)).slice(0, 60)}`, () => {
      assert.equal(codeOf(raw), code);
    });
  }

  it('yields no line that was not a field of its own, whatever it holds', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'B', ':', ' ', '\r', '\n', '\0', '\t', '-', '\xe9'),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 6 }), (pairs) => {
        const head = read([...pseudo, ...pairs.flat()], false);
        if (isHeadError(head)) return;
        const lines = head.kept.split('\r\n').slice(0, -1);
        assert.equal(lines.length, 1 + pairs.length);
        for (const line of lines) assert.match(line, /^[a-z-]+: [^\r\n\0]*$/);
      }),
    );
  });
});

describe('fields of an answer for HTTP/2', () => {
  it('have lower-case names and values without blanks around them, repeated ones in order', () => {
    const fields = http2Fields('A: 1\r\nb:2\r\nA: \t3 \r\nc:\r\na:4\r\nTE: x\r\nHTTP2-Settings: y\r\n');
    assert.deepEqual(Object.entries(fields), [
      ['a', ['1', '3', '4']],
      ['b', '2'],
      ['c', ''],
    ]);
  });

  it('can be joined, identical ones once, cookies never', () => {
    const joined = joinedFields(http2Fields('a: 1\r\na: 1\r\na: 2\r\nset-cookie: x\r\nset-cookie: x\r\n'));
    assert.deepEqual(Object.entries(joined), [
      ['a', '1, 2'],
      ['set-cookie', ['x', 'x']],
    ]);
  });
});

describe('a trailer of HTTP/2', () => {
  it('becomes field lines; one that is not valid makes it invalid', () => {
    assert.equal(http2Trailer(['a', '1', 'b', '']), 'a: 1\r\nb: \r\n');
    assert.equal(http2Trailer(['a', '1\r\nb: 2']), null);
    assert.equal(http2Trailer(['a b', '1']), null);
    assert.equal(http2Trailer([':status', '200']), null);
  });
});
