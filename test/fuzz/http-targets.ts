/** The parsers of HTTP/1.1 under the fuzzer. */
import assert from 'node:assert/strict';
import { Http1Input } from '../../src/edge/http1-input.ts';
import { ChunkedDecoder, passableTrailer } from '../../src/http/chunked.ts';
import { isHeadError, type RequestHead, readRequestHead } from '../../src/http/request-head.ts';
import { type ResponseHead, withKept } from '../../src/http/response-head.ts';
import { ResponseReader } from '../../src/upstream/response-reader.ts';
import type { ResponseSink } from '../../src/upstream/sink.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { buffers } from './mutate.ts';

const PIECES = buffers(
  '\r\n',
  '\r\n\r\n',
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '"',
  '\x7f',
  '\xe4',
  '\x0b',
  'Host: a.example\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'content-length:\t7 \r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, X-Hop, upgrade\r\n',
  'Upgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'X-Forwarded-For: 1.2.3.4\r\n',
  'X_Forwarded.For: 1.2.3.4\r\n',
  'X-OpenShift-Host: b\r\n',
  'X-Hop: 1\r\n',
  ' folded\r\n',
  'GET / HTTP/1.1\r\n',
  'POST http://a.example/x HTTP/1.1\r\n',
  'OPTIONS * HTTP/1.1\r\n',
  'PUT /y HTTP/1.0\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n',
  'HTTP/1.1 304 Not Modified\r\n',
  '0\r\n\r\n',
  '0\r\nX-Sum: 1\r\n\r\n',
  '5\r\nhello\r\n',
  '5;a="b"\r\nhello\r\n',
  'ffffffffffffffff\r\n',
  '00000000000000005\r\n',
  'hello',
  `X: ${'y'.repeat(3_000)}\r\n`,
);

const REQUESTS = buffers(
  'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n',
  'GET /a%20b?c=d&e HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n',
  'POST /form HTTP/1.1\r\nHost: a.example\r\nContent-Type: x\r\nContent-Length: 5\r\n\r\n',
  'POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n',
  'GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
  'GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n',
  'GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n',
  '\r\nOPTIONS * HTTP/1.1\r\nHost: a.example\r\nCookie: GEAR=x; y=z\r\nX-Forwarded-Proto: https\r\n\r\n',
);

const CHUNKED = buffers(
  '5\r\nhello\r\n6;note=1\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n',
  `${'1\r\nx\r\n'.repeat(50)}0\r\n\r\n`,
  `800\r\n${'z'.repeat(2_048)}\r\n3\r\nabc\r\n7d0\r\n${'q'.repeat(2_000)}\r\n0\r\n\r\n`,
  '0\r\n\r\nGET / HTTP/1.1\r\n',
);

const RESPONSES = buffers(
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end',
  'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: "x"\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx',
);

const LIMITS = { maxHeadBytes: 2_000, maxTargetBytes: 500, maxHeaders: 30 };
const HOP =
  /^(?:transfer-encoding|connection|keep-alive|upgrade|trailer|proxy-connection|proxy-authenticate)$/;
const NOT_FROM_CLIENTS =
  /^(?:te|proxy|proxy-authorization|http2-settings|x-forwarded-.*|forwarded|x-client-ip|x-real-ip|x-openshift-host|x-request-start)$/;
const NOT_FROM_GEARS = /^headgear-failure$/;

/** What must hold of every head that is let through, whatever came in. */
function checkKept(kept: string, forbidden: RegExp): void {
  const lines = kept.split('\r\n');
  assert.equal(lines.pop(), '');
  let lengths = 0;
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    assert.match(line, /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/, 'a line that is no field');
    assert.doesNotMatch(name, HOP);
    assert.doesNotMatch(forbidden === NOT_FROM_GEARS ? name : name.replaceAll(/[^a-z0-9]/g, '-'), forbidden);
    if (name === 'content-length') lengths++;
  }
  assert.ok(lengths <= 1, 'two lengths');
}

