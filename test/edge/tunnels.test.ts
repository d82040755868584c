/** Upgrades and the tunnels they become. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf, type RawClient } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { allOf, patternBytes, type RawGear, startGear, startRawGear } from '../support/gear.ts';
import { liveBufferBytes } from '../support/live-memory.ts';

const upgradeTo = (token: string, more = ''): string =>
  `GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\n${more}\r\n`;
const switching = (token: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\n\r\n`;

describe('a tunnel', () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const sockets: Socket[] = [];
  const start = async (...overrides: Parameters<typeof startDataPlane>): Promise<DataPlane> => {
    const edge = await startDataPlane(...overrides);
    toStop.push(edge);
    return edge;
  };
  /** Answers every request with 101 and hands over the gear's side of the tunnel. */
  const tunnelGear = async (token = 'chat/1', first = ''): Promise<{ gear: RawGear; sides: Socket[] }> => {
    const sides: Socket[] = [];
    const gear = await startRawGear((socket) => {
      socket.removeAllListeners('end');
      socket.removeAllListeners('data');
      socket.write(switching(token) + first);
      sides.push(socket);
    });
    toStop.push(gear);
    return { gear, sides };
  };
  /** A gear that echoes every byte after its 101. */
  const echoGear = async (): Promise<RawGear> => {
    const gear = await startRawGear((socket) => {
      socket.removeAllListeners('data');
      socket.on('data', (chunk: Buffer) => void socket.write(chunk));
      socket.write(switching('chat/1'));
    });
    toStop.push(gear);
    return gear;
  };
  const openTunnel = async (edge: DataPlane): Promise<RawClient> => {
    const client = await connectRaw({ port: edge.port });
    sockets.push(client.socket);
    await client.send(upgradeTo('chat/1'));
    assert.equal((await client.readResponse()).status, 101);
    return client;
  };
  const echoes = async (client: RawClient, text: string): Promise<void> => {
    await client.send(text);
    assert.equal((await client.readBytes(text.length)).toString(), text);
  };
  /** A socket that keeps its side open when the peer ends. */
  const bareTunnel = async (edge: DataPlane): Promise<Socket> => {
    const socket = connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write(upgradeTo('chat/1'));
    await new Promise((resolve) => socket.once('data', resolve));
    return socket;
  };
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const part of toStop.splice(0)) await part.stop();
  });

  for (const token of ['websocket', 'WebSocket', 'chat/1', 'a, b/2', 'x-odd~token']) {
    it(`comes of any token that a gear accepts: ${token}`, async () => {
      const edge = await start();
      const { gear } = await tunnelGear(token, 'first bytes');
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      await client.send(upgradeTo(token));
      const response = await client.readResponse();
      assert.equal(response.status, 101);
      assert.equal(headerOf(response.rawHeaders, 'upgrade'), token);
      assert.equal((await client.readBytes(11)).toString(), 'first bytes');
      assert.match(gear.requests[0]?.toString() ?? '', new RegExp(`\r\nUpgrade: ${token}\r\n`));
      client.destroy();
    });
  }

  for (const token of ['h2c', 'websocket, h2c', 'TLS/1.3', 'H2']) {
    it(`does not come of ${token}: we would no longer see what requests pass`, async () => {
      const edge = await start();
      const gear = await startRawGear((socket) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
      toStop.push(gear);
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      await client.send(upgradeTo(token, 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'));
      assert.equal((await client.readResponse()).status, 204);
      assert.doesNotMatch(gear.seen(), /upgrade|http2-settings/i);
      client.destroy();
    });
  }

  it('does not come of a protocol that was not asked for', async () => {
    const edge = await start();
    const { gear } = await tunnelGear('h2c');
    await edge.route([endpointAt(gear.port)]);
    const client = await connectRaw({ port: edge.port });
    await client.send(upgradeTo('websocket'));
    const response = await client.readResponse();
    assert.equal(response.status, 502);
    assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'UNASKED_UPGRADE');
    client.destroy();
  });

  it('that a gear refuses leaves the connection as it was, and what was pipelined behind is the next request', async () => {
    const edge = await start();
    const gear = await startRawGear((socket, bytes) => {
      const refused = bytes.toString().startsWith('GET /ws');
      socket.write(
        refused
          ? 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno'
          : 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes',
      );
    });
    toStop.push(gear);
    await edge.route([endpointAt(gear.port)]);
    const client = await connectRaw({ port: edge.port });
    await client.send(`${upgradeTo('websocket')}GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const refusal = await client.readResponse();
    assert.equal(refusal.status, 426);
    assert.equal((await client.readResponse()).body.toString(), 'yes');
    assert.equal(gear.acceptedConnections, 1, 'the gear connection stays usable too');
    client.destroy();
  });

  it('takes bytes that the client sent before the 101', async () => {
    const edge = await start();
    await edge.route([endpointAt((await echoGear()).port)]);
    const client = await connectRaw({ port: edge.port });
    await client.send(`${upgradeTo('chat/1')}early`);
    assert.equal((await client.readResponse()).status, 101);
    assert.equal((await client.readBytes(5)).toString(), 'early');
    client.destroy();
  });

  it('survives table changes that leave its endpoint, and only those', async () => {
    const edge = await start({ upstream: { tunnelDrainMs: 300 } });
    const [gear, other] = [await echoGear(), await echoGear()];
    await edge.route([endpointAt(gear.port)]);
    const client = await openTunnel(edge);
    await edge.route([endpointAt(gear.port), endpointAt(other.port)]);
    await edge.route([endpointAt(other.port)], { app: 'ns/other', host: 'other-ns.apps.example.test' });
    await edge.route([endpointAt(other.port), endpointAt(gear.port, { gearId: 'renamed' })]);
    await edge.route([endpointAt(gear.port)], { host: 'alias.example' });
    await echoes(client, 'still here');
    // Twice the time it would have if its endpoint were gone.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await echoes(client, 'and still');
    assert.equal(client.ended, false);
  });

  it('drains when its endpoint leaves the table: it works on for a while, then it is closed', async () => {
    const edge = await start({ upstream: { tunnelDrainMs: 700 } });
    const gear = await echoGear();
    await edge.route([endpointAt(gear.port)]);
    const client = await openTunnel(edge);
    await edge.route([]);
    await echoes(client, 'a last word');
    await eventually(() => client.ended);
    await eventually(() => gear.openConnections === 0 && edge.plane.status().connections === 0);
    assert.equal(edge.finished[0]?.status, 101);
    assert.equal(edge.finished[0]?.bytesIn, 11);
  });

  it('passes a half-close on, and everything that was still on its way to the gear', async () => {
    const edge = await start();
    const { gear, sides } = await tunnelGear();
    await edge.route([endpointAt(gear.port)]);
    const client = await bareTunnel(edge);
    const [side] = sides;
    assert.ok(side !== undefined);
    side.pause();
    side.end();
    client.resume();
    await new Promise((resolve) => client.once('end', resolve));
    const bytes = patternBytes(20_000_000);
    client.end(bytes);
    const received = allOf(side);
    side.pause();
    // The client's last byte and its end are with us before the gear reads much.
    await eventually(() => client.writableLength === 0 || client.bytesWritten > 1_000_000);
    side.resume();
    assert.ok((await received).equals(bytes));
    await eventually(() => edge.plane.status().connections === 0);
  });

  it('passes a half-close on, and everything that was still on its way to the client', async () => {
    const edge = await start();
    const { gear, sides } = await tunnelGear();
    await edge.route([endpointAt(gear.port)]);
    const client = await bareTunnel(edge);
    const [side] = sides;
    assert.ok(side !== undefined);
    client.pause();
    client.end('bye');
    await new Promise((resolve) => side.on('end', () => resolve(null)).resume());
    const bytes = patternBytes(20_000_000);
    side.end(bytes);
    assert.ok((await allOf(client)).equals(bytes));
    await eventually(() => edge.plane.status().connections === 0 && gear.openConnections === 0);
  });

  for (const [who, pausedSide] of [
    ['client', 'client'],
    ['gear', 'gear'],
  ] as const) {
    it(`gathers little for a ${who} that does not read`, async () => {
      const edge = await start();
      const { gear, sides } = await tunnelGear();
      await edge.route([endpointAt(gear.port)]);
      const client = await bareTunnel(edge);
      const [side] = sides;
      assert.ok(side !== undefined);
      const [reader, writer] = pausedSide === 'client' ? [client, side] : [side, client];
      reader.pause();
      const total = 60_000_000;
      writer.write(patternBytes(total));
      const before = liveBufferBytes();
      let last = -1;
      let unmoved = 0;
      const progress = (): number => backlog(writer);
      await eventually(() => {
        unmoved = progress() === last ? unmoved + 1 : 0;
        last = progress();
        return unmoved > 60;
      });
      assert.ok(progress() > 0, 'the writer has to wait');
      assert.ok(liveBufferBytes() - before < 10_000_000);
      let received = 0;
      reader.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      reader.resume();
      await eventually(() => received >= total, 'all of it, once it is read');
    });
  }

  it('that is over does not stay for a client that does not read', async () => {
    const edge = await start({ http: { bodyIdleTimeoutMs: 400, tunnelIdleTimeoutMs: 700 } });
    const { gear, sides } = await tunnelGear();
    await edge.route([endpointAt(gear.port)]);
    const client = await bareTunnel(edge);
    client.pause();
    sides[0]?.write(patternBytes(60_000_000));
    await eventually(() => gear.openConnections === 0, 'the end of the idle tunnel');
    await eventually(() => edge.plane.status().connections === 0, 'the end of the client’s connection');
  });

  it('whose client is gone is closed towards the gear, and counted no more', async () => {
    const edge = await start();
    const gear = await echoGear();
    await edge.route([endpointAt(gear.port)]);
    const client = await openTunnel(edge);
    (client.socket as Socket).resetAndDestroy();
    await eventually(() => gear.openConnections === 0 && edge.plane.status().connections === 0);
    assert.equal(edge.finished.length, 1);
  });

  it('shows the client a gear’s last words, also where the gear closes with bytes unread', async () => {
    const edge = await start();
    const { gear, sides } = await tunnelGear();
    await edge.route([endpointAt(gear.port)]);
    let shown = 0;
    for (let turn = 0; turn < 10; turn++) {
      const client = await openTunnel(edge);
      const side = sides.at(-1) ?? assert.fail();
      let seen = 0;
      side.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen < 200_000 || side.isPaused()) return;
        // The kernel makes a reset of an end with these bytes unread.
        side.pause();
        side.write('last words', () => side.destroy());
      });
      const pump = async (): Promise<void> => {
        for (let n = 0; n < 10_000 && !client.ended; n++)
          await client.send(patternBytes(turn < 5 ? 4_000 : 60_000));
      };
      void pump().catch(() => {});
      const words = await client.readBytes(10).catch(() => Buffer.alloc(0));
      if (words.toString() === 'last words') shown++;
      await client.closed;
    }
    // Bytes that the kernel had no room for wait in the socket, whose own write may find the reset first.
    assert.equal(shown, 10);
    await eventually(() => edge.plane.status().connections === 0 && gear.openConnections === 0);
  });

  it('has an idle time of its own', async () => {
    const edge = await start({
      http: { tunnelIdleTimeoutMs: 700, bodyIdleTimeoutMs: 100, keepAliveTimeoutMs: 100 },
    });
    const gear = await echoGear();
    await edge.route([endpointAt(gear.port)]);
    const client = await openTunnel(edge);
    await echoes(client, 'x');
    await eventually(() => client.ended);
    await eventually(() => gear.openConnections === 0);
  });

  it('is ended by a drain when its time is up, not before', async () => {
    const edge = await start();
    const gear = await startGear();
    toStop.push(gear);
    const echo = await echoGear();
    await edge.route([endpointAt(echo.port)]);
    const client = await openTunnel(edge);
    const drained = edge.plane.drain(500);
    await echoes(client, 'while draining');
    await drained;
    await eventually(() => client.ended);
  });
});

/** Bytes that a socket was given and the kernel has not taken. */
function backlog(socket: Socket): number {
  const handle = (socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle;
  return handle?.writeQueueSize ?? 0;
}
