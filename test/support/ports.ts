/** Loopback ports for programs that cannot be told to take any free one. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** The kernel likes to give the same port again at once, to what then fight for it. */
const given = new Set<number>();

/** A TCP port that was free a moment ago on this loopback address, and another one at each call. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const server = createServer();
    server.listen(0, host);
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (address === null || typeof address === 'string') throw new Error('no port');
    if (given.has(address.port)) continue;
    given.add(address.port);
    return address.port;
  }
}
