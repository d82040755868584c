/**
 * What the kernel still holds of a peer that has reset the connection. It gives that out before it tells of the reset; Node does not ask
 * once a write of the socket's own has found the reset first. Plain TCP only.
 */
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { plainDescriptor } from './kernel-write.ts';

/** Fills `buffer` as far as that goes; the bytes read, 0 when there is nothing (more). For a socket that is not closed yet, and will be. */
export function readFromKernel(socket: Socket, buffer: Buffer): number {
  const fd = plainDescriptor(socket);
  if (fd < 0) return 0;
  try {
    return readSync(fd, buffer);
  } catch {
    // Nothing there, or the reset itself.
    return 0;
  }
}
