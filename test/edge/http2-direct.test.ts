/** Answers that go to nghttp2 past the stream: in use on the Nodes that we run on, whole, and with an end that is heard of whatever it is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { answerDirectly, canAnswerDirectly, learnFrom } from '../../src/edge/http2-direct.ts';
import { responseBlock } from '../../src/http/http2-block.ts';
import { testCertificate } from '../support/certificates.ts';
import { type DataPlane, endpointAt, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear, startRawGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client } from '../support/http2-client.ts';
import {
  CODE,
  connectFrames,
  FRAME,
  frame,
  headers,
  isOver,
  type RawHttp2,
  requestFields,
  roundTrips,
  settings,
  uint32,
} from '../support/http2-frames.ts';

const LINES = 'Content-Type: text/plain\r\nX-A: b\r\n';
const HEAD = { ':status': '200', 'content-type': 'text/plain', 'x-a': 'b' };
const BODY = 'x'.repeat(1_000);

describe('an answer past the stream', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** A server of the library's own, whose streams `onStream` answers. */
  async function startServer(onStream: (stream: ServerHttp2Stream) => void): Promise<{
    readonly port: number;
    readonly session: () => ServerHttp2Session | undefined;
    readonly client: () => Promise<Http2Client>;
  }> {
    const { chainPem, privateKeyPem } = testCertificate(['*.apps.example.test']);
    const server = createSecureServer({ cert: chainPem, key: privateKeyPem });
    let session: ServerHttp2Session | undefined;
    server.on('session', (opened) => {
      session = opened;
      opened.on('error', () => {});
    });
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      onStream(stream);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => {
      session?.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return {
      port,
      session: () => session,
      async client() {
        const client = await connectHttp2(port);
        closers.push(() => client.destroy());
        return client;
      },
    };
  }

  const block = (lines = LINES) => {
    const made = responseBlock(200, lines);
    assert.ok(made !== null);
    return made;
  };

  // Stands first: nothing has been learnt in this process yet.
  it('is not dared before the library was seen to send the very same fields', async () => {
    const { client } = await startServer((stream) => {
      assert.equal(canAnswerDirectly(stream), false);
      learnFrom(stream, block('content-type: text/plain\r\nx-a: another\r\n'));
      stream.respond(HEAD, { sendDate: false } as object);
      stream.end(Buffer.from(BODY));
    });
    const { request } = await client();
    for (let round = 0; round < 3; round++) assert.equal((await request()).body.toString(), BODY);
  });

  it('is possible on this Node after one of the library’s own, and says the same', async () => {
    const ways: boolean[] = [];
    const ends: boolean[] = [];
    const { client, session } = await startServer((stream) => {
      ways.push(canAnswerDirectly(stream));
      if (canAnswerDirectly(stream)) {
        answerDirectly(stream, { onAnsweredClosed: (sent) => ends.push(sent) }, block(), Buffer.from(BODY));
        return;
      }
      learnFrom(stream, block());
      stream.respond(HEAD, { sendDate: false } as object);
      stream.end(Buffer.from(BODY));
    });
    const { request } = await client();
    const [first, ...rest] = [await request(), await request(), await request()];
    assert.deepEqual(ways, [false, true, true], `not on ${process.version}`);
    for (const { status, headers: fields, body, rstCode } of rest) {
      assert.deepEqual(
        [status, { ...fields }, body.toString(), rstCode],
        [200, { ...first?.headers }, BODY, 0],
      );
    }
    await eventually(() => ends.length === 2);
    assert.deepEqual(ends, [true, true]);
    // Nothing is kept of the streams: a session that is closed now is over at once.
    const over = once(session() ?? assert.fail('no session'), 'close');
    session()?.close();
    await over;
  });

  it('is not for HEAD, whose end the library sees to', async () => {
    let possible: boolean | null = null;
    const { client } = await startServer((stream) => {
      possible = canAnswerDirectly(stream);
      stream.respond(HEAD, { endStream: true });
    });
    const { request } = await client();
    assert.equal((await request({ ':method': 'HEAD' })).status, 200);
    assert.equal(possible, false);
  });

  it('that is cut off by the client is heard of as such', async () => {
    const ends: boolean[] = [];
    const { port, session } = await startServer((stream) => {
      answerDirectly(stream, { onAnsweredClosed: (sent) => ends.push(sent) }, block(), Buffer.from(BODY));
    });
    const raw = await connectFrames(port, settings([4, 0]));
    closers.push(() => raw.destroy());
    raw.send(headers(1));
    assert.equal(await raw.status(1), 200);
    assert.deepEqual(ends, [], 'the window is shut');
    raw.send(frame(FRAME.reset, 0, 1, uint32(CODE.cancel)));
    await eventually(() => ends.length === 1);
    assert.deepEqual(ends, [false]);
    const over = once(session() ?? assert.fail('no session'), 'close');
    session()?.close();
    await over;
  });

  it('is waited for by a session that is being closed', async () => {
    const { port, session } = await startServer((stream) => {
      answerDirectly(stream, { onAnsweredClosed() {} }, block(), Buffer.from(BODY));
    });
    const raw = await connectFrames(port, settings([4, 0]));
    closers.push(() => raw.destroy());
    raw.send(headers(1));
    assert.equal(await raw.status(1), 200);
    const over = once(session() ?? assert.fail('no session'), 'close');
    session()?.close();
    await raw.find('GOAWAY', ({ type }) => type === FRAME.goaway);
    assert.equal(session()?.destroyed, false);
    raw.send(frame(FRAME.window, 0, 1, uint32(BODY.length)));
    const data = await raw.find('the body', ({ type }) => type === FRAME.data);
    assert.equal(data.payload.toString(), BODY);
    await over;
  });

  it('goes down with its session like any stream', async () => {
    const ends: boolean[] = [];
    let closed = false;
    const { port, session } = await startServer((stream) => {
      stream.on('close', () => {
        closed = true;
      });
      answerDirectly(stream, { onAnsweredClosed: (sent) => ends.push(sent) }, block(), Buffer.from(BODY));
    });
    const raw = await connectFrames(port, settings([4, 0]));
    closers.push(() => raw.destroy());
    raw.send(headers(1));
    assert.equal(await raw.status(1), 200);
    session()?.destroy(new Error('over'));
    await eventually(() => closed);
    assert.deepEqual(ends, []);
  });
});

