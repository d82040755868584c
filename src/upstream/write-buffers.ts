/**
 * Buffers for large pieces that wait to be written, which come back when they are. Fresh ones cost a third of streaming a large body
 * (allocation, page faults, cold caches), and worse: V8 counts their bytes and in some processes collects its whole heap again and again for
 * them. 64 clients that upload 64 KiB at a time over TLS made it do so twenty times a second, a third of their CPU
 * (`npm run bench -- hop --load upload-64k`). What is kept of each size is what such clients have under way at once.
 */
import type { Writable } from 'node:stream';

export type OnWritten = ((error?: Error | null) => void) | undefined;

/** Bytes of one size that are kept while nobody needs them. */
const MAX_FREE_BYTES = 6_291_456;

export class BufferPool {
  readonly size: number;
  readonly #free: Buffer[] = [];
  readonly #maxFree: number;

  constructor(size: number) {
    this.size = size;
    this.#maxFree = Math.floor(MAX_FREE_BYTES / size);
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  giveBack(buffer: Buffer): void {
    if (this.#free.length < this.#maxFree) this.#free.push(buffer);
  }

  /** Writes the first `length` bytes of a buffer that was taken, and takes it back when that is over. `onWritten` as the stream's own. */
  write(to: Writable, buffer: Buffer, length: number, onWritten: OnWritten): void {
    to.write(buffer.subarray(0, length), (error) => {
      // Whoever was to write it may still hold it after a failure.
      if (!error) this.giveBack(buffer);
      onWritten?.(error);
    });
  }
}

/** For a read of a socket, with what frames it. */
export const tailPool = new BufferPool(65_536 + 512);
/** Besides it, for a record of TLS, and for a read behind what a turn has gathered. */
const POOLS = [new BufferPool(16_384 + 512), tailPool, new BufferPool(131_072)];

/** The pool of buffers that hold `size` bytes; undefined for more than any does. */
export function poolFor(size: number): BufferPool | undefined {
  return POOLS.find((pool) => size <= pool.size);
}
