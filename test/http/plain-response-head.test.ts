import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readResponseHead, scanResponseHead, withKept } from '../../src/http/response-head.ts';

const MAX_HEADERS = 8;

const line = fc.oneof(
  fc.constantFrom(
    'Content-Length: 5',
    'content-length:5',
    'Content-Length: 5 ',
    'Content-Length: +5',
    'Content-Length: 1234567890123456',
    'Transfer-Encoding: chunked',
    'TRANSFER-ENCODING: Chunked',
    'Transfer-Encoding: gzip, chunked',
    'Connection: keep-alive',
    'connection: Keep-Alive',
    'Connection: close',
    'Connection: keep-alive, X-Hop',
    'X-Hop: 1',
    'Keep-Alive: timeout=5',
    'Headgear-Failure: NO_ENDPOINT',
    'Upgrade: h2c',
    'x_y: 1',
    'Set-Cookie: a=b',
    'Date: Thu, 01 Jan 1970 00:00:00 GMT',
    'Bad Name: 1',
    'Line: feed\nin it',
  ),
  fc.string({ maxLength: 12 }).map((value) => `X: ${value.replaceAll(/[\r\n]/g, '')}`),
);
const status = fc.oneof(
  fc.constantFrom('200 OK', '404 Not Found', '204 No Content', '304 Not Modified', '100 Continue', '101 X'),
  fc.constantFrom('200', '200 ', '999 X', '099 X', '20 OK', '2000 OK', '200 O\tK', '200 O\u0000K', '200OK'),
);
const head = fc
  .tuple(
    fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'http/1.1'),
    status,
    fc.array(line, { maxLength: 9 }),
  )
  .map(([version, rest, lines]) => [`${version} ${rest}`, ...lines, ''].join('\r\n'));

describe('a response head that is read from its bytes alone', () => {
  it('says what the same head says that is read as text, and takes none that is refused there', () => {
    let plain = 0;
    fc.assert(
      fc.property(head, (text) => {
        const scanned = scanResponseHead(Buffer.from(`${text}\r\nbody`, 'latin1'), MAX_HEADERS);
        if (scanned === null) return;
        if (scanned.wire !== null) {
          plain++;
          assert.equal(scanned.wire.text, `${scanned.statusLine}\r\n${scanned.kept}`);
        }
        const read = readResponseHead(text, MAX_HEADERS);
        assert.ok(!('code' in read), JSON.stringify(read));
        assert.deepEqual(withKept(scanned, scanned.kept), read);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(plain > 100, `only ${plain} heads were read that way`);
  });

  it('says nothing any more once its bytes are others’', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\nSet-Cookie: mine\r\n\r\n', 'latin1');
    const scanned = scanResponseHead(bytes, MAX_HEADERS);
    scanned?.wire?.leave();
    bytes.fill('x');
    assert.equal(scanned?.kept, '');
    assert.equal(scanned?.statusLine, '');
  });
});
