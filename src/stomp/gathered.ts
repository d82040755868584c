const EMPTY = Buffer.alloc(0);

/** Bytes that come in pieces. Doubling keeps one-byte chunks cheap: an array of slices would cost 100 bytes for each. */
export class Gathered {
  #bytes: Buffer = EMPTY;
  length = 0;

  append(piece: Buffer): void {
    const wanted = this.length + piece.length;
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    piece.copy(this.#bytes, this.length);
    this.length = wanted;
  }

  take(): Buffer {
    const isAll = this.length === this.#bytes.length;
    const taken = isAll ? this.#bytes : this.#bytes.subarray(0, this.length);
    this.#bytes = EMPTY;
    this.length = 0;
    return taken;
  }
}
