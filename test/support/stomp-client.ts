/** A raw STOMP client for tests: sends exactly the bytes it is given and shows every frame that comes back. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameParser } from '../../src/stomp/frame.ts';
import { headersOf } from '../../src/stomp/frame-text.ts';
import type { Frame } from '../../src/stomp/frame-types.ts';
import { eventually } from './eventually.ts';

export interface RawStomp {
  readonly socket: Socket;
  /** `COMMAND` and headers of every frame so far. */
  readonly frames: { readonly command: string; readonly headers: ReadonlyMap<string, string> }[];
  /** Line ends outside of frames: heart-beats. */
  beats(): number;
  /** True once the server has ended its side or the connection is gone. */
  ended(): boolean;
  write(bytes: string | Buffer): void;
  /** Waits for the n-th frame (from 1). */
  frame(n: number): Promise<{ readonly command: string; readonly headers: ReadonlyMap<string, string> }>;
}

/** Connects over loopback. `hello` is written at once. */
export async function rawStomp(port: number, hello = ''): Promise<RawStomp> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const parser = new FrameParser({
    maxLineBytes: 65_536,
    maxHeaders: 100,
    maxBodyBytes: 1_000_000,
    excess: 'refuse',
  });
  const frames: RawStomp['frames'] = [];
  let ended = false;
  let beats = 0;
  const note = (frame: Frame) => {
    const decoded = headersOf(frame, '1.2');
    if (decoded.ok) frames.push({ command: frame.command, headers: decoded.headers });
  };
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    if (chunk.length === 1 && chunk[0] === 10) beats += 1;
    for (const frame of parser.feed(chunk).frames) note(frame);
  });
  for (const event of ['end', 'close'])
    socket.on(event, () => {
      ended = true;
    });
  await once(socket, 'connect');
  if (hello !== '') socket.write(hello);
  return {
    socket,
    frames,
    beats: () => beats,
    ended: () => ended,
    write: (bytes) => void socket.write(bytes),
    async frame(n) {
      await eventually(() => frames.length >= n, `frame ${n}`);
      const frame = frames[n - 1];
      if (frame === undefined) throw new Error('unreachable');
      return frame;
    },
  };
}
