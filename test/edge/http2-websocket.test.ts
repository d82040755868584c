import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ClientHttp2Stream } from 'node:http2';
import { afterEach, describe, it } from 'node:test';
import { headersOf } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, patternBytes, startGear, startRawGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client, responseOf } from '../support/http2-client.ts';

const CONNECT = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'https',
  ':path': '/chat?room=1',
  ':authority': HOST,
  'sec-websocket-version': '13',
  origin: `https://${HOST}`,
};

/** A masked text message (RFC 6455 5.2) of at most 125 bytes; the mask is zero. */
function message(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

describe('a WebSocket over HTTP/2', () => {
  let edge: DataPlane;
  let gear: Gear | null = null;
  let client: Http2Client;
  const toStop: { stop(): Promise<void> }[] = [];
  const start = async (
    endpointPort: number,
    overrides: Parameters<typeof startDataPlane>[0] = {},
  ): Promise<void> => {
    edge = await startDataPlane(overrides, ['*.apps.example.test']);
    await edge.route([endpointAt(endpointPort)]);
    client = await connectHttp2(edge.httpsPort);
  };
  const startEcho = async (overrides: Parameters<typeof startDataPlane>[0] = {}): Promise<Gear> => {
    gear = await startGear();
    toStop.push(gear);
    await start(gear.port, overrides);
    return gear;
  };
  const startRaw = async (...script: Parameters<typeof startRawGear>): Promise<void> => {
    const raw = await startRawGear(...script);
    toStop.push(raw);
    await start(raw.port);
  };
  const statusOf = (stream: ClientHttp2Stream): Promise<number> =>
    new Promise((resolve) => stream.once('response', (fields) => resolve(Number(fields[':status']))));
  /** 101 as it should be, for the key in the request. */
  const accepted = (request: Buffer): string => {
    const key = /^Sec-WebSocket-Key: (.+)\r$/m.exec(request.toString('latin1'))?.[1] ?? '';
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`;
  };
  afterEach(async () => {
    client.destroy();
    await edge.stop();
    for (const part of toStop.splice(0)) await part.stop();
  });

  it('is announced in the settings, unless it is switched off', async () => {
    await startEcho();
    assert.equal(client.session.remoteSettings.enableConnectProtocol, true);
    client.destroy();
    await edge.stop();
    await start(gear?.port ?? 0, { http2: { webSockets: false } });
    assert.notEqual(client.session.remoteSettings.enableConnectProtocol, true);
  });

  it('reaches the gear as an upgrade of HTTP/1.1, and messages pass both ways', async () => {
    const echo = await startEcho();
    const stream = client.open(CONNECT, false);
    assert.equal(await statusOf(stream), 200);
    const seen = echo.requests[0];
    assert.deepEqual([seen?.method, seen?.url, seen?.upgrade], ['GET', '/chat?room=1', true]);
    const { rawHeaders = [] } = seen ?? {};
    assert.deepEqual(headersOf(rawHeaders, 'upgrade'), ['websocket']);
    assert.deepEqual(headersOf(rawHeaders, 'connection'), ['Upgrade']);
    assert.deepEqual(headersOf(rawHeaders, 'host'), [HOST]);
    assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-proto'), ['https']);
    assert.match(headersOf(rawHeaders, 'sec-websocket-key')[0] ?? '', /^[A-Za-z0-9+/]{22}==$/);
    let received = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    stream.write(message('hello'));
    await eventually(() => received.toString('latin1') === '\x81\x05hello');
    stream.write(message('again'));
    await eventually(() => received.toString('latin1') === '\x81\x05hello\x81\x05again');
    stream.close(8);
    await eventually(() => echo.openConnections === 0);
    await eventually(() => edge.finished.length === 1);
    const { protocol, method, status, bytesIn, bytesOut, failure } = edge.finished[0] ?? {};
    assert.deepEqual(
      { protocol, method, status, bytesIn, bytesOut, failure },
      { protocol: 'HTTP/2', method: 'CONNECT', status: 200, bytesIn: 22, bytesOut: 14, failure: '' },
    );
  });

  it('shares its connection with other requests', async () => {
    await startEcho();
    const stream = client.open(CONNECT, false);
    assert.equal(await statusOf(stream), 200);
    assert.equal((await client.request({ ':path': '/bytes/100000' })).body.length, 100_000);
    stream.close(8);
  });

  it('passes on what the gear sends right behind its 101, and which subprotocol it chose', async () => {
    await startRaw((socket, request) => void socket.write(`${accepted(request)}early`));
    const stream = client.open(CONNECT, false);
    const fields = await new Promise<Record<string, unknown>>((resolve) =>
      stream.once('response', (headers) => resolve(headers as Record<string, unknown>)),
    );
    assert.deepEqual(
      [fields[':status'], fields['sec-websocket-protocol'], fields['sec-websocket-accept']],
      [200, 'chat', undefined],
    );
    const [first] = await new Promise<Buffer[]>((resolve) =>
      stream.once('data', (chunk) => resolve([chunk])),
    );
    assert.equal(first?.toString(), 'early');
    stream.close(8);
  });

  it('a gear that did not read the key is not believed', async () => {
    await startRaw(
      (socket) =>
        void socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: bm90IHRoaXMga2V5\r\n\r\n',
        ),
    );
    const response = await responseOf(client.open(CONNECT, false));
    assert.deepEqual([response.status, response.headers['headgear-failure']], [502, 'RESPONSE_INVALID']);
  });

  it('a refusal of the gear is passed on', async () => {
    await startRaw((socket) => void socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'));
    const response = await responseOf(client.open(CONNECT, false));
    assert.deepEqual([response.status, response.body.toString()], [403, 'no']);
  });

  it('a gear that answers 200 has opened no tunnel, and the client is not told so', async () => {
    await startRaw((socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'));
    const response = await responseOf(client.open(CONNECT, false));
    assert.deepEqual([response.status, response.headers['headgear-failure']], [502, 'RESPONSE_INVALID']);
  });

  it('other protocols than websocket are refused, and so is the host that is not served', async () => {
    await startEcho();
    assert.equal(
      (await responseOf(client.open({ ...CONNECT, ':protocol': 'connect-udp' }, false))).status,
      501,
    );
    const lost = { ...CONNECT, ':authority': 'nobody.apps.example.test' };
    assert.equal((await responseOf(client.open(lost, false))).status, 404);
    assert.equal(gear?.requests.length, 0);
  });

  it('ends for both when the gear ends it, and when it is idle for too long', async () => {
    await startRaw((socket, request) => {
      socket.write(accepted(request));
      socket.end('bye');
    });
    const stream = client.open(CONNECT, false);
    const response = responseOf(stream);
    stream.on('end', () => stream.end());
    assert.equal((await response).body.toString(), 'bye');
    client.destroy();
    await edge.stop();
    const echo = await startEcho({ http: { tunnelIdleTimeoutMs: 300 } });
    const idle = client.open(CONNECT, false);
    assert.equal((await responseOf(idle)).rstCode, 8);
    await eventually(() => echo.openConnections === 0);
  });

  it('a gear that breaks off ends the stream, and no other', async () => {
    const echo = await startEcho();
    const stream = client.open(CONNECT, false);
    assert.equal(await statusOf(stream), 200);
    const over = responseOf(stream);
    stream.on('end', () => stream.end());
    echo.dropConnections();
    await over;
    assert.equal((await client.request()).status, 200);
  });

  it('holds little for a client, or a gear, that does not read', async () => {
    let sent = 0;
    let gearRoom = true;
    await startRaw((socket, request) => {
      socket.write(accepted(request));
      const block = patternBytes(65_536);
      const more = (): void => {
        while (sent < 50_000_000 && gearRoom) {
          sent += block.length;
          gearRoom = socket.write(block);
        }
      };
      socket.on('drain', () => {
        gearRoom = true;
        more();
      });
      more();
      socket.pause();
    });
    const stream = client.open(CONNECT, false);
    assert.equal(await statusOf(stream), 200);
    stream.pause();
    let clientRoom = true;
    let uploaded = 0;
    while (clientRoom && uploaded < 50_000_000) {
      clientRoom = stream.write(patternBytes(65_536));
      uploaded += 65_536;
      if (!clientRoom) {
        clientRoom = await Promise.race([
          new Promise<boolean>((resolve) => stream.once('drain', () => resolve(true))),
          new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 500)),
        ]);
      }
    }
    // What fits into two sockets' buffers and our marks; without back-pressure it would be all of it.
    assert.ok(sent < 20_000_000, `${sent} bytes from the gear`);
    assert.ok(uploaded < 20_000_000, `${uploaded} bytes to the gear`);
    stream.close(8);
  });
});
