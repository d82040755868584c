/** Whether the other side takes what is written to it: a time-out for a peer that reads nothing must spare one that reads slowly. */
import type { Socket } from 'node:net';

/**
 * What a socket was given and the kernel has not taken: 0 when nothing, and any change is progress. `writableLength` alone falls only
 * when a whole write is through, which for a slow reader of a large answer may take minutes; hence the handle's own count, by
 * which Node's socket time-outs go too.
 */
export function unsentBytes(socket: Socket): number {
  const { writableLength } = socket;
  const { _handle } = socket as unknown as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return writableLength + (_handle?.writeQueueSize ?? 0);
}

/** Looked at now and then, it knows since when nothing has moved. */
export class SendWatch {
  #unsent = 0;
  #since = 0;

  /** Whether anything waited for the peer when it was last looked at. */
  get waiting(): boolean {
    return this.#unsent > 0;
  }

  /** Milliseconds for which the peer has taken nothing of what waits for it; 0 while nothing does. `now` of performance.now(). */
  stalledMs(socket: Socket, now: number): number {
    const unsent = unsentBytes(socket);
    if (unsent === 0 || unsent !== this.#unsent) {
      this.#unsent = unsent;
      this.#since = now;
      return 0;
    }
    return now - this.#since;
  }
}
