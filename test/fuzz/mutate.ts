/** Cases for the fuzzer: real messages, changed; and messages put together from the pieces that parsers trip over. */

/** Repeatable dice (xorshift32): a case is known by its seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
    for (let warm = 0; warm < 4; warm++) this.#next();
  }

  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return limit <= 1 ? 0 : this.#next() % limit;
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }
}

export interface Corpus {
  readonly messages: readonly Buffer[];
  /** Pieces that mean something to the parser. */
  readonly pieces: readonly Buffer[];
}

const MAX_CASE_BYTES = 40_000;
const MUTATIONS = 6;

/** One case: three of four are changed messages, the rest a row of pieces. */
export function fuzzCase(corpus: Corpus, dice: Dice): Buffer {
  let bytes = dice.below(4) === 0 ? rowOfPieces(corpus, dice) : dice.pick(corpus.messages);
  for (let round = dice.below(MUTATIONS); round > 0; round--) bytes = mutate(bytes, corpus, dice);
  return Buffer.from(bytes.subarray(0, MAX_CASE_BYTES));
}

function rowOfPieces(corpus: Corpus, dice: Dice): Buffer {
  return Buffer.concat(Array.from({ length: 1 + dice.below(24) }, () => dice.pick(corpus.pieces)));
}

function mutate(bytes: Buffer, corpus: Corpus, dice: Dice): Buffer {
  const at = dice.below(bytes.length + 1);
  const length = dice.below(Math.min(bytes.length - at, 64) + 1);
  const [before, range, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (dice.below(9)) {
    case 0: // other bytes
      return Buffer.concat([before, Buffer.from(range.map(() => dice.below(256))), after]);
    case 1: // one bit
      return Buffer.concat([before, Buffer.from(range.map((byte) => byte ^ (1 << dice.below(8)))), after]);
    case 2: // left out
      return Buffer.concat([before, after]);
    case 3: // twice
      return Buffer.concat([before, range, range, after]);
    case 4: // very often
      return Buffer.concat([before, ...Array<Buffer>(dice.below(200)).fill(range), after]);
    case 5: // a piece put in
      return Buffer.concat([before, dice.pick(corpus.pieces), range, after]);
    case 6: // a piece in its place
      return Buffer.concat([before, dice.pick(corpus.pieces), after]);
    case 7: // cut off, and another message behind it
      return Buffer.concat([before, dice.pick(corpus.messages)]);
    default: // another message in the midst
      return Buffer.concat([before, dice.pick(corpus.messages), after]);
  }
}

/** The bytes in pieces: all at once is one piece, byte by byte is the other end. */
export function splits(bytes: Buffer, dice: Dice): Buffer[] {
  if (dice.below(8) === 0 && bytes.length < 4_096) {
    return Array.from(bytes, (byte) => Buffer.from([byte]));
  }
  const cuts = Array.from({ length: 1 + dice.below(6) }, () => dice.below(bytes.length + 1)).sort(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((cut, index) => Buffer.from(bytes.subarray(cut, cuts[index] ?? bytes.length)));
}

/** Latin1 texts as buffers. */
export function buffers(...texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text, 'latin1'));
}
