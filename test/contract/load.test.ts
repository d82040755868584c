/** What endpoints are busy with, on both engines: the limit of requests in flight, the least loaded one first, tunnels that drain. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { ENGINES } from './exceptions.ts';

const STREAM = `GET /stream HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const UPGRADE =
  `GET /socket HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

for (const engine of ENGINES)
  describe(`the load of endpoints (${engine})`, () => {
    let edge: DataPlane | null = null;
    const gears: Gear[] = [];
    const start = async (
      count: number,
      overrides: Parameters<typeof startDataPlane>[0] = {},
    ): Promise<{ readonly edge: DataPlane; readonly gears: readonly Gear[] }> => {
      const started = await startDataPlane({ ...overrides, http: { ...overrides.http, engine } });
      edge = started;
      for (let n = 0; n < count; n++) gears.push(await startGear());
      await started.route(gears.map((gear) => endpointAt(gear.port)));
      return { edge: started, gears };
    };
    afterEach(async () => {
      await edge?.stop();
      for (const gear of gears.splice(0)) await gear.stop();
    });

    it('above the number of requests in flight at every endpoint a request gets 503 with its own code, until there is room', async () => {
      const { edge: plane } = await start(1, { upstream: { maxInFlightPerEndpoint: 2 } });
      const clients = await Promise.all([1, 2].map(() => connectRaw({ port: plane.port })));
      for (const client of clients) await client.send(STREAM);
      await eventually(() => gears[0]?.requests.length === 2);
      const refused = await request({ port: plane.port, host: HOST });
      assert.equal(refused.status, 503);
      assert.equal(headerOf(refused.rawHeaders, 'headgear-failure'), 'ENDPOINT_FULL');
      assert.match(headerOf(refused.rawHeaders, 'retry-after') ?? '', /^\d+$/);
      for (const client of clients) client.destroy();
      await eventually(() => gears[0]?.openConnections === 0);
      assert.equal((await request({ port: plane.port, host: HOST })).status, 200);
      assert.deepEqual(plane.plane.status().ejected, []);
    });

    it('a request goes on to an endpoint that has room', async () => {
      const { edge: plane } = await start(2, { upstream: { maxInFlightPerEndpoint: 1 } });
      const client = await connectRaw({ port: plane.port });
      await client.send(STREAM);
      await eventually(() => gears.some((gear) => gear.requests.length === 1));
      for (let n = 0; n < 4; n++) assert.equal((await request({ port: plane.port, host: HOST })).status, 200);
      client.destroy();
    });

    it('requests go to the endpoint that has the fewest under way', async () => {
      const { edge: plane } = await start(2);
      const client = await connectRaw({ port: plane.port });
      await client.send(STREAM);
      await eventually(() => gears.some((gear) => gear.requests.length === 1));
      const idle = gears.find((gear) => gear.requests.length === 0);
      for (let n = 0; n < 6; n++) assert.equal((await request({ port: plane.port, host: HOST })).status, 200);
      assert.equal(idle?.requests.length, 6);
      client.destroy();
    });

    it('a request that failed, or whose client left, is under way no longer', async () => {
      const { edge: plane } = await start(1, { upstream: { maxInFlightPerEndpoint: 1 } });
      for (let n = 0; n < 3; n++) {
        const client = await connectRaw({ port: plane.port });
        await client.send(STREAM);
        await eventually(() => gears[0]?.openConnections === 1);
        client.destroy();
        await eventually(() => gears[0]?.openConnections === 0);
      }
      assert.equal((await request({ port: plane.port, host: HOST })).status, 200);
    });

    it('a tunnel works on for a while when its endpoint leaves the table, then it is closed', async () => {
      const { edge: plane } = await start(1, { upstream: { tunnelDrainMs: 300 } });
      const client = await connectRaw({ port: plane.port });
      await client.send(UPGRADE);
      assert.equal((await client.readResponse()).status, 101);
      await plane.route([]);
      await client.send('a last word that nobody refuses');
      assert.equal(client.ended, false);
      await client.closed;
      await eventually(() => plane.finished.at(-1)?.status === 101);
    });
  });
