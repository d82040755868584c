import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connectRaw } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, startGear } from '../support/gear.ts';

describe('a client that ends its side at once', () => {
  let edge: DataPlane;
  let gear: Gear;
  before(async () => {
    edge = await startDataPlane();
    gear = await startGear();
    await edge.route([endpointAt(gear.port)]);
  });
  after(async () => {
    await edge.stop();
    await gear.stop();
  });

  it('gets the answer to a whole request although the gear was still being dialled', async () => {
    for (let round = 0; round < 5; round++) {
      gear.dropConnections();
      await eventually(() => gear.openConnections === 0 && edge.plane.status().idleUpstreamConnections === 0);
      const client = await connectRaw({ port: edge.port });
      void client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\n\r\nhello`);
      client.end();
      const response = await client.readResponse();
      assert.equal((JSON.parse(response.body.toString()) as Echo).bodyLength, 5);
      client.destroy();
    }
  });

  it('gets nothing for half a request, and the gear sees it broken off', async () => {
    const before = gear.requests.length;
    const client = await connectRaw({ port: edge.port });
    void client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 50\r\n\r\nhello`);
    client.end();
    await eventually(() => client.ended && edge.plane.status().connections === 0);
    assert.equal(client.pending().length, 0);
    assert.ok(gear.requests.slice(before).every(({ complete }) => !complete));
  });
});
