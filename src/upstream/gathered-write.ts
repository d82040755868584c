/**
 * Body bytes lie in a buffer that the next read overwrites, so what does not go out at once (kernel-write.ts, under TLS secure-write.ts) is copied before
 * it is written: once, with what frames it, into one piece. Large pieces go into buffers that come back when they are written. Fresh
 * ones cost a third of streaming a large body (allocation, page faults, cold caches; `npm run bench -- hop --load 10m`). To read uploads
 * into buffers of their socket's own, and to write those without a copy, was tried and cost a quarter more: what is read into is no
 * longer in the cache then.
 */
import type { Writable } from 'node:stream';
import { Pieces } from './pieces.ts';

/** Below it Node's own pool of small buffers does well. */
const LARGE_BYTES = 8_192;
/** One read of a socket with what frames it. */
const BUFFER_BYTES = 65_536 + 512;
const MAX_FREE = 64;

const free: Buffer[] = [];

/** Empty between two calls. */
const gathered = new Pieces();

/** Writes `parts` (text is latin1) in one go; they are the caller's again when it returns. */
export function writeParts(to: Writable, parts: readonly (string | Buffer)[]): void {
  gathered.parts(parts);
  writeGathered(to, gathered);
  gathered.clear();
}

/** Writes the pieces in one go; what they were taken from is the caller's again when it returns. `onWritten` as the stream's own. */
export function writeGathered(
  to: Writable,
  pieces: Pieces,
  onWritten?: (error?: Error | null) => void,
): void {
  const { size } = pieces;
  if (size < LARGE_BYTES || size > BUFFER_BYTES) {
    const bytes = Buffer.allocUnsafe(size);
    pieces.copyInto(bytes, 0);
    to.write(bytes, onWritten);
    return;
  }
  const buffer = free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  pieces.copyInto(buffer, 0);
  to.write(buffer.subarray(0, size), (error) => {
    // Whoever was to write it may still hold it after a failure.
    if (!error && free.length < MAX_FREE) free.push(buffer);
    onWritten?.(error);
  });
}
