import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { freePort } from './ports.ts';

describe('a free port', () => {
  const take = async (port: number, host: string) => {
    const server = createServer();
    server.listen(port, host);
    await once(server, 'listening');
    server.close();
  };

  it('can be taken, and is not given again', async () => {
    const ports = [await freePort(), await freePort(), await freePort('127.0.0.2')];
    assert.equal(new Set(ports).size, 3);
    for (const port of ports.slice(0, 2)) await take(port, '127.0.0.1');
  });

  it('of another loopback address stays taken on 127.0.0.1, so that no Headgear is given it there', async () => {
    const port = await freePort('127.0.0.2');
    await take(port, '127.0.0.2');
    await assert.rejects(take(port, '127.0.0.1'), { code: 'EADDRINUSE' });
  });
});
