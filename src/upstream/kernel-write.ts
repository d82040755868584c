/**
 * Large pieces go to the kernel from where they were read, at once: nothing of them is copied unless the kernel has no room. A socket's
 * own write takes hold of its bytes until it is over, and what lies in a buffer that the next read overwrites cannot be given to
 * it; hence the system call on the socket's descriptor, which takes what it takes and says how much. A 10 MiB upload costs half of what
 * it did, a download two thirds (`npm run bench -- hop --load upload-10m`). Plain TCP only.
 */
import { writeSync, writevSync } from 'node:fs';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Pieces } from './pieces.ts';

type Inside = { readonly _handle?: { readonly fd?: number } | null };

/** No room for now; of both libuv makes the same. */
const NO_ROOM: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'ENOBUFS']);

/** A plain socket's descriptor; -1: it has none. To be asked for each time: a closed one's number may be another file's by now. */
export function plainDescriptor(socket: Socket): number {
  // Under TLS the descriptor is the one beneath the encryption.
  return socket instanceof TLSSocket ? -1 : ((socket as unknown as Inside)._handle?.fd ?? -1);
}

/**
 * Gives the kernel what it takes now; the rest stays in `pieces`, all of it also for a socket that cannot be written to this way. Only for an
 * open socket on which nothing waits to be written. Returns why it has failed, or null. The kernel says so once, and to whoever asks next
 * that the peer has ended in good order: an answer that was broken off would look whole.
 */
export function writeToKernel(socket: Socket, pieces: Pieces): NodeJS.ErrnoException | null {
  const fd = plainDescriptor(socket);
  if (fd < 0) return null;
  const views = pieces.views();
  let taken = 0;
  try {
    const [only] = views;
    taken = only !== undefined && views.length === 1 ? writeSync(fd, only) : writevSync(fd, views);
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    return NO_ROOM.has(failure.code) ? null : failure;
  }
  pieces.clear();
  for (const view of views) {
    pieces.range(view, Math.min(taken, view.length), view.length);
    taken = Math.max(0, taken - view.length);
  }
  return null;
}
