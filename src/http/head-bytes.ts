/** Where in the bytes of a head lies what passes on: so it goes out as it came in, without having been text in between. */

/** Where pieces of what is to be written are gathered. */
export interface PieceSink {
  /** Latin1 text. */
  text(text: string): void;
  bytes(source: Buffer): void;
  /** The bytes of `source` from `start` up to `end`. */
  range(source: Buffer, start: number, end: number): void;
}

const NOTHING = Buffer.alloc(0);

/**
 * Of one head after another, like the walk over its fields: what is noted here is of the head that was read last, and it is
 * valid only as long as the bytes it was read from.
 */
export class HeadBytes {
  #bytes: Buffer = NOTHING;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #runs = 0;
  #emptyLine = 0;

  /** A head begins in `bytes`, whose first `lineEnd` are its first line with CRLF. */
  begin(bytes: Buffer, lineEnd: number): void {
    this.#bytes = bytes;
    this.#runs = 0;
    this.keep(0, lineEnd);
  }

  /** What lies there passes on. */
  keep(start: number, end: number): void {
    const last = this.#runs - 1;
    if (last >= 0 && this.#ends[last] === start) {
      this.#ends[last] = end;
      return;
    }
    this.#starts[this.#runs] = start;
    this.#ends[this.#runs] = end;
    this.#runs++;
  }

  /** The empty line begins at `emptyLine`. */
  finish(emptyLine: number): void {
    this.#emptyLine = emptyLine;
  }

  /** The first line and the lines that pass on, as latin1 text. */
  get text(): string {
    let text = '';
    for (let index = 0; index < this.#runs; index++) {
      text += this.#bytes.toString('latin1', this.#starts[index], this.#ends[index]);
    }
    return text;
  }

  /** The bytes are about to be others': there is nothing to be read here until the next head. */
  leave(): void {
    this.#bytes = NOTHING;
    this.#runs = 0;
  }

  /** The first line and the lines that pass on, without the empty line. */
  linesTo(pieces: PieceSink): void {
    for (let index = 0; index < this.#runs; index++) {
      pieces.range(this.#bytes, this.#starts[index] ?? 0, this.#ends[index] ?? 0);
    }
  }

  /** The empty line: together with the lines before it, where those pass on, and with the body behind it. */
  emptyLineTo(pieces: PieceSink): void {
    pieces.range(this.#bytes, this.#emptyLine, this.#emptyLine + 2);
  }
}
