/** Request bodies that drip. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { BodyRate } from '../../src/edge/body-rate.ts';
import { connectRaw, headerOf, headersOf } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { patternBytes, startGear, startRawGear } from '../support/gear.ts';
import { connectHttp2 } from '../support/http2-client.ts';

describe('the rate of a body', () => {
  const limits = { minBodyBytesPerSecond: 100, bodyRateWindowMs: 30_000 };
  /** Verdicts over [second, bytes so far]. */
  const verdicts = (...looks: readonly (readonly [seconds: number, received: number])[]): boolean[] => {
    const rate = new BodyRate();
    return looks.map(([seconds, received]) => rate.isTooSlow(received, seconds * 1_000, limits));
  };

  it('is judged a window at a time, whatever came before', () => {
    assert.deepEqual(verdicts([0, 1], [29, 2], [30, 3_001]), [false, false, false]);
    assert.deepEqual(verdicts([0, 1], [30, 2_999]), [false, true]);
    assert.deepEqual(verdicts([0, 1], [30, 1e9], [60, 1e9 + 2_999]), [false, false, true]);
  });

  it('does not count before its first byte, while the gear takes nothing, nor over two requests', () => {
    assert.deepEqual(verdicts([0, 0], [100, 0], [200, 1]), [false, false, false]);
    assert.deepEqual(verdicts([0, 1], [20, -1], [40, 2], [69, 3]), [false, false, false, false]);
    assert.deepEqual(verdicts([0, 5_000], [20, 10], [40, 20], [51, 30]), [false, false, false, true]);
  });

  it('is any where the configuration says so', () => {
    const rate = new BodyRate();
    const any = { ...limits, minBodyBytesPerSecond: 0 };
    for (const second of [0, 40, 80]) assert.equal(rate.isTooSlow(1, second * 1_000, any), false);
  });
});

const FAST_WINDOW = { minBodyBytesPerSecond: 1_000, bodyRateWindowMs: 500 };

for (const engine of ['native', 'http-proxy'] as const) {
  describe(`a client that drips its body (${engine})`, () => {
    const toStop: { stop(): Promise<void> }[] = [];
    const timers: NodeJS.Timeout[] = [];
    afterEach(async () => {
      for (const timer of timers.splice(0)) clearInterval(timer);
      for (const part of toStop.splice(0)) await part.stop();
    });
    const start = async (port: number): Promise<DataPlane> => {
      const edge = await startDataPlane({ http: { engine, ...FAST_WINDOW } }, ['*.apps.example.test']);
      toStop.push(edge);
      await edge.route([endpointAt(port)]);
      return edge;
    };
    const drip = (write: () => void): void => void timers.push(setInterval(write, 50));
    const HEADS = {
      'by length': `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100000\r\n\r\n`,
      chunked: `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    };

    for (const [coding, head] of Object.entries(HEADS)) {
      it(`gets 408, and its gear is let go of (${coding})`, async () => {
        const gear = await startRawGear(() => {});
        toStop.push(gear);
        const edge = await start(gear.port);
        const client = await connectRaw({ port: edge.port });
        await client.send(head);
        drip(() => void client.send(coding === 'chunked' ? '1\r\nx\r\n' : 'x').catch(() => {}));
        const answer = await client.readResponse();
        assert.equal(answer.status, 408);
        assert.equal(headerOf(answer.rawHeaders, 'headgear-failure'), 'CLIENT_TIMEOUT');
        assert.deepEqual(headersOf(answer.rawHeaders, 'connection'), ['close']);
        await eventually(() => edge.finished[0]?.failure === 'CLIENT_TIMEOUT:BODY_SLOW');
        await eventually(() => gear.openConnections === 0);
        client.destroy();
      });
    }

    it('is served when it drips in answer to what the gear says', async () => {
      const sides: Socket[] = [];
      const gear = await startRawGear(() => {}, {
        onConnection(socket) {
          sides.push(socket);
          socket.once('data', () =>
            socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'),
          );
        },
      });
      toStop.push(gear);
      const edge = await start(gear.port);
      const client = await connectRaw({ port: edge.port });
      await client.send(`${HEADS.chunked}1\r\nx\r\n`);
      await client.readUntil('hi\r\n');
      drip(() => void client.send('1\r\nx\r\n').catch(() => {}));
      const sent = gear.seen().length;
      // Several windows later.
      await eventually(() => gear.seen().length > sent + 40 * 6);
      sides[0]?.write('0\r\n\r\n');
      await client.readUntil('0\r\n\r\n');
      client.destroy();
    });

    it('is not blamed for a gear that takes nothing, nor is one that is fast', async () => {
      const gear = await startRawGear(() => {}, { onConnection: (socket) => void socket.pause() });
      const fine = await startGear();
      toStop.push(gear, fine);
      const edge = await start(gear.port);
      const body = patternBytes(30_000_000);
      const client = await connectRaw({ port: edge.port, timeoutMs: 30_000 });
      void client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${body.length}\r\n\r\n`);
      void client.send(body).catch(() => {});
      await eventually(() => client.socket.writableLength > 0 && edge.plane.status().connections === 1);
      let sweeps = 0;
      drip(() => void sweeps++);
      await eventually(() => sweeps > 40);
      assert.equal(edge.finished.length, 0);
      client.destroy();
      await edge.route([endpointAt(fine.port)]);
      const other = await connectRaw({ port: edge.port });
      await other.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100000\r\n\r\n`);
      let left = 100_000;
      drip(() => {
        const piece = Math.min(left, 5_000);
        left -= piece;
        if (piece > 0) void other.send(patternBytes(piece)).catch(() => {});
      });
      assert.equal((await other.readResponse()).status, 200);
      other.destroy();
    });

    if (engine === 'native') {
      it('gets 408 over HTTP/2, and other streams notice nothing', async () => {
        const gear = await startGear();
        toStop.push(gear);
        const edge = await start(gear.port);
        const client = await connectHttp2(edge.httpsPort);
        const stream = client.open({ ':method': 'POST', ':authority': HOST }, false);
        let status = 0;
        stream.on('response', (fields) => {
          status = Number(fields[':status']);
        });
        drip(() => void (stream.writable && stream.write('x')));
        await eventually(() => status === 408);
        assert.equal((await client.request({ ':authority': HOST })).status, 200);
        client.destroy();
      });
    }
  });
}
