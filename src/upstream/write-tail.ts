/**
 * What a turn writes to a socket that is busy, gathered into few large pieces before the socket gets it. A gear that takes an upload more
 * slowly than its client sends it has nearly all of it come this way, and the stream machinery does the same work for each piece,
 * however small (`npm run bench -- hop --load upload-10m`).
 */
import type { Socket } from 'node:net';
import { SMALL_BYTES, writeGathered } from './gathered-write.ts';
import { Pieces } from './pieces.ts';
import { type OnWritten, poolFor, tailPool } from './write-buffers.ts';

/** Empty between two calls, both. */
const rest = new Pieces();
const part = new Pieces();

export class WriteTail {
  readonly #socket: Socket;
  readonly #onWritten: OnWritten;
  #buffer: Buffer | null = null;
  #length = 0;

  /** `onWritten` as the socket's own, for each piece that it gets. */
  constructor(socket: Socket, onWritten: OnWritten) {
    this.#socket = socket;
    this.#onWritten = onWritten;
  }

  /** Bytes that the socket does not have yet. */
  get length(): number {
    return this.#length;
  }

  /** Copies the pieces behind what is here already. What does not fit goes to the socket, which the caller has corked; `give` has to follow within the turn. */
  add(pieces: Pieces): void {
    const { size } = pieces;
    if (size >= SMALL_BYTES && poolFor(size) === undefined) {
      this.#addInParts(pieces);
      return;
    }
    if (this.#length + size > tailPool.size) this.give();
    if (this.#buffer === null && (size < SMALL_BYTES || size > tailPool.size)) {
      writeGathered(this.#socket, pieces, this.#onWritten);
    } else {
      this.#buffer ??= tailPool.take();
      this.#length = pieces.copyInto(this.#buffer, this.#length);
    }
  }

  /** A burst that the gear does not take: fresh buffers of its size would cost what write-buffers.ts says of them. */
  #addInParts(pieces: Pieces): void {
    for (const view of pieces.views()) {
      for (let at = 0; at < view.length; at += tailPool.size) {
        part.range(view, at, Math.min(at + tailPool.size, view.length));
        this.add(part);
        part.clear();
      }
    }
  }

  /** Copies further bytes behind those that are here, if there are any and room behind them. Returns whether it did. */
  extend(bytes: Buffer): boolean {
    const length = this.#length + bytes.length;
    if (this.#buffer === null || length > tailPool.size) return false;
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
    return true;
  }

  /** Hands all of it to the socket. */
  give(): void {
    const [buffer, length] = [this.#buffer, this.#length];
    if (buffer === null) return;
    this.#buffer = null;
    this.#length = 0;
    if (4 * length >= tailPool.size) {
      tailPool.write(this.#socket, buffer, length, this.#onWritten);
      return;
    }
    // A peer that takes nothing must not hold many times what was written to it.
    rest.range(buffer, 0, length);
    writeGathered(this.#socket, rest, this.#onWritten);
    rest.clear();
    tailPool.giveBack(buffer);
  }
}
