/** WebSockets to gears that have HTTP/2 alone (RFC 8441), from clients of either version. */
import assert from 'node:assert/strict';
import type { ServerHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connectRaw, headerOf, headersOf, type RawClient } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { allOf, patternBytes, startGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client, responseOf } from '../support/http2-client.ts';
import { CODE, FLAG, FRAME, frame, headers, settings, uint32 } from '../support/http2-frames.ts';
import {
  type Http2Gear,
  type Http2GearOptions,
  startHttp2Gear,
  startRawHttp2Gear,
} from '../support/http2-gear.ts';
import { liveBufferBytes } from '../support/live-memory.ts';

// RFC 6455 1.3.
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const handshake = (more = `Sec-WebSocket-Key: ${KEY}\r\n`, token = 'websocket'): string =>
  `GET /chat?room=1 HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`;
const CONNECT = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'https',
  ':path': '/chat?room=1',
  'sec-websocket-version': '13',
};
const OK = [[':status', '200']] as const;
const ENABLE_CONNECT = 8;
const ALLOWS = settings([ENABLE_CONNECT, 1]);

describe('a WebSocket to a gear of HTTP/2 alone', () => {
  let edge: DataPlane;
  const toStop: { stop(): Promise<void> }[] = [];
  const toDestroy: { destroy(): void }[] = [];
  const start = async (overrides: Parameters<typeof startDataPlane>[0] = {}): Promise<void> => {
    edge = await startDataPlane(overrides, ['*.apps.example.test']);
    toStop.push(edge);
  };
  beforeEach(() => start());
  afterEach(async () => {
    for (const client of toDestroy.splice(0)) client.destroy();
    for (const part of toStop.splice(0)) await part.stop();
  });
  const at = (port: number) => endpointAt(port, { versions: 'http2', id: `h2 ${port}` });
  /** Opens every tunnel; `sides` are the gear's ends. */
  const tunnelGear = async (
    options: Http2GearOptions = {},
  ): Promise<{ gear: Http2Gear; sides: ServerHttp2Stream[] }> => {
    const sides: ServerHttp2Stream[] = [];
    const gear = await startHttp2Gear({
      settings: { enableConnectProtocol: true },
      handler(stream) {
        sides.push(stream);
        stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
      },
      ...options,
    });
    toStop.push(gear);
    await edge.route([at(gear.port)]);
    return { gear, sides };
  };
  const echoGear = (): Promise<{ gear: Http2Gear; sides: ServerHttp2Stream[] }> =>
    tunnelGear({
      handler(stream, { headers: fields }) {
        stream.respond({ ':status': 200 });
        if (fields[':method'] === 'CONNECT') stream.on('data', (chunk: Buffer) => stream.write(chunk));
        else stream.end('plain');
      },
    });
  const rawGear = async (...script: Parameters<typeof startRawHttp2Gear>) => {
    const gear = await startRawHttp2Gear(script[0], script[1] ?? ALLOWS);
    toStop.push(gear);
    await edge.route([at(gear.port)]);
    return gear;
  };
  const connectClient = async (): Promise<RawClient> => {
    const client = await connectRaw({ port: edge.port });
    toDestroy.push(client);
    return client;
  };
  const openTunnel = async (): Promise<RawClient> => {
    const client = await connectClient();
    await client.send(handshake());
    assert.equal((await client.readResponse()).status, 101);
    return client;
  };
  const echoes = async (client: RawClient, text: string): Promise<void> => {
    await client.send(text);
    assert.equal((await client.readBytes(text.length)).toString(), text);
  };
  /** A client's end that stays open when the gear's has ended. */
  const bareTunnel = async (): Promise<Socket> => {
    const socket = connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: true });
    toDestroy.push(socket);
    socket.on('error', () => {});
    socket.write(handshake());
    await new Promise((resolve) => socket.once('data', resolve));
    return socket;
  };
  const connectTwo = async (): Promise<Http2Client> => {
    const client = await connectHttp2(edge.httpsPort);
    toDestroy.push(client);
    return client;
  };

  it('is an extended CONNECT without a key there, and a 101 with the proof of it here', async () => {
    const { gear } = await tunnelGear();
    const client = await connectClient();
    await client.send(
      handshake(`Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Protocol: chat, talk\r\nCookie: a=1\r\n`),
    );
    const { status, rawHeaders } = await client.readResponse();
    assert.equal(status, 101);
    assert.deepEqual(headersOf(rawHeaders, 'upgrade'), ['websocket']);
    assert.deepEqual(headersOf(rawHeaders, 'connection'), ['Upgrade']);
    assert.deepEqual(headersOf(rawHeaders, 'sec-websocket-accept'), [ACCEPT]);
    assert.deepEqual(headersOf(rawHeaders, 'sec-websocket-protocol'), ['chat']);
    const [seen] = gear.requests;
    const { headers: fields = {}, raw = [] } = seen ?? {};
    assert.deepEqual(
      [fields[':method'], fields[':protocol'], fields[':scheme'], fields[':path'], fields[':authority']],
      ['CONNECT', 'websocket', 'http', '/chat?room=1', HOST],
    );
    assert.equal(fields['sec-websocket-version'], '13');
    assert.equal(fields['sec-websocket-protocol'], 'chat, talk');
    assert.equal(fields['x-forwarded-host'], HOST);
    for (const name of ['sec-websocket-key', 'connection', 'upgrade', 'te', 'host']) {
      assert.equal(raw.includes(name), false, name);
    }
  });

  it('carries bytes both ways, ends with its client, and is logged as any other', async () => {
    const { gear } = await echoGear();
    const client = await connectClient();
    // The first bytes may come before the answer.
    await client.send(`${handshake()}early`);
    assert.equal((await client.readResponse()).status, 101);
    assert.equal((await client.readBytes(5)).toString(), 'early');
    await echoes(client, 'and late');
    (client.socket as Socket).resetAndDestroy();
    await eventually(() => gear.requests[0]?.rstCode === CODE.cancel, 'a reset for a reset');
    await eventually(() => edge.finished.length === 1);
    const { protocol, method, status, bytesIn, bytesOut, failure } = edge.finished[0] ?? {};
    assert.deepEqual(
      { protocol, method, status, bytesIn, bytesOut, failure },
      { protocol: 'HTTP/1.1', method: 'GET', status: 101, bytesIn: 13, bytesOut: 13, failure: '' },
    );
    assert.equal(gear.openSessions, 1, 'the connection serves others');
  });

  it('comes from clients of HTTP/2 too, which see no proof of a key that they have not', async () => {
    const { gear } = await echoGear();
    const client = await connectTwo();
    const stream = client.open(CONNECT, false);
    const fields = await new Promise<Record<string, unknown>>((resolve) =>
      stream.once('response', (answer) => resolve(answer as Record<string, unknown>)),
    );
    assert.deepEqual([fields[':status'], fields['sec-websocket-accept']], [200, undefined]);
    let received = '';
    stream.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    stream.write('to and fro');
    await eventually(() => received === 'to and fro');
    assert.equal(gear.requests[0]?.headers[':protocol'], 'websocket');
    assert.equal((await client.request()).body.toString(), 'plain');
    stream.close(CODE.cancel);
    await eventually(() => gear.requests[0]?.rstCode === CODE.cancel);
    assert.equal(gear.acceptedSessions, 1);
  });

  it('is told 501 where no gear takes it, and none has seen it', async () => {
    const gear = await startHttp2Gear();
    toStop.push(gear);
    await edge.route([at(gear.port)]);
    const client = await connectClient();
    await client.send(handshake());
    const refusal = await client.readResponse();
    assert.deepEqual(
      [refusal.status, headerOf(refusal.rawHeaders, 'headgear-failure')],
      [501, 'WEBSOCKET_UNSUPPORTED'],
    );
    // The connection is as it was.
    await client.send(`GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal((await client.readResponse()).body.toString(), 'GET /next 0');
    assert.equal(gear.requests.length, 1);
    const stream = (await connectTwo()).open(CONNECT, false);
    const response = await responseOf(stream);
    assert.deepEqual([response.status, response.headers['headgear-failure']], [501, 'WEBSOCKET_UNSUPPORTED']);
    assert.equal(edge.plane.status().connections >= 1, true);
  });

  it('goes to another gear where the first does not take it, of either version', async () => {
    const without = await startHttp2Gear();
    const old = await startGear();
    toStop.push(without, old);
    await edge.route([at(without.port), endpointAt(old.port)]);
    for (let turn = 0; turn < 4; turn++) await openTunnel();
    assert.equal(old.requests.length, 4);
    assert.equal(without.requests.length, 0);
  });

  it('that the gear refuses leaves the connection as it was, and what was pipelined behind is the next request', async () => {
    const { gear } = await tunnelGear({
      handler(stream, { headers: fields }) {
        stream.on('data', () => {});
        const refused = fields[':method'] === 'CONNECT';
        stream.respond({ ':status': refused ? 403 : 200, 'content-type': 'text/plain' });
        stream.end(refused ? 'not you' : 'yes');
      },
    });
    const client = await connectClient();
    await client.send(`${handshake()}GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const refusal = await client.readResponse();
    assert.deepEqual([refusal.status, refusal.body.toString()], [403, 'not you']);
    assert.equal((await client.readResponse()).body.toString(), 'yes');
    await eventually(() => gear.requests[0]?.rstCode === CODE.none, 'an orderly end');
    assert.equal(gear.acceptedSessions, 1);
  });

  for (const [what, text] of [
    ['another protocol', handshake(undefined, 'chat/1')],
    ['a key that is none', handshake('Sec-WebSocket-Key: short\r\n')],
    ['two keys', handshake(`Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Key: ${KEY.replace('d', 'e')}\r\n`)],
    ['no key', handshake('')],
    ['another method', handshake().replace('GET', 'DELETE')],
  ] as const) {
    it(`does not come of ${what}: the gear is asked as if for no upgrade`, async () => {
      const { gear } = await echoGear();
      const client = await connectClient();
      await client.send(text);
      const answer = await client.readResponse();
      assert.deepEqual([answer.status, answer.body.toString()], [200, 'plain']);
      assert.equal(gear.requests[0]?.headers[':protocol'], undefined);
      assert.equal(gear.requests[0]?.raw.includes('upgrade'), false);
    });
  }

  it('passes on the gear’s end, and takes what the client still has to say', async () => {
    const { sides } = await tunnelGear();
    const client = await bareTunnel();
    const [side] = sides;
    assert.ok(side !== undefined);
    const received = allOf(side);
    side.end('bye');
    assert.equal((await allOf(client)).toString(), 'bye');
    const bytes = patternBytes(3_000_000);
    client.end(bytes);
    assert.ok((await received).equals(bytes));
    await eventually(() => edge.plane.status().connections === 0 && side.closed);
  });

  it('passes on the client’s end, and takes what the gear still has to say', async () => {
    const { sides } = await tunnelGear();
    const client = await bareTunnel();
    const [side] = sides;
    assert.ok(side !== undefined);
    client.pause();
    client.end('bye');
    await new Promise((resolve) => side.on('end', () => resolve(null)).resume());
    const bytes = patternBytes(3_000_000);
    side.end(bytes);
    assert.ok((await allOf(client)).equals(bytes));
    await eventually(() => edge.plane.status().connections === 0 && side.rstCode === CODE.none);
  });

  for (const reader of ['client', 'gear'] as const) {
    it(`gathers little for a ${reader} that does not read`, async () => {
      const { sides } = await tunnelGear();
      const client = await bareTunnel();
      const [side] = sides;
      assert.ok(side !== undefined);
      const [slow, fast] = reader === 'client' ? [client, side] : [side, client];
      slow.pause();
      const total = 40_000_000;
      let sent = 0;
      const block = patternBytes(100_000);
      const pump = (): void => {
        while (sent < total) {
          sent += block.length;
          if (!fast.write(block)) return;
        }
      };
      fast.on('drain', pump);
      const before = liveBufferBytes();
      pump();
      let last = -1;
      let unmoved = 0;
      await eventually(() => {
        unmoved = sent === last ? unmoved + 1 : 0;
        last = sent;
        return unmoved > 60;
      });
      assert.ok(sent < total, 'the writer has to wait');
      assert.ok(liveBufferBytes() - before < 10_000_000);
      let received = 0;
      slow.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      slow.resume();
      await eventually(() => received >= total, 'all of it, once it is read');
    });
  }

  it('is over for the client when the gear resets it, and for nobody else', async () => {
    const { sides, gear } = await tunnelGear();
    const [first, second] = [await openTunnel(), await openTunnel()];
    sides[0]?.close(CODE.internal);
    await eventually(() => first.ended);
    sides[1]?.write('still here');
    assert.equal((await second.readBytes(10)).toString(), 'still here');
    assert.equal(gear.acceptedSessions, 1);
  });

  it('is over for the client when the gear’s connection breaks', async () => {
    const { gear } = await tunnelGear();
    const client = await openTunnel();
    for (const session of gear.sessions) session.destroy();
    await eventually(() => client.ended);
    await eventually(() => edge.finished.length === 1 && edge.plane.status().connections === 0);
  });

  it('survives what leaves its endpoint in the table, a gear’s GOAWAY too, and drains when the endpoint goes', async () => {
    await start({ upstream: { tunnelDrainMs: 700 } });
    const { gear } = await echoGear();
    const other = await startGear();
    toStop.push(other);
    const client = await openTunnel();
    await edge.route([endpointAt(other.port), at(gear.port)]);
    await echoes(client, 'a change');
    for (const session of gear.sessions) session.goaway(0);
    await echoes(client, 'a goaway');
    await edge.route([endpointAt(other.port)]);
    await echoes(client, 'a last word');
    await eventually(() => client.ended);
    await eventually(() => gear.openSessions === 0);
    assert.equal(edge.finished[0]?.bytesIn, 27);
  });

  it('has an idle time of its own, and leaves its connection to others while it is silent', async () => {
    await start({ upstream: { responseTimeoutMs: 300 }, http: { tunnelIdleTimeoutMs: 2_500 } });
    const { gear } = await echoGear();
    const client = await openTunnel();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(client.ended, false);
    await (await connectTwo()).request();
    assert.equal(gear.acceptedSessions, 1);
    await eventually(() => client.ended);
    await eventually(() => gear.requests[0]?.rstCode === CODE.cancel);
  });

  it('counts among what an endpoint has in flight', async () => {
    await start({ upstream: { maxInFlightPerEndpoint: 2 } });
    await tunnelGear();
    await openTunnel();
    const second = await openTunnel();
    const client = await connectClient();
    await client.send(handshake());
    assert.equal((await client.readResponse()).status, 503);
    (second.socket as Socket).resetAndDestroy();
    await eventually(() => edge.finished.length === 2);
    await openTunnel();
  });

  it('proof and length that a gear sends of its own do not reach the client', async () => {
    await rawGear((send, { type, stream }) => {
      if (type !== FRAME.headers) return;
      const lies = [
        ['sec-websocket-accept', 'bm90IHRoaXMga2V5'],
        ['content-length', '7'],
      ] as const;
      send(headers(stream, [...OK, ...lies], true), frame(FRAME.data, 0, stream, 'more than seven bytes'));
    });
    const client = await connectClient();
    await client.send(handshake());
    const { status, rawHeaders } = await client.readResponse();
    assert.equal(status, 101);
    assert.deepEqual(headersOf(rawHeaders, 'sec-websocket-accept'), [ACCEPT]);
    assert.deepEqual(headersOf(rawHeaders, 'content-length'), []);
    assert.equal((await client.readBytes(21)).toString(), 'more than seven bytes');
  });

  it('opens and ends at once where the gear says so', async () => {
    await rawGear((send, { type, stream }) => {
      if (type === FRAME.headers) send(headers(stream, OK));
    });
    const client = await openTunnel();
    await eventually(() => client.ended);
    await eventually(() => edge.plane.status().connections === 0);
  });

  it('101 is no answer in HTTP/2, and bytes before the answer are none either', async () => {
    // By then a gear is asked whether it is there, and the library, which reads no more after some faults, does not hear the answer.
    await start({ upstream: { connectTimeoutMs: 400 } });
    await rawGear((send, { type, stream }) => {
      if (type === FRAME.headers) send(headers(stream, [[':status', '101']], true));
    });
    const client = await connectClient();
    await client.send(handshake());
    assert.equal((await client.readResponse()).status, 502);
    await rawGear((send, { type, stream }) => {
      if (type === FRAME.headers) send(frame(FRAME.data, 0, stream, 'too early'), headers(stream, OK, true));
    });
    await client.send(handshake());
    const answer = await client.readResponse();
    assert.equal(answer.status, 502);
    assert.equal(answer.body.includes('too early'), false);
  });

  it('fields behind the answer end it: nothing but bytes may pass there', async () => {
    const gear = await rawGear((send, { type, stream }) => {
      if (type !== FRAME.headers) return;
      send(headers(stream, OK, true), frame(FRAME.data, 0, stream, 'a'));
      send(headers(stream, [['x-trailer', '1']]));
    });
    const client = await openTunnel();
    await eventually(() => client.ended);
    await eventually(() => gear.frames.some(({ type }) => type === FRAME.reset || type === FRAME.goaway));
    assert.equal(client.pending().toString().replace('a', ''), '');
  });

  it('a promise that is taken back ends the connection, not the process', async () => {
    const gear = await rawGear((send, { type, stream }) => {
      if (type === FRAME.headers) send(headers(stream, OK, true), settings([ENABLE_CONNECT, 0]));
    });
    const client = await openTunnel();
    // What becomes of this one is nghttp2's affair: an error by its reading, none by ours.
    client.destroy();
    await eventually(() => edge.plane.status().connections === 0);
    await openTunnel();
    assert.ok(gear.acceptedConnections >= 1);
  });

  it('resets of every tunnel as it opens cost their clients alone', async () => {
    const gear = await rawGear((send, { type, stream }) => {
      if (type === FRAME.headers) {
        send(headers(stream, OK, true), frame(FRAME.reset, 0, stream, uint32(CODE.internal)));
      }
    });
    for (let turn = 0; turn < 40; turn++) {
      const clients = await Promise.all(Array.from({ length: 10 }, () => connectClient()));
      await Promise.all(clients.map((client) => client.send(handshake())));
      await eventually(() => clients.every(({ ended }) => ended), 'the end of ten tunnels');
      for (const client of clients) client.destroy();
    }
    await eventually(() => edge.finished.length === 400 && edge.plane.status().connections === 0);
    assert.ok(gear.frames.filter(({ type }) => type === FRAME.headers).length >= 400);
  });

  it('a gear that takes nothing more is let go when both sides have ended', async () => {
    await start({ upstream: { responseTimeoutMs: 400 }, http: { tunnelIdleTimeoutMs: 1_000 } });
    const gear = await rawGear(
      (send, { type, stream }) => {
        // No window for what the client sends.
        if (type === FRAME.headers)
          send(headers(stream, OK, true), frame(FRAME.data, FLAG.endStream, stream, 'bye'));
      },
      settings([ENABLE_CONNECT, 1], [4, 0]),
    );
    const client = await bareTunnel();
    client.end('never taken');
    await new Promise((resolve) => client.resume().once('end', resolve));
    await eventually(() => gear.frames.some(({ type }) => type === FRAME.reset));
    await eventually(() => edge.finished.length === 1 && edge.plane.status().connections === 0);
  });
});
