import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { http2Request, readHttp2Answer } from '../../src/http/http2-upstream.ts';
import { readResponseHead } from '../../src/http/response-head.ts';

const read = (...raw: string[]) => readHttp2Answer(raw, 10, STATUS_CODES);
const codeOf = (...raw: string[]): string => {
  const head = read(...raw);
  return 'code' in head ? head.code : `${head.status}`;
};

describe('the field list of an answer', () => {
  it('becomes the head that says the same in HTTP/1.1', () => {
    const head = read(
      ':status',
      '404',
      'content-type',
      'text/html',
      'set-cookie',
      'a=1',
      'set-cookie',
      'b=2',
    );
    assert.ok(!('code' in head));
    assert.equal(head.statusLine, 'HTTP/1.1 404 Not Found');
    assert.equal(head.kept, 'content-type: text/html\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n');
    assert.deepEqual([head.contentLength, head.chunked, head.keepAlive], [-1, false, true]);
  });

  const refused: readonly (readonly [string, string[], string])[] = [
    ['no status', ['a', 'b'], 'UPSTREAM_STATUS_LINE'],
    ['an empty list', [], 'UPSTREAM_STATUS_LINE'],
    ['a status behind fields', ['a', 'b', ':status', '200'], 'UPSTREAM_STATUS_LINE'],
    ['two statuses', [':status', '200', ':status', '200'], 'UPSTREAM_FIELD_NAME'],
    ['a status that is no number', [':status', '2 0'], 'UPSTREAM_STATUS_LINE'],
    ['status 000', [':status', '000'], 'UPSTREAM_STATUS_LINE'],
    ['status 600', [':status', '600'], 'UPSTREAM_STATUS_LINE'],
    ['101', [':status', '101'], 'UPSTREAM_STATUS_LINE'],
    ['a pseudo-field of requests', [':status', '200', ':path', '/'], 'UPSTREAM_FIELD_NAME'],
    ['an upper-case name', [':status', '200', 'Name', 'x'], 'UPSTREAM_FIELD_NAME'],
    ['a name with a blank', [':status', '200', 'a b', 'x'], 'UPSTREAM_FIELD_NAME'],
    ['a name with CR LF', [':status', '200', 'a\r\nb', 'x'], 'UPSTREAM_FIELD_NAME'],
    ['an empty name', [':status', '200', '', 'x'], 'UPSTREAM_FIELD_NAME'],
    ['CR LF in a value', [':status', '200', 'a', 'x\r\nset-cookie: y'], 'UPSTREAM_ILLEGAL_BYTE'],
    ['a bare CR in a value', [':status', '200', 'a', 'x\ry'], 'UPSTREAM_ILLEGAL_BYTE'],
    ['NUL in a value', [':status', '200', 'a', 'x\0'], 'UPSTREAM_ILLEGAL_BYTE'],
    ['Connection', [':status', '200', 'connection', 'close'], 'UPSTREAM_CONNECTION_FIELD'],
    ['Keep-Alive', [':status', '200', 'keep-alive', '1'], 'UPSTREAM_CONNECTION_FIELD'],
    ['Proxy-Connection', [':status', '200', 'proxy-connection', 'x'], 'UPSTREAM_CONNECTION_FIELD'],
    ['Transfer-Encoding', [':status', '200', 'transfer-encoding', 'chunked'], 'UPSTREAM_CONNECTION_FIELD'],
    ['Upgrade', [':status', '200', 'upgrade', 'h2c'], 'UPSTREAM_CONNECTION_FIELD'],
    [
      'two lengths',
      [':status', '200', 'content-length', '1', 'content-length', '1'],
      'UPSTREAM_LENGTH_REPEATED',
    ],
    ['a length with a sign', [':status', '200', 'content-length', '+1'], 'UPSTREAM_LENGTH_INVALID'],
    [
      'too many fields',
      [':status', '200', ...Array.from({ length: 22 }, () => 'a')],
      'UPSTREAM_TOO_MANY_FIELDS',
    ],
  ];
  for (const [what, raw, code] of refused) {
    it(`is refused with ${what}`, () => assert.equal(codeOf(...raw), code));
  }

  it('loses what is ours to say and what ends here', () => {
    const head = read(':status', '204', 'headgear-failure', 'X', 'trailer', 'a', 'content-length', '3');
    assert.ok(!('code' in head));
    assert.equal(head.kept, '');
  });

  it('never reads otherwise in HTTP/1.1 than it was understood, whatever it holds', () => {
    const texts = fc.string({
      unit: fc.constantFrom('a', 'b', ':', '-', ' ', '\r', '\n', '\0', '\t', 'é', '1'),
    });
    const names = fc.oneof(
      texts,
      fc.constantFrom('content-length', 'connection', 'transfer-encoding', 'x-a', 'te'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(names, texts), { maxLength: 8 }), (fields) => {
        const head = readHttp2Answer([':status', '200', ...fields.flat()], 10, STATUS_CODES);
        if ('code' in head) return;
        const again = readResponseHead(`${head.statusLine}\r\n${head.kept}`, 10);
        assert.ok(!('code' in again), JSON.stringify([fields, again]));
        assert.deepEqual(
          [again.status, again.kept, again.contentLength, again.chunked],
          [200, head.kept, head.contentLength, false],
        );
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a request towards a gear of HTTP/2', () => {
  it('says the same as its head of HTTP/1.1', () => {
    const head =
      'POST /a?b=c HTTP/1.1\r\nHost: a.test:80\r\nContent-Type: application/grpc\r\nX-Two: 1\r\nX-Two: 2\r\nTransfer-Encoding: chunked\r\n\r\n';
    assert.deepEqual(http2Request(head, 'https'), {
      ':method': 'POST',
      ':scheme': 'https',
      ':authority': 'a.test:80',
      ':path': '/a?b=c',
      'content-type': 'application/grpc',
      'x-two': ['1', '2'],
      te: 'trailers',
    });
  });

  it('leaves out an upgrade, which HTTP/2 has none of, and keeps `OPTIONS *`', () => {
    const head = 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    assert.deepEqual(http2Request(head, 'http'), {
      ':method': 'OPTIONS',
      ':scheme': 'http',
      ':authority': 'a',
      ':path': '*',
      te: 'trailers',
    });
  });
});
