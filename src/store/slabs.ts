/**
 * Bytes that are kept together: 100,000 buffers of their own cost a start seconds of garbage collection. The slabs are shared memory, though
 * nobody shares them, because for each 64 MB of other buffers V8 marks the whole heap.
 */

/** A slab lives as long as anything in it does, so it is small enough that what outlives the rest keeps little. */
export const SLAB_BYTES = 256 * 1024;

/** Copies what it is given; what it returns is a part of a slab. */
export function createSlabs(): (bytes: Uint8Array) => Buffer {
  let slab: Buffer = Buffer.alloc(0);
  let used = 0;
  return (bytes) => {
    if (used + bytes.length > slab.length) {
      slab = Buffer.from(new SharedArrayBuffer(Math.max(SLAB_BYTES, bytes.length)));
      used = 0;
    }
    const start = used;
    used += bytes.length;
    slab.set(bytes, start);
    return slab.subarray(start, used);
  };
}
