/** Writes frames to a socket; those of one turn of the loop go out together, since a batch is acked at once. */
import type { Socket } from 'node:net';
import { encodeFrame, type StompVersion } from './frame-text.ts';

export type FrameWriter = (
  command: string,
  headers: readonly (readonly [name: string, value: string])[],
  version: StompVersion,
) => void;

/** A writer that does nothing once the socket takes no more. */
export function createFrameWriter(socket: Socket): FrameWriter {
  let corked = false;
  return (command, headers, version) => {
    if (!socket.writable) return;
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    socket.write(encodeFrame(command, headers, version));
  };
}