function checkRequest(head: RequestHead): void {
  if (head.wire !== null)
    assert.equal(head.wire.text, `${head.method} ${head.target} HTTP/1.1\r\n${head.kept}`);
  checkKept(head.kept, NOT_FROM_CLIENTS);
  assert.ok(!(head.chunked && head.contentLength >= 0), 'two framings');
  assert.match(head.target, /^(?:\/[\x21-\x7e]*|\*)$/);
  // What goes on is accepted again, and is then itself: nobody behind us can read it in another way than we do.
  const again = readRequestHead(
    `${head.method} ${head.target} HTTP/1.${head.minorVersion}\r\n${head.kept}`,
    LIMITS,
  );
  assert.ok(!isHeadError(again));
  assert.equal(again.kept, head.kept);
  assert.equal(again.contentLength, head.contentLength);
  assert.equal(again.host, head.host);
}

export const requestHeadTarget: FuzzTarget = {
  name: 'request heads',
  corpus: { messages: REQUESTS, pieces: PIECES },
  read(pieces) {
    const input = new Http1Input();
    const seen: unknown[] = [];
    for (const piece of pieces) {
      input.push(piece);
      for (;;) {
        const head = input.takeHead(LIMITS);
        if (head === null) break;
        if (isHeadError(head)) return JSON.stringify([...seen, head.code, head.status]);
        checkRequest(head);
        seen.push({ ...head, wire: null });
      }
      assert.ok(input.length < LIMITS.maxHeadBytes + 4, 'more is gathered than a head may have');
    }
    return JSON.stringify([...seen, input.length]);
  },
};

export const chunkedTarget: FuzzTarget = {
  name: 'chunked bodies',
  corpus: { messages: CHUNKED, pieces: PIECES },
  read(pieces) {
    const decoder = new ChunkedDecoder();
    const out: Buffer[] = [];
    let taken = 0;
    let given = 0;
    for (const piece of pieces) {
      const slices: Buffer[] = [];
      taken += decoder.feed(piece, 0, slices);
      given += piece.length;
      assert.ok(slices.length <= 2 + piece.length / 512, 'many small slices');
      for (const slice of slices) {
        assert.ok(slice.length > 0, 'an empty slice');
        out.push(Buffer.from(slice));
      }
      if (decoder.done || decoder.error !== '') break;
      assert.equal(taken, given, 'bytes left although the body goes on');
    }
    if (decoder.done) checkKept(passableTrailer(decoder.trailer), NOT_FROM_CLIENTS);
    // Behind an error nothing counts: the connection closes.
    return JSON.stringify([
      decoder.error,
      decoder.done ? [taken, decoder.trailer] : null,
      Buffer.concat(out).toString('latin1'),
    ]);
  },
};

export const responseTarget: FuzzTarget = {
  name: 'answers of gears',
  corpus: { messages: RESPONSES, pieces: PIECES },
  read(pieces, variant) {
    const reader = new ResponseReader();
    const seen: unknown[] = [];
    const body: Buffer[] = [];
    let heads = 0;
    const checked = (head: ResponseHead): ResponseHead => {
      if (head.wire !== null) assert.equal(head.wire.text, `${head.statusLine}\r\n${head.kept}`);
      checkKept(head.kept, NOT_FROM_GEARS);
      assert.match(head.statusLine, /^HTTP\/1\.1 [1-9][0-9]{2}(?: [^\r\n\0]*)?$/);
      return withKept(head, head.kept);
    };
    const sink: Pick<ResponseSink, 'onInterim' | 'onHead' | 'onBody'> = {
      onInterim: (head) => void seen.push('interim', checked(head)),
      onHead(head, bodyless) {
        assert.equal(++heads, 1, 'two heads');
        seen.push('head', checked(head), bodyless);
      },
      onBody(view, start, end) {
        assert.ok(end > start);
        body.push(Buffer.from(view.subarray(start, end)));
      },
    };
    reader.begin(variant % 3 === 0, variant % 2 === 0 ? 'websocket' : null);
    let result = 'more';
    for (const piece of pieces) {
      result = reader.read(piece, sink as ResponseSink);
      if (result !== 'more') break;
    }
    const { unanswered, endsWithConnection, failure, detail } = reader;
    const end =
      result === 'failed'
        ? [failure, detail]
        : result === 'whole'
          ? [reader.keepAlive, reader.trailer]
          : [unanswered, endsWithConnection];
    return JSON.stringify([result, ...end, ...seen, Buffer.concat(body).toString('latin1')]);
  },
};
