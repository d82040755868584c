/** A tunnel between two sockets: bytes both ways with back-pressure, half-closes passed on, over when both ends are. */
import type { Socket } from 'node:net';

export interface Joined {
  readonly client: Socket;
  readonly gear: Socket;
  /** What the client, and the gear, sent before the tunnel stood. */
  readonly early: Buffer;
  readonly first: Buffer;
  /** Silence in both directions, milliseconds. */
  readonly idleTimeoutMs: number;
}

/** Calls `onOver` once, with the bytes from the client and to it. */
export function joinSockets(joined: Joined, onOver: (bytesIn: number, bytesOut: number) => void): void {
  const { client, gear, early, first, idleTimeoutMs } = joined;
  let bytesIn = early.length;
  let bytesOut = first.length;
  let closed = 0;
  const destroy = () => {
    client.destroy();
    gear.destroy();
  };
  for (const socket of [client, gear]) {
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
    socket.on('error', destroy);
    socket.on('close', (hadError: boolean) => {
      closed++;
      // What was piped is flushed by the other side's own end; an error ends both.
      if (hadError) destroy();
      if (closed === 2) onOver(bytesIn, bytesOut);
    });
  }
  // A side that talks keeps both alive: one clock, on the gear's socket, fed by both directions.
  let lastActivity = performance.now();
  const idle = () => {
    const silentMs = performance.now() - lastActivity;
    if (silentMs >= idleTimeoutMs) destroy();
    else timer = setTimeout(idle, idleTimeoutMs - silentMs);
  };
  let timer = setTimeout(idle, idleTimeoutMs);
  client.on('data', (chunk: Buffer) => {
    bytesIn += chunk.length;
    lastActivity = performance.now();
  });
  gear.on('data', (chunk: Buffer) => {
    bytesOut += chunk.length;
    lastActivity = performance.now();
  });
  gear.on('close', () => clearTimeout(timer));
  if (first.length > 0) client.write(first);
  if (early.length > 0) gear.write(early);
  client.pipe(gear);
  gear.pipe(client);
  client.on('close', () => gear.destroySoon());
  gear.on('close', () => client.destroySoon());
}
