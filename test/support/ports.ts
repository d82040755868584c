/** Loopback ports for programs that cannot be told to take any free one. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const LOOPBACK = '127.0.0.1';

/** The kernel likes to give the same port again at once, to what then fight for it. */
const given = new Set<number>();

/**
 * A TCP port that was free a moment ago on this loopback address, and another one at each call. That of 127.0.0.2 and the like stays
 * taken on 127.0.0.1 until the process ends: a Headgear that was given it there would take the endpoint for a listener of its own, as it
 * should (table/address-policy.ts), and refuse it.
 */
export async function freePort(host = LOOPBACK): Promise<number> {
  for (;;) {
    const server = await listening(0, host);
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (address === null || typeof address === 'string') throw new Error('no port');
    const { port } = address;
    if (given.has(port)) continue;
    given.add(port);
    if (host === LOOPBACK || (await takeOnLoopback(port))) return port;
  }
}

/** false: somebody has it already, who may be a Headgear. */
async function takeOnLoopback(port: number): Promise<boolean> {
  try {
    (await listening(port, LOOPBACK)).unref();
    return true;
  } catch {
    return false;
  }
}

async function listening(port: number, host: string): Promise<Server> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}
