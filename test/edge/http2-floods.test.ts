/** What one connection could do to all others, and where it ends. Raw frames: no well-behaved client does any of it. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type DataPlane, endpointAt, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client } from '../support/http2-client.ts';
import {
  CODE,
  connectFrames,
  FLAG,
  FRAME,
  fieldBlock,
  frame,
  headers,
  isOver,
  type RawHttp2,
  requestFields,
  roundTrips,
  settings,
  uint32,
} from '../support/http2-frames.ts';

describe('an HTTP/2 client that', () => {
  let edge: DataPlane;
  let gear: Gear;
  let raw: RawHttp2;
  let good: Http2Client | null = null;
  const start = async (
    overrides: Parameters<typeof startDataPlane>[0] = {},
    first?: Buffer,
  ): Promise<RawHttp2> => {
    gear = await startGear();
    edge = await startDataPlane(overrides, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    raw = await connectFrames(edge.httpsPort, first);
    return raw;
  };
  const othersAreServed = async (): Promise<void> => {
    good = await connectHttp2(edge.httpsPort);
    assert.equal((await good.request()).status, 200);
  };
  const nothingIsLeft = async (): Promise<void> => {
    good?.destroy();
    await eventually(() => edge.plane.status().connections === 0, 'no connection left');
  };
  afterEach(async () => {
    raw.destroy();
    good?.destroy();
    good = null;
    await edge.stop();
    await gear.stop();
  });
  /** Sends batches until the connection ends. */
  const until = async (what: string, batch: (round: number) => readonly Buffer[]): Promise<void> => {
    let round = 0;
    await eventually(() => {
      if (!raw.ended) raw.send(...batch(round++));
      return raw.ended;
    }, what);
  };

  /**
   * Sends them in one piece, and nothing behind: whoever writes on to a connection that is being closed may find it broken before he has
   * read what was said last.
   */
  const atOnce = async (frames: readonly Buffer[]): Promise<void> => {
    await raw.find('an ack', ({ type, flags }) => type === FRAME.settings && flags === FLAG.ack);
    raw.send(...frames);
  };

  it('opens streams and resets them at once (rapid reset) is told to calm down, and its gears are left alone', async () => {
    await start({ http2: { maxResets: 50 } });
    await atOnce(
      Array.from({ length: 100 }, (_, n) =>
        Buffer.concat([headers(2 * n + 1), frame(FRAME.reset, 0, 2 * n + 1, uint32(CODE.cancel))]),
      ),
    );
    assert.equal(await raw.closed(), CODE.calm);
    await eventually(() => gear.openConnections <= 50);
    await nothingIsLeft();
    await othersAreServed();
  });

  it('lets the gears begin before it resets is told to calm down too', async () => {
    await start({ http2: { maxResets: 20 } });
    for (let stream = 1; !isOver(raw); stream += 2) {
      const seen = gear.requests.length;
      raw.send(headers(stream, requestFields([], '/stream')));
      await eventually(() => gear.requests.length > seen || raw.ended);
      raw.send(frame(FRAME.reset, 0, stream, uint32(CODE.cancel)));
      await roundTrips(raw);
      assert.ok(stream < 200, 'no end to it');
    }
    assert.equal(await raw.closed(), CODE.calm);
    await eventually(() => gear.openConnections === 0);
  });

  it('makes us reset its streams instead (CVE-2025-8671) is told to calm down as well', async () => {
    await start({ http2: { maxResets: 20 } });
    for (let stream = 1; !raw.ended; stream += 2) {
      const seen = gear.requests.length;
      raw.send(headers(stream, requestFields([], '/stream')));
      await eventually(() => gear.requests.length > seen || raw.ended);
      // No increment: an error of the stream (RFC 9113 6.9).
      raw.send(frame(FRAME.window, 0, stream, uint32(0)));
      assert.ok(stream < 200, 'no end to it');
    }
    await raw.closed();
    await eventually(() => gear.openConnections === 0);
  });

  it('resets now and then is left alone', async () => {
    await start({ http2: { maxResets: 20 } });
    good = await connectHttp2(edge.httpsPort);
    for (let round = 0; round < 15; round++) {
      const stream = good.open({ ':path': '/stream' });
      await new Promise((resolve) => stream.once('data', resolve));
      stream.close(CODE.cancel);
    }
    assert.equal((await good.request()).status, 200);
  });

  it('sends requests by the hundred, with and without bodies, is left alone', async () => {
    await start({ http2: { maxResets: 1 } });
    good = await connectHttp2(edge.httpsPort);
    for (let round = 0; round < 20; round++) {
      const requests = Array.from({ length: 20 }, (_, n) =>
        n % 2 === 0 ? good?.request({ ':method': 'POST' }, 'body') : good?.request({ ':path': '/bytes/100' }),
      );
      for (const answer of await Promise.all(requests)) assert.equal(answer?.status, 200);
    }
  });

  it('pings without end is told to calm down', async () => {
    await start({ http2: { maxControlFrames: 100 } });
    await atOnce(Array.from({ length: 150 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))));
    assert.equal(await raw.closed(), CODE.calm);
    await nothingIsLeft();
    await othersAreServed();
  });

  for (const [what, stream] of [
    ['one that is open', 1],
    ['one that is not', 3],
  ] as const) {
    it(`sends PRIORITY of a stream, ${what}, without end loses the connection`, async () => {
      await start({ http2: { maxControlFrames: 100 } });
      raw.send(headers(1, requestFields([], '/stream')));
      await eventually(() => gear.requests.length === 1);
      // Node 20 tells us of each and we count them; later ones count by themselves, and further.
      await until('the end of a flood of PRIORITY', () =>
        Array.from({ length: 500 }, () => frame(FRAME.priority, 0, stream, Buffer.alloc(5))),
      );
      await nothingIsLeft();
      await eventually(() => gear.openConnections === 0);
      await othersAreServed();
    });
  }

  it('changes its settings without end is told to calm down', async () => {
    await start({ http2: { maxControlFrames: 100 } });
    await atOnce(Array.from({ length: 150 }, (_, n) => settings([4, 65_535 + (n % 2)])));
    assert.equal(await raw.closed(), CODE.calm);
    await nothingIsLeft();
  });

  it('sends CONTINUATION without end loses the connection', async () => {
    await start();
    raw.send(frame(FRAME.headers, FLAG.endStream, 1, fieldBlock(requestFields())));
    await until('the end of a CONTINUATION flood', () =>
      Array.from({ length: 10 }, () => frame(FRAME.continuation, 0, 1, fieldBlock([['x', 'y'.repeat(100)]]))),
    );
    assert.equal(gear.requests.length, 0);
    await nothingIsLeft();
    await othersAreServed();
  });

  it('sends empty CONTINUATION without end loses the connection', async () => {
    await start();
    raw.send(frame(FRAME.headers, FLAG.endStream, 1, fieldBlock(requestFields())));
    await until('the end of a CONTINUATION flood', () =>
      Array.from({ length: 10 }, () => frame(FRAME.continuation, 0, 1)),
    );
    await nothingIsLeft();
  });

  it('sends empty DATA without end loses the connection', async () => {
    await start();
    raw.send(headers(1, requestFields([], '/', 'POST'), true));
    await until('the end of a flood of empty DATA', () =>
      Array.from({ length: 100 }, () => frame(FRAME.data, 0, 1)),
    );
    await nothingIsLeft();
    await othersAreServed();
  });

  it('sends a body a byte a frame costs the gear no packet a byte', async () => {
    await start();
    raw.send(headers(1, requestFields([], '/', 'POST'), true));
    for (let round = 0; round < 10; round++) {
      raw.send(...Array.from({ length: 1_000 }, () => frame(FRAME.data, 0, 1, 'x')));
    }
    raw.send(frame(FRAME.data, FLAG.endStream, 1, 'x'));
    assert.equal(await raw.status(1), 200);
    assert.equal(gear.requests[0]?.bodyLength, 10_001);
  });

  it('unpacks a small head to a huge one (HPACK bomb) is reset', async () => {
    await start();
    // One field of 4,000 bytes into the dynamic table, then a thousand references to it.
    const name = Buffer.concat([
      Buffer.from([0x40, 1]),
      Buffer.from('x'),
      Buffer.from([127, 4_000 - 127 - 3_968 + 128 + 0x20, 30]),
    ]);
    const block = Buffer.concat([
      fieldBlock(requestFields()),
      name,
      Buffer.alloc(127 + (4_000 - 127 - 3_968 + 0x20) + 30 * 128, 'y'),
      Buffer.alloc(1_000, 0xbe),
    ]);
    raw.send(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, block));
    const seen = await raw.find(
      'a reset or a GOAWAY',
      ({ type }) => type === FRAME.reset || type === FRAME.goaway,
    );
    assert.ok(seen.payload.length > 0);
    assert.equal(gear.requests.length, 0);
    await othersAreServed();
  });

  it('opens more streams than it may loses the connection', async () => {
    await start({ http2: { maxConcurrentStreams: 3 } });
    await raw.find(
      'an ack of our settings',
      ({ type, flags }) => type === FRAME.settings && (flags & FLAG.ack) > 0,
    );
    for (let stream = 1; stream <= 9; stream += 2) raw.send(headers(stream, requestFields([], '/stream')));
    await raw.closed();
    assert.ok(gear.requests.length <= 3);
  });

  it('never opens its window holds little of an answer, and is reset in time', async () => {
    await start({ http: { bodyIdleTimeoutMs: 600 } }, settings([4, 0]));
    for (let stream = 1; stream < 20; stream += 2) {
      raw.send(headers(stream, requestFields([], '/bytes/50000000')));
    }
    await eventually(() => gear.requests.length === 10);
    for (let stream = 1; stream < 20; stream += 2) assert.equal(await raw.reset(stream), CODE.cancel);
    await eventually(() => gear.openConnections === 0);
    assert.ok(edge.finished.every(({ bytesOut }) => bytesOut < 1_000_000));
    assert.ok(edge.finished.every(({ failure }) => failure === 'CLIENT_TIMEOUT'));
  });

  it('takes its answer slowly but steadily is served to the end', async () => {
    await start({ http: { bodyIdleTimeoutMs: 1_000 } }, settings([4, 16_384]));
    raw.send(headers(1, requestFields([], '/bytes/150000')));
    let received = 0;
    let seen = 0;
    await eventually(() => {
      for (; seen < raw.frames.length; seen++) {
        const { type, payload } = raw.frames[seen] ?? { type: -1, payload: Buffer.alloc(0) };
        if (type !== FRAME.data || payload.length === 0) continue;
        received += payload.length;
        raw.send(
          frame(FRAME.window, 0, 1, uint32(payload.length)),
          frame(FRAME.window, 0, 0, uint32(payload.length)),
        );
      }
      return received === 150_000;
    });
  });

  it('stops sending its body gets 408', async () => {
    await start({ http: { bodyIdleTimeoutMs: 300 } });
    raw.send(headers(1, requestFields([['content-length', '100']], '/', 'POST'), true));
    raw.send(frame(FRAME.data, 0, 1, 'half'));
    assert.equal(await raw.status(1), 408);
    assert.equal(await raw.reset(1), CODE.none);
    await eventually(() => gear.openConnections === 0);
  });

  it('sends nothing at all is closed', async () => {
    await start({ http: { headTimeoutMs: 300 } });
    assert.equal(await raw.closed(), CODE.none);
    await nothingIsLeft();
  });

  it('sends half a head is closed', async () => {
    await start({ http: { headTimeoutMs: 300 } });
    raw.send(frame(FRAME.headers, FLAG.endStream, 1, fieldBlock(requestFields())));
    await raw.closed();
    await nothingIsLeft();
  });

  it('is idle is closed with a GOAWAY, pings or not', async () => {
    await start({ http: { keepAliveTimeoutMs: 300 } });
    raw.send(headers(1));
    assert.equal(await raw.status(1), 200);
    const pinging = setInterval(() => raw.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8))), 50);
    assert.equal(await raw.closed(), CODE.none);
    clearInterval(pinging);
    await nothingIsLeft();
  });

  it('reads nothing at all is gone in the end', async () => {
    await start({ http: { keepAliveTimeoutMs: 200, bodyIdleTimeoutMs: 300 } });
    raw.socket.pause();
    raw.send(frame(FRAME.window, 0, 0, uint32(2 ** 30)));
    for (let stream = 1; stream < 40; stream += 2) {
      raw.send(headers(stream, requestFields([], '/bytes/50000000')));
      raw.send(frame(FRAME.window, 0, stream, uint32(2 ** 30)));
    }
    await eventually(() => gear.requests.length === 20);
    await nothingIsLeft();
    await eventually(() => gear.openConnections === 0);
  });

  it('used up its requests is told so, and those under way are served', async () => {
    await start({ http: { maxRequestsPerConnection: 3 } });
    for (let stream = 1; stream <= 5; stream += 2) raw.send(headers(stream, requestFields([], '/slow/100')));
    assert.equal(await raw.closed(), CODE.none);
    assert.equal(raw.frames.filter(({ type }) => type === FRAME.headers).length, 3);
  });
});

describe('draining HTTP/2 connections', () => {
  it('announces the end, serves what is under way, and closes', async () => {
    const gear = await startGear();
    const edge = await startDataPlane({}, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    const client = await connectHttp2(edge.httpsPort);
    const slow = client.request({ ':path': '/slow/300' });
    await eventually(() => gear.requests.length === 1);
    const drained = edge.plane.drain(10_000);
    assert.equal((await slow).status, 200);
    await drained;
    assert.equal(client.goaway, CODE.none);
    await eventually(() => edge.plane.status().connections === 0);
    await eventually(() => client.closed);
    await gear.stop();
  });

  it('ends what takes longer than it may', async () => {
    const gear = await startGear();
    const edge = await startDataPlane({}, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    const client = await connectHttp2(edge.httpsPort);
    const endless = client.request({ ':path': '/stream' });
    await eventually(() => gear.requests.length === 1);
    await edge.plane.drain(50);
    await endless;
    await eventually(() => gear.openConnections === 0);
    await gear.stop();
  });
});
