import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf, headersOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, startGear } from '../support/gear.ts';
import { ENGINES } from './exceptions.ts';

for (const engine of ENGINES)
  describe(`limits of a client connection (${engine})`, () => {
    let edge: DataPlane | null = null;
    let gear: Gear | null = null;
    const start = async (overrides: Parameters<typeof startDataPlane>[0] = {}): Promise<DataPlane> => {
      edge = await startDataPlane({ ...overrides, http: { ...overrides.http, engine } });
      gear = await startGear();
      await edge.route([endpointAt(gear.port)]);
      return edge;
    };
    afterEach(async () => {
      await edge?.stop();
      await gear?.stop();
    });

    it('a head above the limit gets 431', async () => {
      const { port } = await start({ http: { maxHeadBytes: 1_000 } });
      const response = await request({ port, host: HOST, headers: [['X', 'y'.repeat(2_000)]] });
      assert.equal(response.status, 431);
      assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'HTTP_HEAD_TOO_LONG');
    });

    it('a head that never ends gets 431 without waiting for its end', async () => {
      const { port } = await start({ http: { maxHeadBytes: 1_000 } });
      const client = await connectRaw({ port });
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nX: ${'y'.repeat(2_000)}`);
      assert.equal((await client.readResponse()).status, 431);
      client.destroy();
    });

    it('a head that drips gets 408, however steadily it drips', async () => {
      const { port } = await start({ http: { headTimeoutMs: 300 } });
      const client = await connectRaw({ port });
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n`);
      const dripping = setInterval(() => void client.send('A: b\r\n').catch(() => {}), 50);
      const response = await client.readResponse();
      clearInterval(dripping);
      assert.equal(response.status, 408);
      client.destroy();
    });

    it('a connection that says nothing at all is closed', async () => {
      const { port } = await start({ http: { headTimeoutMs: 200 } });
      const client = await connectRaw({ port });
      await eventually(() => client.ended);
      client.destroy();
    });

    it('an idle keep-alive connection is closed after its time, without an answer', async () => {
      const { port } = await start({ http: { keepAliveTimeoutMs: 200, headTimeoutMs: 60_000 } });
      const client = await connectRaw({ port });
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      assert.equal((await client.readResponse()).status, 200);
      await eventually(() => client.ended);
      assert.equal(client.pending().length, 0);
      client.destroy();
    });

    it('a body that stops coming gets 408', async () => {
      const { port } = await start({ http: { bodyIdleTimeoutMs: 300 } });
      const client = await connectRaw({ port });
      await client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100\r\n\r\nhalf`);
      assert.equal((await client.readResponse()).status, 408);
      client.destroy();
      await eventually(() => gear?.openConnections === 0);
    });

    it('a bare LF gets 400 at once, not after the time-out of the head', async () => {
      const { port } = await start();
      const client = await connectRaw({ port });
      await client.send(`GET / HTTP/1.1\nHost: ${HOST}\n\n`);
      assert.equal((await client.readResponse()).status, 400);
      client.destroy();
    });

    it('after a refused head nothing more is read from the connection', async () => {
      const { port } = await start();
      const client = await connectRaw({ port });
      await client.send(
        `GET / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxGET /smuggled HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
      );
      const response = await client.readResponse();
      assert.equal(response.status, 400);
      assert.equal(headerOf(response.rawHeaders, 'connection'), 'close');
      await eventually(() => client.ended);
      assert.equal(client.pending().length, 0);
      assert.equal(gear?.requests.length, 0);
      client.destroy();
    });

    it('a body coded wrongly gets 400, and the gear never sees a whole request', async () => {
      const { port } = await start();
      const client = await connectRaw({ port });
      await client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX`);
      const response = await client.readResponse();
      assert.equal(response.status, 400);
      assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'BODY_INVALID');
      client.destroy();
      assert.ok((gear?.requests ?? []).every(({ complete }) => !complete));
    });

    it('the last request of a connection says so', async () => {
      const { port } = await start({ http: { maxRequestsPerConnection: 2 } });
      const client = await connectRaw({ port });
      for (const expected of [undefined, 'close']) {
        await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
        assert.equal(headerOf((await client.readResponse()).rawHeaders, 'connection'), expected);
      }
      await eventually(() => client.ended);
      client.destroy();
    });

    it('Host and an absolute target that disagree get 400; a malformed Host gets 400', async () => {
      const { port } = await start();
      const disagree = await request({ port, host: HOST, target: 'http://other.example/' });
      assert.equal(headerOf(disagree.rawHeaders, 'headgear-failure'), 'HTTP_HOST_DISAGREES');
      const agree = await request({ port, host: `${HOST}:80`, target: `http://${HOST.toUpperCase()}/x` });
      assert.equal((JSON.parse(agree.body.toString()) as Echo).url, '/x');
      for (const host of ['a@b', 'a b', 'a:99999', 'a/b', 'a..b', '[::1', 'a:80:80', 'ä', '']) {
        assert.equal((await request({ port, host })).status, 400, host);
      }
    });

    it('finds the route whatever the case of Host, with a port and a trailing dot', async () => {
      const { port } = await start();
      for (const host of [HOST.toUpperCase(), `${HOST}.`, `${HOST}:1`, `${HOST}.:65535`]) {
        assert.equal((await request({ port, host })).status, 200, host);
      }
    });

    it('believes forwarding fields of a trusted proxy, as far as its chain is trusted', async () => {
      const { port } = await start({ http: { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] } });
      const response = await request({
        port,
        host: HOST,
        headers: [
          ['X-Forwarded-For', '6.6.6.6, 192.0.2.7, 10.1.1.1'],
          ['X-Forwarded-Proto', 'https'],
          ['X-Forwarded-Host', 'outer.example'],
          ['X-OpenShift-Host', 'victim'],
        ],
      });
      const { rawHeaders } = JSON.parse(response.body.toString()) as Echo;
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-for'), ['6.6.6.6, 192.0.2.7, 10.1.1.1, 127.0.0.1']);
      assert.deepEqual(headersOf(rawHeaders, 'x-client-ip'), ['192.0.2.7']);
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-proto'), ['https']);
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-port'), ['443']);
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-host'), ['outer.example']);
      assert.deepEqual(headersOf(rawHeaders, 'x-openshift-host'), []);
    });
  });
