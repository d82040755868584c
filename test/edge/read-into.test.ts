/** Shared reads: in use on the Nodes that we run on, never mixing up connections, and dispensable where a Node has them not. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { readInto } from '../../src/edge/read-into.ts';
import { connectRaw, headerOf } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { type Echo, startGear } from '../support/gear.ts';

describe('reading into one shared buffer', () => {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function accepted(): Promise<{ readonly client: Socket; readonly socket: Socket }> {
    const server = net.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    closers.push(() => {
      client.destroy();
      socket.destroy();
    });
    return { client, socket };
  }

  it('is possible for accepted sockets of this Node, and brings every byte, also those that lay in the socket before', async () => {
    const { client, socket } = await accepted();
    const seen: string[] = [];
    socket.unshift(Buffer.from('first '));
    socket.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    assert.equal(
      readInto(socket, (view) => seen.push(view.toString())),
      true,
      `not on ${process.version}`,
    );
    client.end('second');
    await once(socket, 'end');
    assert.equal(seen.join(''), 'first second');
  });

  it('pauses and resumes like any socket', async () => {
    const { client, socket } = await accepted();
    let bytes = 0;
    readInto(socket, (view) => {
      bytes += view.length;
      if (bytes === view.length) {
        socket.pause();
        setImmediate(() => socket.resume());
      }
    });
    socket.resume();
    client.end(Buffer.alloc(1_000_000));
    await once(socket, 'end');
    assert.equal(bytes, 1_000_000);
  });

  it('is left alone where a Node has other means', async () => {
    const { socket } = await accepted();
    const other = new Proxy(socket, {
      get: (target, key) => (key === '_handle' ? {} : Reflect.get(target, key)),
    });
    assert.equal(
      readInto(other, () => {}),
      false,
    );
  });

  it('never lets one client’s bytes get into another’s request, however the two are cut', async () => {
    const edge: DataPlane = await startDataPlane();
    closers.push(() => edge.stop());
    const gear = await startGear();
    closers.push(() => gear.stop());
    await edge.route([endpointAt(gear.port)]);
    const names = ['a', 'b', 'c', 'd'];
    const clients = await Promise.all(names.map(() => connectRaw({ port: edge.port })));
    const requests = names.map((name) => {
      const body = name.repeat(1_000);
      return `POST /a HTTP/1.1\r\nHost: ${HOST}\r\nX-Who: ${name}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    });
    const longest = Math.max(...requests.map((request) => request.length));
    for (let at = 0; at < longest; at += 97) {
      for (const [index, client] of clients.entries())
        await client.send(requests[index]?.slice(at, at + 97) ?? '');
    }
    for (const [index, client] of clients.entries()) {
      const response = await client.readResponse();
      const echo = JSON.parse(response.body.toString()) as Echo;
      const sent = names[index]?.repeat(1_000) ?? '';
      assert.equal(echo.bodySha256, createHash('sha256').update(sent).digest('hex'));
      assert.equal(headerOf(echo.rawHeaders, 'x-who'), names[index]);
    }
  });
});
