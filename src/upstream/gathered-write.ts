/**
 * Body bytes lie in a buffer that the next read overwrites, so they are copied before they are written: once, with what frames them,
 * into one piece. Large pieces go into buffers that come back when they are written. Fresh ones cost a third of streaming a large body
 * (allocation, page faults, cold caches; `npm run bench -- hop --load 10m`); a ring that is written from without a copy would
 * need a buffer of its own for every connection.
 */
import type { Writable } from 'node:stream';

/** Below it Node's own pool of small buffers does well. */
const LARGE_BYTES = 8_192;
/** One read of a socket with what frames it. */
const BUFFER_BYTES = 65_536 + 512;
const MAX_FREE = 64;

const free: Buffer[] = [];

/** Writes `parts` (text is latin1), `size` bytes in all, in one go. The parts are the caller's again when it returns. */
export function writeGathered(to: Writable, parts: readonly (string | Buffer)[], size: number): void {
  if (size < LARGE_BYTES || size > BUFFER_BYTES) {
    to.write(filled(Buffer.allocUnsafe(size), parts));
    return;
  }
  const buffer = free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  to.write(filled(buffer, parts).subarray(0, size), (error) => {
    // Whoever was to write it may still hold it after a failure.
    if (!error && free.length < MAX_FREE) free.push(buffer);
  });
}

function filled(buffer: Buffer, parts: readonly (string | Buffer)[]): Buffer {
  fill(buffer, 0, parts);
  return buffer;
}

/** Copies `parts` (text is latin1) into `buffer` from `at` on; returns where they end. */
export function fill(buffer: Buffer, at: number, parts: readonly (string | Buffer)[]): number {
  let end = at;
  for (const part of parts) {
    if (typeof part === 'string') end += buffer.write(part, end, 'latin1');
    else {
      buffer.set(part, end);
      end += part.length;
    }
  }
  return end;
}
