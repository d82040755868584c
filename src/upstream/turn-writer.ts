/**
 * Writes of one turn of the event loop go out together, after everything that was readable has been read: a fifth less CPU a request
 * under load (`npm run bench`), since the peers wake up less often, and reading and writing each run on warm code. What is small
 * and alone goes directly to the kernel then (direct-write.ts); everything else through a corked socket, which keeps order, `end`,
 * `writableLength` and 'drain' right by itself. Call `settle` before anything else is done with the socket's writing side.
 */
import type { Socket } from 'node:net';
import { type DirectHandle, directHandle, type WriteOwner, writeDirectly } from './direct-write.ts';
import { fill, writeGathered } from './gathered-write.ts';

/** Above it a piece is the stream's affair, with its back-pressure. */
const MAX_DIRECT_BYTES = 16_384;
/** What one turn writes at most before it goes out early. A client that does not read holds one such buffer, within what may wait for it anyway. */
const TURN_BYTES = 65_536;

let queue: TurnWriter[] = [];
let buffer = Buffer.allocUnsafeSlow(TURN_BYTES);
let used = 0;

export class TurnWriter implements WriteOwner {
  readonly #socket: Socket;
  #handle: DirectHandle | null = null;
  /** Goes out at the end of this turn; a Buffer lies in the turn's own. */
  #pending: string | Buffer | null = null;
  #queued = false;
  /** The kernel has not taken the last direct write whole. */
  #held = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Latin1 text. */
  writeText(text: string): void {
    if (text.length <= MAX_DIRECT_BYTES && this.#isFree()) this.#pending = text;
    else this.#corked().write(text, 'latin1');
    this.#enqueue();
  }

  /** `parts` (text is latin1), `size` bytes in all, which are the caller's again when it returns. */
  writeParts(parts: readonly (string | Buffer)[], size: number): void {
    if (size <= MAX_DIRECT_BYTES && this.#isFree()) {
      if (used + size > TURN_BYTES) flushAll();
      const end = fill(buffer, used, parts);
      this.#pending = buffer.subarray(used, end);
      used = end;
    } else writeGathered(this.#corked(), parts, size);
    this.#enqueue();
  }

  /** Hands what is pending to the socket, so that what the caller does with it next comes behind. */
  settle(): void {
    if (this.#pending === null) return;
    this.#corked();
    this.#enqueue();
  }

  /** Half-closes behind what was written. */
  end(): void {
    this.settle();
    this.#socket.end();
  }

  #isFree(): boolean {
    if (this.#pending !== null || this.#held || this.#socket.writableLength > 0) return false;
    this.#handle ??= directHandle(this.#socket);
    return this.#handle !== null;
  }

  /** The socket, corked, with what was pending in it. */
  #corked(): Socket {
    const socket = this.#socket;
    if (socket.writableCorked === 0) socket.cork();
    const pending = this.#pending;
    this.#pending = null;
    if (typeof pending === 'string') socket.write(pending, 'latin1');
    else if (pending !== null) socket.write(Buffer.from(pending));
    return socket;
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    if (queue.length === 0) setImmediate(flushAll);
    queue.push(this);
  }

  /** For `flushAll` only. True: the turn's buffer is not free again. */
  flush(): boolean {
    this.#queued = false;
    const pending = this.#pending;
    if (pending === null || this.#handle === null) {
      this.#socket.uncork();
      return false;
    }
    this.#pending = null;
    this.#held = writeDirectly(this.#socket, this.#handle, pending, this) === 'held';
    return this.#held && typeof pending !== 'string';
  }

  onTaken(): void {
    this.#held = false;
  }
}

function flushAll(): void {
  const writers = queue;
  queue = [];
  let held = false;
  for (const writer of writers) held = writer.flush() || held;
  if (held) buffer = Buffer.allocUnsafeSlow(TURN_BYTES);
  used = 0;
}
