import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { it } from 'node:test';
import { startSweep } from '../../src/upstream/sweep.ts';
import { eventually } from '../support/eventually.ts';

it('the sweep looks after what has arrived is read: nobody seems silent because we were busy', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  const [peer] = await accepted;
  const events: string[] = [];
  peer.on('data', () => events.push('data'));
  const stop = startSweep(() => events.push('sweep'));
  // Out of the timers' part of a turn: the busy time begins with nothing due.
  await new Promise((resolve) => setImmediate(resolve));
  client.write('x');
  const until = performance.now() + 700;
  while (performance.now() < until);
  await eventually(() => events.includes('sweep'));
  stop();
  assert.equal(events[0], 'data');
  client.destroy();
  peer.destroy();
  server.close();
});
