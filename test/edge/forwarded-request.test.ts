import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ForwardedRequest } from '../../src/edge/forwarded-request.ts';
import { newContext } from '../../src/edge/start-request.ts';
import { Forwarder } from '../../src/http/forwarding.ts';
import { isHeadError, readRequestHead, scanRequestHead } from '../../src/http/request-head.ts';
import { Pieces } from '../../src/upstream/pieces.ts';

const LIMITS = { maxTargetBytes: 1_000, maxHeaders: 20 };
const FACTS = {
  scheme: 'https',
  peerAddress: '2001:db8::1',
  peerPort: 1,
  port: 443,
  serverName: null,
  client: null,
} as const;

function forwarder(trusted: boolean): Forwarder {
  const downstream = { ...FACTS, trusted, certificateLines: 'X-Forwarded-Client-Cert: Hash=1\r\n' };
  return new Forwarder(downstream, (address) => address === FACTS.peerAddress);
}

function goesOutAs(request: ForwardedRequest): string | null {
  const pieces = new Pieces();
  if (!request.headTo(pieces)) return null;
  const bytes = Buffer.alloc(pieces.size);
  pieces.copyInto(bytes, 0);
  return bytes.toString('latin1');
}

const field = fc.constantFrom(
  'Accept: */*',
  'Connection: keep-alive',
  'Connection: X-Hop',
  'X-Hop: 1',
  'TE: trailers',
  'X-Forwarded-For: 10.0.0.1',
  'Forwarded: for=evil',
  'Transfer-Encoding: chunked',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'User-Agent: x',
  'X_Forwarded_For: twin',
);
const request = fc
  .tuple(
    fc.constantFrom(
      'GET / HTTP/1.1',
      'POST /a?b HTTP/1.1',
      'GET http://a.example/x HTTP/1.1',
      'GET / HTTP/1.0',
    ),
    fc.array(field, { maxLength: 6 }),
    fc.constantFrom('a.example', 'A.Example:8080', 'other.example'),
  )
  .map(([first, fields, host]) => [first, `Host: ${host}`, ...fields, '', ''].join('\r\n'));

describe('a request as it goes upstream', () => {
  it('is the same from the bytes it came in as from its text, request after request of a connection', () => {
    for (const trusted of [false, true]) {
      const [ofBytes, ofText] = [forwarder(trusted), forwarder(trusted)];
      let fromBytes = 0;
      fc.assert(
        fc.property(request, fc.integer({ min: 0, max: 2e15 }), (text, at) => {
          const scanned = scanRequestHead(Buffer.from(`${text}rest`, 'latin1'), LIMITS);
          const read = readRequestHead(text.slice(0, -2), LIMITS);
          if (scanned === null || isHeadError(read)) return;
          const context = { ...newContext(FACTS, 0), startedAtUs: 1e15 + at, host: 'a.example' };
          const again = { ...context };
          const bytes = goesOutAs(new ForwardedRequest(scanned, ofBytes, context));
          const plain = new ForwardedRequest(read, ofText, again);
          assert.equal(goesOutAs(plain), null);
          if (bytes !== null) {
            fromBytes++;
            assert.equal(bytes, plain.head);
          }
          assert.equal(context.clientAddress, again.clientAddress);
          assert.match(plain.head, /^X-Request-Start: t=\d{16}\r$/m);
        }),
      );
      assert.ok(fromBytes > 10, `only ${fromBytes} heads went out that way`);
    }
  });

  it('is text once its bytes may be others’', () => {
    const bytes = Buffer.from('GET /mine HTTP/1.1\r\nHost: a.example\r\n\r\n', 'latin1');
    const head = scanRequestHead(bytes, LIMITS);
    assert.ok(head !== null);
    const context = { ...newContext(FACTS, 0), host: 'a.example' };
    const forwarded = new ForwardedRequest(head, forwarder(false), context);
    forwarded.leaveBytes();
    bytes.fill('x');
    assert.equal(goesOutAs(forwarded), null);
    assert.match(forwarded.head, /^GET \/mine HTTP\/1\.1\r\nHost: a\.example\r\nX-Forwarded-Client-Cert: /);
  });
});
