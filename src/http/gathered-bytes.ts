/** Bytes that came in pieces and wait to be read from the front. */

const NOTHING = Buffer.alloc(0);
const MIN_STORE_BYTES = 1_024;
/** A rest below this is not worth a copy to let go of the piece it lies in. */
const PINNED_BYTES = 16_384;

/**
 * Appending n pieces costs O(n) in all: with `Buffer.concat` at every piece, a head or a body dripped byte by byte would cost its
 * sender one byte and us a copy of everything before it.
 */
export class GatheredBytes {
  #bytes: Buffer = NOTHING;
  /** Holds `#bytes` and may have room behind it; null while `#bytes` is somebody's piece. */
  #store: Buffer | null = null;
  #end = 0;
  /** Of the store, or of the piece. Not of the memory that a piece lies in, which may be one for many readers and stays anyway. */
  #heldBytes = 0;

  get length(): number {
    return this.#bytes.length;
  }

  /** A view of everything. What was read from it stays valid: room is only ever used up, never used again. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Copies what is left of a piece that was kept as it was: its sender may use it again. */
  own(): void {
    if (this.#bytes.length === 0 || this.#store !== null) return;
    this.#store = Buffer.allocUnsafeSlow(Math.max(MIN_STORE_BYTES, this.#bytes.length));
    this.#store.set(this.#bytes);
    this.#end = this.#bytes.length;
    this.#heldBytes = this.#store.length;
    this.#bytes = this.#store.subarray(0, this.#end);
  }

  /** Appends a piece; the first one is kept as it is, without a copy. */
  push(piece: Buffer): void {
    const before = this.#bytes.length;
    if (before === 0) {
      this.#bytes = piece;
      this.#store = null;
      this.#heldBytes = piece.length;
      return;
    }
    let store = this.#store;
    if (store === null || this.#end + piece.length > store.length) {
      store = Buffer.allocUnsafeSlow(Math.max(MIN_STORE_BYTES, 2 * (before + piece.length)));
      store.set(this.#bytes);
      this.#store = store;
      this.#heldBytes = store.length;
      this.#end = before;
    }
    store.set(piece, this.#end);
    this.#end += piece.length;
    this.#bytes = store.subarray(this.#end - before - piece.length, this.#end);
  }

  /** Removes the first `count` bytes. A small rest lets go of the large piece that it came in. */
  drop(count: number): void {
    if (count >= this.#bytes.length) {
      this.#bytes = NOTHING;
      this.#store = null;
      return;
    }
    const rest = this.#bytes.subarray(count);
    if (this.#heldBytes > PINNED_BYTES && rest.length * 4 < this.#heldBytes) {
      this.#bytes = Buffer.from(rest);
      this.#store = null;
      this.#heldBytes = rest.length;
    } else {
      this.#bytes = rest;
    }
  }
}
