/** The end of a connection whose last bytes the client shall still read. */
import type { Socket } from 'node:net';

const LINGER_MS = 1_000;

/** Says `lastWords`, then closes when the client has, or soon. Closing at once would make the kernel reset the connection, and lose them. */
export function endLingering(socket: Socket, lastWords?: Buffer): void {
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
  if (lastWords === undefined) socket.end();
  else socket.end(lastWords);
  socket.resume();
}
