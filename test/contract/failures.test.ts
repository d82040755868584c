import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connectRaw, headerOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear, startRawGear } from '../support/gear.ts';
import { ENGINES } from './exceptions.ts';

const REQUEST = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

for (const engine of ENGINES)
  describe(`when something fails (${engine})`, () => {
    let edge: DataPlane;
    const toStop: { stop(): Promise<void> }[] = [];
    beforeEach(async () => {
      edge = await startDataPlane({
        http: { engine },
        upstream: { connectTimeoutMs: 2_000, responseTimeoutMs: 300 },
      });
    });
    afterEach(async () => {
      await edge.stop();
      for (const part of toStop.splice(0)) await part.stop();
    });
    const gearNamed = async (name: string): Promise<Gear> => {
      const gear = await startGear({ name });
      toStop.push(gear);
      return gear;
    };
    const rawGear = async (...script: Parameters<typeof startRawGear>): Promise<{ port: number }> => {
      const gear = await startRawGear(...script);
      toStop.push(gear);
      return gear;
    };
    const deadPort = async (): Promise<number> => {
      const gear = await startGear();
      await gear.stop();
      return gear.port;
    };
    const failureOf = async (more: object = {}): Promise<[number, string | undefined]> => {
      const response = await request({ port: edge.port, host: HOST, ...more });
      return [response.status, headerOf(response.rawHeaders, 'headgear-failure')];
    };

    it('an unknown host gets 404, and the connection stays usable', async () => {
      const client = await connectRaw({ port: edge.port });
      for (const host of ['nobody.example', 'nobody.example:80']) {
        await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        const response = await client.readResponse();
        assert.equal(response.status, 404);
        assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'UNKNOWN_HOST');
      }
      client.destroy();
    });

    it('an application without endpoints gets 503 with Retry-After', async () => {
      await edge.route([]);
      const response = await request({ port: edge.port, host: HOST });
      assert.equal(response.status, 503);
      assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'NO_ENDPOINT');
      assert.match(headerOf(response.rawHeaders, 'retry-after') ?? '', /^\d+$/);
    });

    it('a refused connection is tried on another endpoint, for any method, with the body whole', async () => {
      const gear = await gearNamed('alive');
      await edge.route([endpointAt(await deadPort()), endpointAt(gear.port)]);
      for (let round = 0; round < 6; round++) {
        const response = await request({
          port: edge.port,
          host: HOST,
          method: 'POST',
          body: 'x'.repeat(70_000),
        });
        assert.equal(response.status, 200);
      }
      await eventually(
        () => gear.requests.length === 6 && gear.requests.every(({ bodyLength }) => bodyLength === 70_000),
      );
    });

    it('all endpoints refusing gets 503 with the name of the failure', async () => {
      await edge.route([endpointAt(await deadPort()), endpointAt(await deadPort())]);
      assert.deepEqual(await failureOf(), [503, 'CONNECT_REFUSED']);
    });

    it('a gear that closes without an answer is tried again once for GET, never for POST', async () => {
      const gear = await rawGear((socket) => socket.end());
      await edge.route([endpointAt(gear.port)]);
      assert.deepEqual(await failureOf(), [502, 'CLOSED_BEFORE_RESPONSE']);
      assert.deepEqual(await failureOf({ method: 'POST', body: 'x' }), [502, 'CLOSED_BEFORE_RESPONSE']);
    });

    it('a kept connection that the gear closed meanwhile is not held against the request', async () => {
      const gear = await gearNamed('g');
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      for (let round = 0; round < 20; round++) {
        await client.send(REQUEST);
        assert.equal((await client.readResponse()).status, 200);
        gear.dropConnections();
      }
      client.destroy();
    });

    it('a silent gear gets 504', async () => {
      const gear = await rawGear(() => {});
      await edge.route([endpointAt(gear.port)]);
      assert.deepEqual(await failureOf(), [504, 'RESPONSE_TIMEOUT']);
    });

    for (const [what, bytes] of [
      ['no HTTP at all', 'hello\r\n\r\n'],
      ['status 000', 'HTTP/1.1 000 Nothing\r\n\r\n'],
      ['two framings', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
      ['a bare LF in a field', 'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n'],
      ['a NUL', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
      ['an endless head', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}`],
      [
        '101 without being asked',
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      ],
      ['a flood of 1xx', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)],
    ] as const) {
      it(`a gear that answers with ${what} gets 502`, async () => {
        const gear = await rawGear((socket) => void socket.write(bytes));
        await edge.route([endpointAt(gear.port)]);
        const client = await connectRaw({ port: edge.port });
        await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
        assert.equal((await client.readResponse()).status, 502);
        client.destroy();
      });
    }

    it('an answer that breaks off breaks off for the client too', async () => {
      const gear = await gearNamed('cutting');
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      await client.send(`GET /cut/1000 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      await assert.rejects(client.readResponse());
      await eventually(() => client.ended);
      client.destroy();
      await eventually(() => edge.finished.some(({ failure }) => failure.startsWith('RESPONSE_CUT_SHORT')));
    });

    it('bytes that a gear sends unasked never become the next answer', async () => {
      const gear = await rawGear((socket) => {
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
        );
      });
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      for (let round = 0; round < 3; round++) {
        await client.send(REQUEST);
        assert.equal((await client.readResponse()).body.toString(), 'ok');
      }
      client.destroy();
    });

    it('an answer before the end of the upload reaches the client, and the connection closes', async () => {
      const gear = await rawGear(() => {}, {
        onConnection: (socket) => void socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'),
      });
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      await client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000000\r\n\r\n`);
      await client.send('x'.repeat(1000));
      const response = await client.readResponse();
      assert.equal(response.status, 413);
      assert.equal(headerOf(response.rawHeaders, 'connection'), 'close');
      client.destroy();
    });

    it('a client that leaves in the middle leaves nothing open behind it', async () => {
      // Not the impatient one of the other tests: the gear of this one shares its thread and has much to write, so that no answer is whole before
      // its client leaves.
      const patient = await startDataPlane({ http: { engine } });
      toStop.push(patient);
      const gear = await gearNamed('g');
      await patient.route([endpointAt(gear.port)]);
      const clients = await Promise.all(Array.from({ length: 10 }, () => connectRaw({ port: patient.port })));
      await Promise.all(
        clients.map((client) => client.send(`GET /bytes/24000000 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)),
      );
      await eventually(() => gear.requests.length === 10);
      for (const client of clients) client.destroy();
      await eventually(() => gear.openConnections === 0 && patient.plane.status().connections === 0);
      await eventually(
        () => patient.finished.filter(({ failure }) => failure === 'CLIENT_GONE').length === 10,
      );
    });

    it('requests under way survive the removal of their endpoint; later ones do not reach it', async () => {
      const [old, young] = [await gearNamed('old'), await gearNamed('young')];
      await edge.route([endpointAt(old.port)]);
      const slow = request({ port: edge.port, host: HOST, target: '/slow/100' });
      await eventually(() => old.requests.length === 1);
      await edge.route([endpointAt(young.port)]);
      assert.equal((await request({ port: edge.port, host: HOST })).status, 200);
      assert.equal((await slow).status, 200);
      assert.equal(young.requests.length, 1);
      await eventually(() => old.openConnections === 0);
    });
  });
