/** Gears of HTTP/2 that break, refuse, stall or lie; most of it as raw frames, which node:http2 would never send. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type Collected, collectingSink, startUpstream, type Upstream } from '../support/collecting-sink.ts';
import { endpointAt } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { CODE, FLAG, FRAME, fieldBlock, frame, headers, settings, uint32 } from '../support/http2-frames.ts';
import { startHttp2Gear, startRawHttp2Gear } from '../support/http2-gear.ts';

const OK = [[':status', '200']] as const;
const MAX_CONCURRENT_STREAMS = 3;
/** Of RFC 9113, where nobody says another. */
const WINDOW_BYTES = 65_535;
const reset = (stream: number, code: number): Buffer => frame(FRAME.reset, 0, stream, uint32(code));
const goaway = (last: number, code: number): Buffer =>
  frame(FRAME.goaway, 0, 0, Buffer.concat([uint32(last), uint32(code)]));

describe('a gear of HTTP/2 at fault', () => {
  let upstream: Upstream = startUpstream();
  const toStop: { stop(): Promise<void> }[] = [];
  const open = (...options: Parameters<typeof startUpstream>): void => {
    upstream.close();
    upstream = startUpstream(...options);
  };
  afterEach(async () => {
    upstream.close();
    upstream = startUpstream();
    for (const part of toStop.splice(0)) await part.stop();
  });
  const rawGear = async (...script: Parameters<typeof startRawHttp2Gear>) => {
    const gear = await startRawHttp2Gear(...script);
    toStop.push(gear);
    return gear;
  };
  const at = (port: number) => endpointAt(port, { versions: 'http2', id: `h2 ${port}` });
  /** Answers each HEADERS with what `answer` says. */
  const answering = (answer: (stream: number, count: number) => readonly Buffer[], first?: Buffer) => {
    let count = 0;
    return rawGear((send, { type, stream }) => {
      if (type === FRAME.headers) send(...answer(stream, ++count));
    }, first);
  };
  const over = async (sink: Collected): Promise<string> => {
    await eventually(() => sink.ended || sink.failure !== null, 'the end of an exchange');
    return sink.failure === null ? `ended ${sink.heads.at(-1)?.status}` : sink.failure.code;
  };
  const get = (port: number, more: object = {}, sink = collectingSink()) => {
    const exchange = upstream.start({ ...more }, sink, [at(port)]);
    return { sink, exchange };
  };

  it('REFUSED_STREAM is tried again, also for a method that may not go twice', async () => {
    const gear = await answering((stream, count) =>
      count === 1 ? [reset(stream, CODE.refused)] : [headers(stream, OK)],
    );
    const { sink } = get(gear.port, { method: 'POST' });
    assert.equal(await over(sink), 'ended 200');
    assert.equal(upstream.attempts.length, 2);
  });

  it('REFUSED_STREAM for ever ends after the attempts allowed, on one connection', async () => {
    const gear = await answering((stream) => [reset(stream, CODE.refused)]);
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'STREAM_REFUSED');
    assert.equal(upstream.attempts.length, 3);
    assert.equal(gear.acceptedConnections, 1);
  });

  it('another reset before the answer is tried again for GET, not for POST', async () => {
    const gear = await answering((stream, count) =>
      count === 1 || count === 2 ? [reset(stream, CODE.internal)] : [headers(stream, OK)],
    );
    const second = await answering((stream) => [headers(stream, OK)]);
    const post = collectingSink();
    upstream.start({ method: 'POST' }, post, [at(gear.port), at(second.port)]);
    assert.equal(await over(post), 'RESET_BEFORE_RESPONSE');
    assert.match(post.failure?.detail ?? '', /INTERNAL_ERROR/);
    const again = collectingSink();
    upstream.start({}, again, [at(gear.port), at(second.port)]);
    assert.equal(await over(again), 'ended 200');
  });

  it('a GOAWAY sends what it leaves out elsewhere and lets the rest end', async () => {
    const kept: { answer: () => void }[] = [];
    const gear = await rawGear((send, { type, stream }, connection) => {
      if (type !== FRAME.headers) return;
      if (connection > 1) send(headers(stream, OK));
      else if (stream === 1) kept.push({ answer: () => send(headers(stream, OK)) });
      else send(goaway(1, CODE.none));
    });
    const first = get(gear.port);
    await eventually(() => kept.length === 1);
    const second = get(gear.port, { method: 'POST' });
    assert.equal(await over(second.sink), 'ended 200');
    assert.equal(gear.acceptedConnections, 2);
    assert.equal(first.sink.ended, false);
    kept[0]?.answer();
    assert.equal(await over(first.sink), 'ended 200');
    await eventually(() => gear.openConnections === 1, 'the end of the connection that went away');
  });

  it('a GOAWAY with an error ends what was looked at, and only that', async () => {
    let calls = 0;
    const gear = await rawGear((send, { type, stream }, connection) => {
      if (type !== FRAME.headers) return;
      calls++;
      if (connection > 1) send(headers(stream, OK));
      else if (stream === 3) send(goaway(1, CODE.calm));
    });
    const first = get(gear.port, { method: 'POST' });
    await eventually(() => calls === 1);
    const second = get(gear.port, { method: 'POST' });
    assert.equal(await over(second.sink), 'ended 200');
    assert.match(await over(first.sink), /_BEFORE_RESPONSE$/);
  });

  it('a connection that ends while requests wait is made anew, once for all of them', async () => {
    const waiting: number[] = [];
    const gear = await rawGear((send, { type, stream }, connection, socket) => {
      if (type !== FRAME.headers) return;
      if (connection > 1) send(headers(stream, OK));
      else if (waiting.push(stream) === 5) socket.destroy();
    });
    const first = get(gear.port);
    await eventually(() => waiting.length === 1);
    const others = [1, 2, 3, 4].map(() => get(gear.port));
    for (const { sink } of others) assert.equal(await over(sink), 'ended 200');
    // The first may not tell a gear that fails from a connection that was old, so it is told.
    assert.match(await over(first.sink), /^(?:CLOSED_BEFORE_RESPONSE|ended 200)$/);
    assert.equal(gear.acceptedConnections, 2);
  });

  it('never hands out a connection that has ended', async () => {
    const gear = await startHttp2Gear();
    toStop.push(gear);
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'ended 200');
    for (const session of gear.sessions) session.destroy();
    await eventually(() => upstream.pools.of(at(gear.port)).idle === 0);
    const next = get(gear.port, { method: 'POST' });
    assert.equal(await over(next.sink), 'ended 200');
  });

  it('an answer that breaks off looks broken, however it breaks', async () => {
    const cuts: readonly (readonly [string, (stream: number) => readonly Buffer[], boolean])[] = [
      ['by a reset', (stream) => [reset(stream, CODE.internal)], false],
      ['with the connection', () => [], true],
    ];
    for (const [what, end, closes] of cuts) {
      const gear = await rawGear((send, { type, stream }, _connection, socket) => {
        if (type !== FRAME.headers) return;
        send(headers(stream, OK, true), frame(FRAME.data, 0, stream, 'half'), ...end(stream));
        if (closes) socket.end();
      });
      const { sink } = get(gear.port);
      assert.equal(await over(sink), 'RESPONSE_CUT_SHORT', what);
    }
  });

  it('a reset without an error ends an answer, but no shorter one than was said', async () => {
    const gear = await answering((stream, count) => [
      headers(stream, count === 1 ? OK : [...OK, ['content-length', '5']], true),
      frame(FRAME.data, 0, stream, 'half'),
      reset(stream, CODE.none),
    ]);
    assert.equal(await over(get(gear.port).sink), 'ended 200');
    assert.equal(await over(get(gear.port).sink), 'RESPONSE_CUT_SHORT');
  });

  it('less or more than Content-Length is no answer', async () => {
    for (const [length, data] of [
      ['5', 'four'],
      ['3', 'four'],
    ] as const) {
      const gear = await answering((stream) => [
        headers(stream, [...OK, ['content-length', length]], true),
        frame(FRAME.data, FLAG.endStream, stream, data),
      ]);
      const { sink } = get(gear.port);
      assert.match(await over(sink), /^RESPONSE_(?:CUT_SHORT|INVALID)$/, length);
      assert.ok(sink.body.length <= Number(length));
    }
  });

  it('fields that would split an answer of HTTP/1.1 are no answer', async () => {
    const lists: readonly (readonly (readonly [string, string])[])[] = [
      [...OK, ['x', 'a\r\nset-cookie: b=c']],
      [...OK, ['connection', 'close']],
      [...OK, ['transfer-encoding', 'chunked']],
      [...OK, ['Upper', 'a']],
      [...OK, ['a b', 'c']],
      [...OK, ...OK],
      [['x', 'y'], ...OK],
      [[':status', '101']],
      [...OK, ['content-length', '1'], ['content-length', '2']],
    ];
    for (const list of lists) {
      const gear = await answering((stream) => [
        headers(stream, list, true),
        frame(FRAME.data, 1, stream, 'x'),
      ]);
      const { sink } = get(gear.port);
      // Some of them node:http2 leaves out without a word.
      assert.match(await over(sink), /^RESPONSE_INVALID$|^ended 200$/, JSON.stringify(list));
      assert.deepEqual(
        sink.heads.map(({ kept }) => kept).filter((kept) => kept !== ''),
        [],
        JSON.stringify(list),
      );
    }
  });

  it('trailers are filtered, and pseudo-fields in them are no answer', async () => {
    const gear = await answering((stream, count) => [
      headers(stream, OK, true),
      frame(FRAME.data, 0, stream, 'x'),
      headers(
        stream,
        count === 1
          ? [
              ['grpc-status', '0'],
              ['set-cookie', 'a=b'],
            ]
          : OK,
      ),
    ]);
    let trailer = '';
    const fine = get(
      gear.port,
      {},
      collectingSink({
        onEnd(lines) {
          trailer = lines;
        },
      }),
    );
    await eventually(() => trailer !== '');
    assert.equal(trailer, 'grpc-status: 0\r\n');
    assert.equal(fine.sink.failure, null);
    const { sink } = get(gear.port);
    assert.match(await over(sink), /^RESPONSE_(?:INVALID|CUT_SHORT)$/);
  });

  it('1xx answers pass, a flood of them does not, and a final head behind one is a head', async () => {
    const early = headers.bind(
      null,
      1,
      [
        [':status', '103'],
        ['link', '</a>'],
      ],
      true,
    );
    const gear = await answering((stream, count) =>
      count === 1
        ? [early(), headers(stream, OK)]
        : Array.from({ length: 40 }, () => headers(stream, [[':status', '103']], true)),
    );
    const first = get(gear.port);
    assert.equal(await over(first.sink), 'ended 200');
    assert.equal(first.sink.interims[0]?.kept, 'link: </a>\r\n');
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'RESPONSE_INVALID');
  });

  it('opens a second connection when the first is full, and none above the limit of the gear', async () => {
    const streams = new Map<number, Set<number>>();
    let most = 0;
    const held: (() => void)[] = [];
    const gear = await rawGear(
      (send, { type, stream }, connection) => {
        if (type !== FRAME.headers) return;
        const mine = streams.get(connection) ?? new Set();
        streams.set(connection, mine.add(stream));
        most = Math.max(most, mine.size);
        held.push(() => {
          mine.delete(stream);
          send(headers(stream, OK));
        });
      },
      settings([3, MAX_CONCURRENT_STREAMS]),
    );
    const sinks = Array.from({ length: 7 }, () => get(gear.port).sink);
    await eventually(() => held.length === 7);
    assert.equal(most, MAX_CONCURRENT_STREAMS);
    assert.equal(gear.acceptedConnections, 3);
    for (const answer of held) answer();
    for (const sink of sinks) assert.equal(await over(sink), 'ended 200');
  });

  it('a gear that allows no stream at all is refused at once, not dialled for ever', async () => {
    const gear = await rawGear(() => {}, settings([3, 0]));
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'STREAM_REFUSED');
    assert.ok(gear.acceptedConnections <= 3);
  });

  it('a gear that says nothing is found out by its missing SETTINGS', async () => {
    open({ connectTimeoutMs: 200 });
    const gear = await rawGear(() => {}, Buffer.alloc(0));
    const { sink } = get(gear.port, { method: 'POST' });
    assert.equal(await over(sink), 'CONNECT_HTTP2');
    assert.equal(gear.frames.filter(({ type }) => type === FRAME.headers).length, 0);
    await eventually(() => gear.openConnections === 0);
  });

  it('a flood of control frames ends the connection', async () => {
    let pings = 0;
    const volley = () => Array.from({ length: 50 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    // Each volley is acked before the next: what nghttp2 itself bounds is only what waits to be acked.
    const gear = await rawGear((send, { type, flags }) => {
      const acked = type === FRAME.ping && flags === FLAG.ack;
      if (type === FRAME.headers || (acked && ++pings % 50 === 0)) send(...volley());
    });
    const { sink } = get(gear.port);
    assert.match(await over(sink), /_BEFORE_RESPONSE$/);
    assert.match(sink.failure?.detail ?? '', /FLOOD/);
    await eventually(() => gear.openConnections === 0);
  });

  it('is asked by one PING when it is silent, and given up without an answer to it', async () => {
    open({ connectTimeoutMs: 300 });
    let pings = 0;
    const gear = await rawGear((_send, { type, flags }) => {
      if (type === FRAME.ping && flags === 0) pings++;
    });
    const { sink } = get(gear.port, { method: 'POST' });
    assert.equal(await over(sink), 'RESET_BEFORE_RESPONSE');
    assert.equal(pings, 1);
    await eventually(() => gear.openConnections === 0);
  });

  it('is left in peace when it answers the PING, until its answer is due', async () => {
    open({ connectTimeoutMs: 100, responseTimeoutMs: 2_500 });
    let pings = 0;
    const gear = await rawGear((send, { type, flags, payload }) => {
      if (type !== FRAME.ping || flags !== 0) return;
      pings++;
      send(frame(FRAME.ping, FLAG.ack, 0, payload));
    });
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'RESPONSE_TIMEOUT');
    assert.equal(pings, 1);
  });

  it('gets the CANCEL of a client that left, and its connection stays', async () => {
    const gear = await answering((_stream, count) => (count === 1 ? [] : [headers(3, OK)]));
    const { exchange } = get(gear.port);
    await eventually(() => gear.frames.some(({ type }) => type === FRAME.headers));
    exchange.abort();
    await eventually(() => gear.frames.some(({ type }) => type === FRAME.reset));
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'ended 200');
    assert.equal(gear.acceptedConnections, 1);
    assert.equal(upstream.pools.load(at(gear.port).id), 0);
  });

  it('an answer before the end of the upload stops the upload', async () => {
    const gear = await answering((stream) => [headers(stream, [[':status', '413']])]);
    const { sink, exchange } = get(gear.port, { method: 'POST', body: 'chunked' });
    await eventually(() => exchange.writable || sink.ended);
    exchange.write([Buffer.from('a')]);
    assert.equal(await over(sink), 'ended 413');
    await eventually(() => gear.frames.some(({ type }) => type === FRAME.reset));
  });

  it('takes an upload no faster than its window opens, and we hold no more than a little', async () => {
    let got = 0;
    const gear = await rawGear((_send, { type, payload }) => {
      if (type === FRAME.data) got += payload.length;
    });
    const { exchange } = get(gear.port, { method: 'POST', body: 'chunked' });
    await eventually(() => exchange.writable);
    let written = 0;
    const piece = Buffer.alloc(16_384);
    const fill = (): void => {
      for (let n = 0; n < 1_000 && exchange.writable; n++) {
        exchange.write([piece]);
        written += piece.length;
      }
    };
    fill();
    await eventually(() => got === WINDOW_BYTES, 'the window to be used up');
    fill();
    assert.equal(exchange.writable, false);
    assert.ok(written - got < 200_000, `${written - got} bytes wait here`);
    exchange.abort();
  });

  it('is not read from while the client takes nothing', async () => {
    let sent = 0;
    const gear = await startHttp2Gear({
      handler(stream) {
        stream.respond({ ':status': 200 });
        const pump = (): void => {
          while (sent < 20_000_000 && stream.writable) {
            sent += 65_536;
            if (!stream.write(Buffer.alloc(65_536))) {
              stream.once('drain', pump);
              return;
            }
          }
          stream.end();
        };
        pump();
      },
    });
    toStop.push(gear);
    let room = false;
    let bytes = 0;
    const slow = collectingSink({
      flush: () => room,
      onBody(view) {
        bytes += view.length;
      },
    });
    const { exchange } = get(gear.port, {}, slow);
    await eventually(() => bytes > 0);
    let before = -1;
    await eventually(() => {
      const still = before === bytes;
      before = bytes;
      return still;
    }, 'a standstill');
    assert.ok(bytes < 2_000_000, `${bytes} bytes taken without room`);
    room = true;
    exchange.resume();
    await eventually(
      () => slow.ended,
      `the end of ${sent} bytes, not ${bytes} ${JSON.stringify(slow.failure)}`,
    );
    assert.equal(bytes, sent);
  });

  it('an idle connection is closed after its time, and one whose endpoint left when it has nothing to do', async () => {
    open({ idleTimeoutMs: 300 });
    const gear = await startHttp2Gear();
    toStop.push(gear);
    const { sink } = get(gear.port);
    assert.equal(await over(sink), 'ended 200');
    assert.equal(gear.openSessions, 1);
    await eventually(() => gear.openSessions === 0);
    await eventually(() => upstream.pools.size() === 0);

    open();
    const streams: { end(text: string): unknown }[] = [];
    const other = await startHttp2Gear({
      handler(stream) {
        stream.respond({ ':status': 200 });
        streams.push(stream);
      },
    });
    toStop.push(other);
    const under = get(other.port);
    await eventually(() => under.sink.heads.length === 1);
    upstream.pools.retire(at(other.port).id);
    const later = get(other.port);
    await eventually(() => later.sink.heads.length === 1);
    assert.equal(other.acceptedSessions, 2, 'a retired connection takes no more');
    streams[0]?.end('done');
    assert.equal(await over(under.sink), 'ended 200');
    assert.equal(under.sink.body.toString(), 'done');
    await eventually(() => other.openSessions === 1);
    later.exchange.abort();
  });

  it('a stream that is open both ways ends some time after its endpoint left', async () => {
    open({ tunnelDrainMs: 100 });
    const gear = await startHttp2Gear({ handler: (stream) => stream.respond({ ':status': 200 }) });
    toStop.push(gear);
    const { sink } = get(gear.port, { method: 'POST', body: 'chunked' });
    await eventually(() => sink.heads.length === 1);
    upstream.pools.retire(at(gear.port).id);
    assert.equal(await over(sink), 'RESPONSE_CUT_SHORT');
    await eventually(() => gear.openSessions === 0);
  });

  it('pushes nothing', async () => {
    const promise = Buffer.concat([
      uint32(2),
      fieldBlock([
        [':method', 'GET'],
        [':path', '/'],
        [':scheme', 'http'],
        [':authority', 'a'],
      ]),
    ]);
    const gear = await answering((stream) => [
      frame(FRAME.push, FLAG.endHeaders, stream, promise),
      headers(stream, OK),
    ]);
    const { sink } = get(gear.port);
    assert.match(await over(sink), /_BEFORE_RESPONSE$|RESPONSE_INVALID/);
  });
});