describe('a client of HTTP/2 whose answers are whole at once and that', () => {
  let edge: DataPlane;
  let gear: Gear;
  let raw: RawHttp2;
  let good: Http2Client;
  const start = async (overrides: Parameters<typeof startDataPlane>[0], first?: Buffer): Promise<void> => {
    gear = await startGear();
    edge = await startDataPlane(overrides, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    good = await connectHttp2(edge.httpsPort);
    // From the first of them the others are learnt.
    for (let round = 0; round < 3; round++) assert.equal((await good.request()).status, 200);
    raw = await connectFrames(edge.httpsPort, first);
  };
  afterEach(async () => {
    raw.destroy();
    good.destroy();
    await edge.stop();
    await gear.stop();
  });
  const small = requestFields([], '/bytes/1000');

  it('cuts them off without end is told to calm down', async () => {
    await start({ http2: { maxResets: 20 } }, settings([4, 0]));
    for (let stream = 1; !isOver(raw); stream += 2) {
      const answered = edge.finished.length;
      raw.send(headers(stream, small));
      await eventually(() => edge.finished.length > answered || raw.ended);
      raw.send(frame(FRAME.reset, 0, stream, uint32(CODE.cancel)));
      await roundTrips(raw);
      assert.ok(stream < 200, 'no end to it');
    }
    assert.equal(await raw.closed(), CODE.calm);
    assert.equal((await good.request()).status, 200);
  });

  it('takes none of them is reset in time', async () => {
    await start({ http: { bodyIdleTimeoutMs: 300 } }, settings([4, 0]));
    for (let stream = 1; stream <= 9; stream += 2) raw.send(headers(stream, small));
    for (let stream = 1; stream <= 9; stream += 2) assert.equal(await raw.reset(stream), CODE.cancel);
    // The connection serves on.
    raw.send(settings([4, 65_535]), headers(11, small));
    await raw.find('the body', ({ type, stream }) => type === FRAME.data && stream === 11);
  });

  it('takes none of them and is gone leaves nothing behind', async () => {
    await start({}, settings([4, 0]));
    for (let stream = 1; stream <= 9; stream += 2) raw.send(headers(stream, small));
    await eventually(() => edge.finished.length === 8);
    raw.destroy();
    good.destroy();
    await eventually(() => edge.plane.status().connections === 0);
  });

  it('takes them late still gets them from an edge that drains', async () => {
    await start({}, settings([4, 0]));
    raw.send(headers(1, small));
    assert.equal(await raw.status(1), 200);
    const drained = edge.plane.drain(10_000);
    await raw.find('GOAWAY', ({ type }) => type === FRAME.goaway);
    raw.send(frame(FRAME.window, 0, 1, uint32(1_000)));
    const data = await raw.find('the body', ({ type }) => type === FRAME.data);
    assert.equal(data.payload.length, 1_000);
    good.destroy();
    await raw.closed();
    raw.destroy();
    await drained;
  });

  it('uploads, is answered before, behind and without a body, gets every answer whole', async () => {
    await start({});
    for (let round = 0; round < 50; round++) {
      const answers = await Promise.all([
        good.request({ ':method': 'POST', ':path': '/' }, 'some body'),
        good.request({ ':path': '/bytes/60000' }),
        good.request({ ':path': '/bytes/300000' }),
        good.request({ ':path': '/bytes/0' }),
        good.request({ ':method': 'HEAD', ':path': '/bytes/100' }),
        good.request({ ':authority': 'unknown.example.test' }),
      ]);
      assert.deepEqual(
        answers.map(({ status, rstCode }) => [status, rstCode]),
        [200, 200, 200, 200, 200, 404].map((status) => [status, 0]),
      );
      assert.deepEqual(
        answers.slice(1, 5).map(({ body }) => body.length),
        [60_000, 300_000, 0, 0],
      );
    }
    assert.ok(edge.finished.every(({ failure }) => failure === '' || failure === 'UNKNOWN_HOST'));
  });

  it('asks a gear that says a field twice gets what a client before it got', async () => {
    await start({});
    const odd = await startRawGear(
      (socket) =>
        void socket.write(
          'HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: a/b\r\nX: 1\r\nX: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok',
        ),
    );
    await edge.route([endpointAt(odd.port)]);
    for (let round = 0; round < 2; round++) {
      const { headers: fields, body } = await good.request();
      assert.equal(body.toString(), 'ok');
      assert.deepEqual([fields['content-type'], fields.x, fields['set-cookie']], ['a/b', '1, 2', ['a', 'b']]);
    }
    await odd.stop();
  });
});
