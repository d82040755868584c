/** The gear (a tenant) as an attacker: what its answers may do to clients, to other requests and to us. One attack a test. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { patternBytes, startRawGear } from '../support/gear.ts';

describe('a gear that attacks', () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const edgeWith = async (
    script: Parameters<typeof startRawGear>[0],
    overrides: Parameters<typeof startDataPlane>[0] = {},
  ): Promise<DataPlane & { gear: Awaited<ReturnType<typeof startRawGear>> }> => {
    const edge = await startDataPlane(overrides);
    const gear = await startRawGear(script);
    toStop.push(edge, gear);
    await edge.route([endpointAt(gear.port)]);
    return { ...edge, gear };
  };
  afterEach(async () => {
    for (const part of toStop.splice(0)) await part.stop();
  });

  for (const [what, bytes] of [
    ['a status line without a status', 'HTTP/1.1 \r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['HTTP/2.0 as version', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['HTTP/0.9, a bare page', '<html>hello</html>\r\n\r\n'],
    ['a bare CR in the reason', 'HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n'],
    [
      'a bare CR that would split the answer',
      'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n',
    ],
    ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['a blank before a colon', 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello'],
    ['an empty field name', 'HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n'],
    ['a signed length', 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello'],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello'],
    ['an overflowing length', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello'],
    ['a coding that is not chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    [
      'chunked twice',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    [
      'more fields than anyone needs',
      `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(300)}Content-Length: 0\r\n\r\n`,
    ],
  ] as const) {
    it(`answers with ${what}: 502, and its connection is not used again`, async () => {
      const edge = await edgeWith((socket) => void socket.write(bytes));
      const refused = await request({ port: edge.port, host: HOST });
      assert.equal(refused.status, 502);
      assert.equal(headerOf(refused.rawHeaders, 'headgear-failure'), 'RESPONSE_INVALID');
      await eventually(() => edge.gear.openConnections === 0);
    });
  }

  it('sends a body with 204 or behind a HEAD: it is nobody else’s answer', async () => {
    const edge = await edgeWith((socket, bytes) => {
      const first = bytes.toString().startsWith('HEAD') ? '200 OK' : '204 No Content';
      socket.write(
        `HTTP/1.1 ${first}\r\nContent-Length: 40\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n12`,
      );
    });
    const client = await connectRaw({ port: edge.port });
    for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) {
      await client.send(`${method} / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const response = await client.readResponse({ method });
      assert.equal(response.status, method === 'HEAD' ? 200 : 204);
      assert.equal(response.body.length, 0);
    }
    assert.equal(client.pending().length, 0);
    client.destroy();
  });

  it('cannot speak in our name: Headgear-Failure of a gear ends here', async () => {
    const edge = await edgeWith((socket) => {
      socket.write('HTTP/1.1 503 No\r\nHeadgear-Failure: NO_ENDPOINT\r\nContent-Length: 0\r\n\r\n');
    });
    const response = await request({ port: edge.port, host: HOST });
    assert.equal(response.status, 503);
    assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), undefined);
  });

  it('sends framing and identity in trailers: they end here', async () => {
    const edge = await edgeWith((socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n' +
          'Content-Length: 5\r\nSet-Cookie: a=b\r\nHeadgear-Failure: X\r\nTransfer-Encoding: chunked\r\nX-Sum: good\r\n\r\n',
      );
    });
    const response = await request({ port: edge.port, host: HOST });
    assert.equal(response.body.toString(), 'ok');
    assert.deepEqual(response.trailers, ['X-Sum', 'good']);
  });

  it('floods with 1xx answers of great length: they are few, and the request fails', async () => {
    const edge = await edgeWith((socket) => {
      socket.write(`HTTP/1.1 103 Early Hints\r\nX: ${'y'.repeat(1_000)}\r\n\r\n`.repeat(500));
    });
    const client = await connectRaw({ port: edge.port });
    await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const response = await client.readResponse();
    assert.equal(response.status, 502);
    assert.ok(response.interim.length <= 16);
    client.destroy();
  });

  it('answers in chunks of one byte: the client gets few large chunks', async () => {
    const edge = await edgeWith((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      socket.write(`${'1\r\nx\r\n'.repeat(100_000)}0\r\n\r\n`);
    });
    const client = await connectRaw({ port: edge.port });
    await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const all = (await client.readUntil('\r\n0\r\n\r\n')).toString('latin1');
    const sizes = [...all.matchAll(/^([0-9a-f]+)\r$/gm)].map(([, size = '']) => Number.parseInt(size, 16));
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      100_000,
    );
    assert.ok(sizes.length < 400, `${sizes.length} chunks`);
    client.destroy();
  });

  it('cuts an answer short that only the end of the connection delimits: for HTTP/1.0 it ends in a reset, not as if whole', async () => {
    const edge = await edgeWith((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', () =>
        setTimeout(() => socket.destroy(), 20),
      );
    });
    const socket = connect({ port: edge.port, host: '127.0.0.1' });
    const outcome = new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.on('end', () => resolve('a clean end'));
    });
    socket.resume();
    socket.write(`GET / HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal(await outcome, 'ECONNRESET');
  });

  it('answers early, closes, and the client that still uploads gets the answer', async () => {
    const edge = await edgeWith(() => {});
    toStop.push(
      await (async () => {
        const early = await startRawGear(() => {}, {
          onConnection: (socket) =>
            socket.once('data', () => socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno')),
        });
        await edge.route([endpointAt(early.port)]);
        return early;
      })(),
    );
    const client = await connectRaw({ port: edge.port });
    void client
      .send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5000000\r\n\r\n`)
      .then(() => client.send(patternBytes(3_000_000)))
      .catch(() => {});
    const response = await client.readResponse();
    assert.equal(response.status, 403);
    assert.equal(response.body.toString(), 'no');
    client.destroy();
    await eventually(() => edge.plane.status().connections === 0);
  });

  it('is slow to take an upload and answers in the midst: both sides come to an end', async () => {
    const edge = await edgeWith(() => {});
    const half = await startRawGear(() => {}, {
      onConnection(socket) {
        socket.once('data', () => {
          socket.pause();
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
      },
    });
    toStop.push(half);
    await edge.route([endpointAt(half.port)]);
    const client = await connectRaw({ port: edge.port });
    void client
      .send(
        Buffer.concat([
          Buffer.from(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 30000000\r\n\r\n`),
          patternBytes(30_000_000),
        ]),
      )
      .catch(() => {});
    assert.equal((await client.readResponse()).body.toString(), 'ok');
    client.destroy();
    await eventually(() => edge.plane.status().connections === 0);
  });
});
