/**
 * Body bytes lie in a buffer that the next read overwrites, so what does not go out at once (kernel-write.ts, under TLS secure-write.ts) is copied before
 * it is written: once, with what frames it, into one piece. To read uploads into buffers of their socket's own, and to write those
 * without a copy, was tried and cost a quarter more: what is read into is no longer in the cache then.
 */
import type { Writable } from 'node:stream';
import { Pieces } from './pieces.ts';
import { type OnWritten, poolFor } from './write-buffers.ts';

/** Below it every Node cuts pieces from a larger one; newer ones do so up to 32 KiB, where the piece would hold all of that for as long as it waits. */
export const SMALL_BYTES = 4_096;

/** Empty between two calls. */
const gathered = new Pieces();

/** Writes `parts` (text is latin1) in one go; they are the caller's again when it returns. */
export function writeParts(to: Writable, parts: readonly (string | Buffer)[]): void {
  gathered.parts(parts);
  writeGathered(to, gathered);
  gathered.clear();
}

/** Writes the pieces in one go; what they were taken from is the caller's again when it returns. `onWritten` as the stream's own. */
export function writeGathered(to: Writable, pieces: Pieces, onWritten?: OnWritten): void {
  const { size } = pieces;
  const pool = size < SMALL_BYTES ? undefined : poolFor(size);
  const buffer = pool?.take() ?? Buffer.allocUnsafe(size);
  pieces.copyInto(buffer, 0);
  if (pool === undefined) to.write(buffer, onWritten);
  else pool.write(to, buffer, size, onWritten);
}
