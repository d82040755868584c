/** The client as an attacker: what it can hold, make us gather, or get past us. One attack a test. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf, headersOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, patternBytes, startGear, startRawGear } from '../support/gear.ts';

const GET = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

describe('a client that attacks', () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const sockets: Socket[] = [];
  const start = async (
    ...overrides: Parameters<typeof startDataPlane>
  ): Promise<DataPlane & { gear: Gear }> => {
    const edge = await startDataPlane(...overrides);
    const gear = await startGear();
    toStop.push(edge, gear);
    await edge.route([endpointAt(gear.port)]);
    return { ...edge, gear };
  };
  /** A bare socket that keeps its side open when the peer ends, and reads only when it is told to. */
  const bare = async (port: number): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const part of toStop.splice(0)) await part.stop();
  });
  const nobodyLeft = (edge: DataPlane): Promise<unknown> =>
    eventually(() => edge.plane.status().connections === 0, 'the end of every connection');
  /** Resolves when a number has not moved for a while: the server has stopped taking more. */
  const settled = (read: () => number): Promise<unknown> => {
    let last = -1;
    let unmoved = 0;
    return eventually(() => {
      unmoved = read() === last ? unmoved + 1 : 0;
      last = read();
      return last > 0 && unmoved > 60;
    });
  };

  describe('to make us gather', () => {
    it('pipelines requests for large answers that it does not read: they are not fetched', async () => {
      const edge = await start();
      const socket = await bare(edge.port);
      socket.pause();
      const total = 1_200;
      socket.write(`GET /bytes/30000 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(total));
      await settled(() => edge.gear.requests.length);
      assert.ok(edge.gear.requests.length < 700, `${edge.gear.requests.length} answers were fetched`);
      let received = 0;
      socket.on('data', (chunk) => {
        received += chunk.length;
      });
      socket.resume();
      await eventually(() => received > total * 30_000, 'every answer, once they are read', 30_000);
    });

    it('pipelines requests that we answer ourselves, and reads none of the answers', async () => {
      const edge = await start();
      const socket = await bare(edge.port);
      socket.pause();
      const total = 100_000;
      socket.write('GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n'.repeat(total));
      await settled(() => edge.finished.length);
      assert.ok(edge.finished.length < total / 2, `${edge.finished.length} answers lie in memory`);
      let received = '';
      socket.on('data', (chunk: Buffer) => {
        received = received.slice(-20) + chunk.toString('latin1');
      });
      socket.resume();
      await eventually(() => edge.finished.length === total, 'every answer, once they are read', 30_000);
    });

    it('sends a body in chunks of one byte: the gear gets few large chunks', async () => {
      const edge = await startDataPlane();
      const gear = await startRawGear((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      });
      toStop.push(edge, gear);
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      const count = 50_000;
      void client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      void client.send(`${'1\r\nx\r\n'.repeat(count)}0\r\n\r\n`);
      assert.equal((await client.readResponse()).status, 200);
      client.destroy();
      const body = gear.requests[0]?.toString('latin1').split('\r\n\r\n')[1] ?? '';
      const sizes = [...body.matchAll(/^([0-9a-f]+)\r$/gm)].map(([, size = '']) => Number.parseInt(size, 16));
      assert.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        count,
      );
      assert.ok(sizes.length < 200, `${sizes.length} chunks`);
    });
  });

  describe('to hold a connection for ever', () => {
    it('sends empty lines before a request that never comes: 400 after a few', async () => {
      const edge = await start();
      const client = await connectRaw({ port: edge.port });
      await client.send('\r');
      for (let count = 0; count < 20; count++) {
        await client.send('\n\r').catch(() => {});
        await new Promise((resolve) => setImmediate(resolve));
      }
      const response = await client.readResponse();
      assert.equal(response.status, 400);
      assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'HTTP_BLANK_LINES');
      client.destroy();
    });

    it('does not close its side after we ended ours for idleness', async () => {
      const edge = await start({ http: { keepAliveTimeoutMs: 200 } });
      const socket = await bare(edge.port);
      socket.resume();
      socket.write(GET);
      await new Promise((resolve) => socket.once('end', resolve));
      await nobodyLeft(edge);
    });

    it('does not read its answer, and sends a byte now and then', async () => {
      const edge = await start({ http: { bodyIdleTimeoutMs: 500 } });
      const socket = await bare(edge.port);
      socket.pause();
      socket.write(`GET /bytes/60000000 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const drip = setInterval(() => socket.write('G'), 100);
      await nobodyLeft(edge);
      clearInterval(drip);
      await eventually(() => edge.gear.openConnections === 0);
      assert.equal(edge.finished[0]?.failure, 'CLIENT_TIMEOUT');
    });

    it('does not read an answer that the gear broke off, and goes on sending', async () => {
      const edge = await start({ http: { bodyIdleTimeoutMs: 500 } });
      const socket = await bare(edge.port);
      socket.pause();
      socket.write(`GET /cut/60000000 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      await settled(() => edge.gear.requests.length);
      edge.gear.dropConnections();
      const drip = setInterval(() => socket.write('G'.repeat(1_000)), 50);
      await nobodyLeft(edge);
      clearInterval(drip);
    });
  });

  describe('to get something done or believed', () => {
    it('sends a request after we ended our side: no gear acts on it, for nobody could hear the answer', async () => {
      const edge = await start({ http: { keepAliveTimeoutMs: 200 } });
      const socket = await bare(edge.port);
      socket.resume();
      socket.write(GET);
      await new Promise((resolve) => socket.once('end', resolve));
      assert.equal(edge.gear.requests.length, 1);
      socket.write(`POST /pay HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 0\r\n\r\n`);
      await nobodyLeft(edge);
      assert.equal(edge.gear.requests.length, 1);
    });

    it('spells forwarding fields with any punctuation that a CGI gear folds onto an underscore', async () => {
      const edge = await start();
      const marks = [..."_.!#$%&'*+^`|~"];
      const headers = marks.flatMap((mark) => [
        [`X${mark}Forwarded${mark}For`, 'forged'] as const,
        [`X-OpenShift${mark}Host`, 'forged'] as const,
        [`Content${mark}Length`, 'forged'] as const,
        [`X-Client${mark}IP`, 'forged'] as const,
      ]);
      const seen = JSON.parse(
        (await request({ port: edge.port, host: HOST, headers })).body.toString(),
      ) as Echo;
      assert.ok(!JSON.stringify(seen.rawHeaders).includes('forged'), JSON.stringify(seen.rawHeaders));
      const harmless = await request({ port: edge.port, host: HOST, headers: [['X_Custom.Name', 'kept']] });
      assert.deepEqual(
        headersOf((JSON.parse(harmless.body.toString()) as Echo).rawHeaders, 'x_custom.name'),
        ['kept'],
      );
    });

    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
      it(`gives ${method} a body: it stays a body, and never becomes a request of its own`, async () => {
        const edge = await startDataPlane();
        const gear = await startRawGear((socket) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
        toStop.push(edge, gear);
        await edge.route([endpointAt(gear.port)]);
        const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
        const client = await connectRaw({ port: edge.port });
        for (const framed of [
          `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
          `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
        ]) {
          await client.send(`${method} / HTTP/1.1\r\nHost: ${HOST}\r\n${framed}`);
          assert.equal((await client.readResponse({ method })).status, 204);
        }
        client.destroy();
        assert.equal(gear.requests.length, 2);
        assert.ok(gear.requests.every((bytes) => bytes.toString().startsWith(`${method} / `)));
      });
    }

    it('sends trailers that would change routing, framing or identity: they end here', async () => {
      const edge = await startDataPlane();
      const gear = await startRawGear((socket) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
      toStop.push(edge, gear);
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      await client.send(
        `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n` +
          'X.Forwarded.For: evil\r\nX-OpenShift-Host: evil\r\nX|Real|IP: evil\r\nContent-Length: 5\r\nX-Sum: good\r\n\r\n',
      );
      // The raw gear sees a request whole only where no trailer stands; the bytes are looked at as they are.
      await eventually(() => gear.seen().includes('X-Sum'));
      assert.match(gear.seen(), /0\r\nX-Sum: good\r\n\r\n$/);
      client.destroy();
    });
  });

  describe('within its rights', () => {
    it('pipelines, ends its side at once, and gets every answer', async () => {
      const edge = await start();
      const client = await connectRaw({ port: edge.port });
      await client.send([1, 2, 3].map((n) => `GET /${n} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`).join(''));
      client.end();
      for (const n of [1, 2, 3]) {
        assert.equal((JSON.parse((await client.readResponse()).body.toString()) as Echo).url, `/${n}`);
      }
      await eventually(() => client.ended);
      await nobodyLeft(edge);
    });

    it('sends an empty line before its request, in pieces', async () => {
      const edge = await start();
      const client = await connectRaw({ port: edge.port });
      for (const piece of ['\r', '\n', '\r\nGET / HT', `TP/1.1\r\nHost: ${HOST}\r`, '\n\r', '\n']) {
        await client.send(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal((await client.readResponse()).status, 200);
      client.destroy();
    });

    it('uploads to a gear that reads late: the gear is waited for, and the client not blamed', async () => {
      const edge = await startDataPlane({
        http: { bodyIdleTimeoutMs: 300 },
        upstream: { responseTimeoutMs: 1_500 },
      });
      const gear = await startRawGear(() => {}, { onConnection: (socket) => void socket.pause() });
      toStop.push(edge, gear);
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      void client
        .send(
          Buffer.concat([
            Buffer.from(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 40000000\r\n\r\n`),
            patternBytes(40_000_000),
          ]),
        )
        .catch(() => {});
      await eventually(() => edge.finished.length === 1);
      assert.match(edge.finished[0]?.failure ?? '', /^RESPONSE_TIMEOUT/);
      assert.equal(edge.finished[0]?.status, 504);
      client.destroy();
    });

    it('uses OPTIONS with an absolute target that has no path: the gear gets an asterisk (RFC 9112 3.2.4)', async () => {
      const edge = await start();
      await request({ port: edge.port, host: HOST, method: 'OPTIONS', target: `http://${HOST}` });
      assert.equal(edge.gear.requests[0]?.url, '*');
    });

    it('has a target that alone is longer than a head may be: 414, not 431', async () => {
      const edge = await start();
      const response = await request({ port: edge.port, host: HOST, target: `/${'x'.repeat(40_000)}` });
      assert.equal(response.status, 414);
    });
  });

  it('above the number of connections is turned away, and those within it are served', async () => {
    const edge = await start({ http: { maxConnections: 3 } });
    const clients = await Promise.all([1, 2, 3].map(() => connectRaw({ port: edge.port })));
    await eventually(() => edge.plane.status().connections === 3);
    const fourth = await connectRaw({ port: edge.port });
    await fourth.closed;
    for (const client of clients) {
      await client.send(GET);
      assert.equal((await client.readResponse()).status, 200);
      client.destroy();
    }
  });
});
