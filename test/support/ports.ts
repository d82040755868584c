/** Loopback ports for programs that cannot be told to take any free one. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A TCP port that was free a moment ago on this loopback address. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
