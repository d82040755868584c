import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { connectRaw, headerOf, headersOf, type RawResponse, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, patternBytes, startGear } from '../support/gear.ts';
import { liveBufferBytes } from '../support/live-memory.ts';
import { ENGINES, excepted } from './exceptions.ts';

for (const engine of ENGINES)
  describe(`a request through the hop (${engine})`, () => {
    let gear: Gear;
    let edge: DataPlane;
    before(async () => {
      gear = await startGear({ name: 'g1' });
      edge = await startDataPlane({ http: { engine } });
      await edge.route([endpointAt(gear.port)]);
    });
    after(async () => {
      await edge.stop();
      await gear.stop();
    });

    const get = (target: string, more: object = {}): Promise<RawResponse> =>
      request({ port: edge.port, host: HOST, target, ...more });
    const echo = (response: RawResponse): Echo => JSON.parse(response.body.toString()) as Echo;

    it('reaches the gear with path, query and Host byte for byte', async () => {
      const target = '/a%2Fb//c/../d;x=1?q=%C3%A4&|{}^=[]"`';
      const seen = echo(await get(target, { host: `${HOST.toUpperCase()}:8080` }));
      assert.equal(seen.url, target);
      assert.equal(headerOf(seen.rawHeaders, 'host'), `${HOST.toUpperCase()}:8080`);
    });

    it('keeps the order, spelling and repetition of fields that it does not own', async () => {
      const seen = echo(
        await get('/', {
          headers: [
            ['aCCept', 'x/y'],
            ['X-One', '1'],
            ['Cookie', 'GEAR=local-123; a=b'],
            ['x-one', '2'],
          ],
        }),
      );
      const names = seen.rawHeaders.filter((_, index) => index % 2 === 0);
      assert.deepEqual(
        names.slice(0, 5),
        excepted(engine, 'FIELDS_GROUPED')
          ? ['Host', 'aCCept', 'X-One', 'X-One', 'Cookie']
          : ['Host', 'aCCept', 'X-One', 'Cookie', 'x-one'],
      );
      assert.deepEqual(headersOf(seen.rawHeaders, 'x-one'), ['1', '2']);
      assert.equal(headerOf(seen.rawHeaders, 'cookie'), 'GEAR=local-123; a=b');
    });

    it('tells the gear who the client is, and drops what the client claims', async () => {
      const lies = [
        ['X-Forwarded-For', '6.6.6.6'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Port', '1'],
        ['X-Forwarded-SSL-Client-Cert', 'forged'],
        ['X-Client-IP', '6.6.6.6'],
        ['X-Request-Start', 't=1'],
        ['Forwarded', 'for=6.6.6.6'],
        ['X-OpenShift-Host', 'victim-ns.apps.example.test'],
        ['X_Forwarded_For', '6.6.6.6'],
        ['X.Forwarded-Proto', 'https'],
        ['x_openshift_host', 'victim-ns.apps.example.test'],
        ['Proxy', 'http://evil.example'],
      ] as const;
      const { rawHeaders } = echo(await get('/', { headers: lies }));
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-for'), ['127.0.0.1']);
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-proto'), ['http']);
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-host'), [HOST]);
      assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-port'), [String(edge.port)]);
      assert.deepEqual(headersOf(rawHeaders, 'x-client-ip'), ['127.0.0.1']);
      assert.match(headersOf(rawHeaders, 'x-request-start').join(), /^t=\d{16}$/);
      assert.deepEqual(headersOf(rawHeaders, 'forwarded'), [`for=127.0.0.1;proto=http;host="${HOST}"`]);
      const text = JSON.stringify(rawHeaders);
      for (const lie of ['6.6.6.6', 'evil', 'victim', 'forged']) assert.ok(!text.includes(lie), lie);
    });

    it('ends hop-by-hop fields here, and those that Connection names', async () => {
      const { rawHeaders } = echo(
        await get('/', {
          headers: [
            ['X-Hop', 'before'],
            ['Connection', 'close, X-Hop, Cookie, Host'],
            ['Keep-Alive', 'timeout=5'],
            ['TE', 'trailers'],
            ['Proxy-Connection', 'keep-alive'],
            ['Cookie', 'stays=1'],
          ],
        }),
      );
      const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
      for (const name of ['x-hop', 'connection', 'keep-alive', 'te', 'proxy-connection'])
        assert.ok(!names.includes(name), name);
      assert.equal(headerOf(rawHeaders, 'cookie'), 'stays=1');
    });

    it('answers in order to pipelined requests, and reuses one connection to the gear', async () => {
      const before = gear.acceptedConnections;
      const client = await connectRaw({ port: edge.port });
      await client.send([1, 2, 3].map((n) => `GET /${n} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`).join(''));
      for (const n of [1, 2, 3]) assert.equal(echo(await client.readResponse()).url, `/${n}`);
      client.destroy();
      assert.ok(gear.acceptedConnections - before <= 1);
    });

    it('streams a large answer unchanged, with a length and chunked', async () => {
      for (const target of ['/bytes/3000000', '/chunked/3000000']) {
        const response = await get(target);
        assert.ok(response.body.equals(patternBytes(3_000_000)), target);
      }
    });

    it('streams a large upload unchanged, with a length and chunked', async () => {
      const body = patternBytes(3_000_000);
      const counted = echo(await get('/', { method: 'POST', body }));
      assert.equal(counted.bodyLength, body.length);
      const client = await connectRaw({ port: edge.port });
      await client.send(`PUT / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      for (let at = 0; at < body.length; at += 100_000) {
        const part = body.subarray(at, at + 100_000);
        await client.send(`${part.length.toString(16)};note=1\r\n`);
        await client.send(part);
        await client.send('\r\n');
      }
      await client.send('0\r\nX-Check: 1\r\n\r\n');
      const chunked = echo(await client.readResponse());
      client.destroy();
      assert.equal(chunked.bodySha256, counted.bodySha256);
    });

    it('answers HEAD, 204 and 304 without a body and keeps the connection usable', async () => {
      const client = await connectRaw({ port: edge.port });
      await client.send(`HEAD /bytes/500 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const head = await client.readResponse({ method: 'HEAD' });
      assert.equal(headerOf(head.rawHeaders, 'content-length'), '500');
      for (const status of [204, 304]) {
        await client.send(`GET /status/${status} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
        assert.equal((await client.readResponse()).status, status);
      }
      await client.send(`GET /after HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      assert.equal(echo(await client.readResponse()).url, '/after');
      client.destroy();
    });

    it('passes 100-continue and early hints', async () => {
      const client = await connectRaw({ port: edge.port });
      await client.send(
        `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
      );
      await client.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
      await client.send('hello');
      assert.equal(echo(await client.readResponse()).bodyLength, 5);
      await client.send(`GET /early HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      assert.deepEqual(
        (await client.readResponse()).interim.map(({ status }) => status),
        [103],
      );
      client.destroy();
    });

    it('serves HTTP/1.0, closing after an answer of unknown length', async () => {
      const client = await connectRaw({ port: edge.port });
      await client.send(`GET /chunked/1000 HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
      const response = await client.readResponse();
      assert.equal(headerOf(response.rawHeaders, 'transfer-encoding'), undefined);
      assert.ok(response.body.equals(patternBytes(1000)));
      await eventually(() => client.ended);
      client.destroy();
      const keeping = await connectRaw({ port: edge.port });
      await keeping.send(`GET /bytes/10 HTTP/1.0\r\nHost: ${HOST}\r\nConnection: keep-alive\r\n\r\n`);
      assert.equal(headerOf((await keeping.readResponse()).rawHeaders, 'connection'), 'keep-alive');
      await keeping.send(`GET /bytes/11 HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
      assert.equal((await keeping.readResponse()).body.length, 11);
      await eventually(() => keeping.ended);
      keeping.destroy();
    });

    it('carries a WebSocket both ways and records it when it is over', async () => {
      const client = await connectRaw({ port: edge.port });
      await client.send(
        `GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      const response = await client.readResponse();
      assert.equal(response.status, 101);
      assert.equal(headerOf(response.rawHeaders, 'sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
      await client.send(Buffer.from('8182000000006869', 'hex')); // masked text frame "hi" with a zero mask
      assert.equal((await client.readBytes(4)).toString('hex'), '81026869');
      client.destroy();
      await eventually(() => edge.finished.some(({ status, bytesOut }) => status === 101 && bytesOut === 4));
    });

    it('never passes an upgrade to HTTP/2', async () => {
      const seen = echo(
        await get('/', {
          headers: [
            ['Connection', 'Upgrade, HTTP2-Settings'],
            ['Upgrade', 'h2c'],
            ['HTTP2-Settings', 'AAMAAABk'],
          ],
        }),
      );
      const names = seen.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
      assert.ok(!names.includes('upgrade') && !names.includes('http2-settings'));
    });

    it('serves a client that half-closes after its request', async () => {
      const client = await connectRaw({ port: edge.port });
      await client.send(`GET /slow/30 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      client.end();
      assert.equal(echo(await client.readResponse()).url, '/slow/30');
      await eventually(() => client.ended);
      client.destroy();
    });

    it('says which host it was asked for, and in which generation, in its record', async () => {
      await get('/recorded');
      await eventually(() => edge.finished.some(({ target }) => target === '/recorded'));
      const record = edge.finished.find(({ target }) => target === '/recorded');
      assert.equal(record?.app, 'ns/app');
      assert.equal(record?.endpoint, `127.0.0.1:${gear.port}`);
      assert.equal(record?.generation, 1);
      assert.equal(record?.status, 200);
    });

    describe('under pressure', () => {
      beforeEach(async () => edge.route([endpointAt(gear.port)]));

      it('pauses the gear when the client does not read, and delivers everything once it does', async () => {
        const client = await connectRaw({ port: edge.port });
        client.socket.pause();
        await client.send(`GET /bytes/30000000 HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
        const before = liveBufferBytes();
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.ok(liveBufferBytes() - before < 20_000_000, 'the answer is not gathered in memory');
        client.socket.resume();
        const response = await client.readResponse();
        assert.ok(response.body.equals(patternBytes(30_000_000)));
      });
    });
  });
