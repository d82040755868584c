/** Each exception of the second engine, shown next to what the native one does. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { type RawGear, startRawGear } from '../support/gear.ts';
import { ENGINES, excepted } from './exceptions.ts';

for (const engine of ENGINES)
  describe(`where the engines differ (${engine})`, () => {
    const toStop: { stop(): Promise<void> }[] = [];
    const start = async (answer: string): Promise<{ edge: DataPlane; gear: RawGear }> => {
      const gear = await startRawGear((socket) => void socket.write(answer));
      const edge = await startDataPlane({ http: { engine } });
      toStop.push(edge, gear);
      await edge.route([endpointAt(gear.port)]);
      return { edge, gear };
    };
    const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    afterEach(async () => {
      for (const part of toStop.splice(0)) await part.stop();
    });

    it('an unheard-of method passes, or gets 501', async () => {
      const { edge } = await start(OK);
      const client = await connectRaw({ port: edge.port });
      await client.send(`UNHEARD-OF / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const { status } = await client.readResponse();
      assert.equal(status, excepted(engine, 'METHODS_OF_NODE') ? 501 : 200);
      client.destroy();
    });

    it('a refused upgrade is answered; the connection may or may not go on', async () => {
      const { edge } = await start('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno');
      const client = await connectRaw({ port: edge.port });
      await client.send(
        `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      const { status, rawHeaders } = await client.readResponse();
      assert.equal(status, 403);
      const closes = headerOf(rawHeaders, 'connection') === 'close';
      assert.equal(closes, excepted(engine, 'REFUSED_UPGRADE_CLOSES'));
      client.destroy();
    });

    it('interim answers pass, or hints alone', async () => {
      const { edge } = await start(
        `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX-A: b\r\n\r\n${OK}`,
      );
      const client = await connectRaw({ port: edge.port });
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const { interim } = await client.readResponse();
      assert.deepEqual(
        interim.map(({ status, rawHeaders }) => [status, rawHeaders.length / 2]),
        excepted(engine, 'HINTS_ONLY')
          ? [[103, 1]]
          : [
              [102, 0],
              [103, 2],
            ],
      );
      client.destroy();
    });

    it('Expect reaches the gear, or ends here', async () => {
      const { edge, gear } = await start(OK);
      const client = await connectRaw({ port: edge.port });
      await client.send(
        `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab`,
      );
      assert.equal((await client.readResponse()).status, 200);
      assert.equal(/\r\nExpect:/.test(gear.seen()), !excepted(engine, 'EXPECT_ANSWERED_HERE'));
      client.destroy();
    });
  });
