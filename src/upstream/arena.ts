/**
 * One piece of memory for what passes through: what clients sent is read into one part of it, what gears sent into another, what waits of
 * both lies beside (turn-reads.ts), and what one turn of the event loop writes is gathered in others. Within one array a copy is a single cheap call, without a view of what is
 * copied: making one costs twice the copy of a kilobyte, and a loop over its bytes fifty times (`npm run bench -- copies`).
 */

const ROOM_BYTES = 65_536;
const READ_ROOMS = 2;
/** For what was read into a room and is put aside (turn-reads.ts). */
const KEPT_BYTES = 2 * ROOM_BYTES;
/** Those that turns write from. Once a gear or client does not take what is in one, the next turns go on in another. */
const WRITE_ROOMS = 8;
/** What a single socket may be written at most in one go of what came in small pieces (turn-writer.ts): 24 full records of TLS. */
export const BURST_BYTES = 393_216;
/** A burst begins where the next small piece would lie. Of a room that has seen none, what lies behind is never touched and takes no memory. */
const WRITE_BYTES = ROOM_BYTES + BURST_BYTES;

const WRITE_START = READ_ROOMS * (ROOM_BYTES + KEPT_BYTES);
const arena = Buffer.allocUnsafeSlow(WRITE_START + WRITE_ROOMS * WRITE_BYTES);
/** The same: Node's own kind of array takes half as long again to make a view of. */
const plain = new Uint8Array(arena.buffer);

/** A view into the arena says so: asking it for its buffer costs more than copying from it. */
interface ArenaView extends Buffer {
  inArena?: true;
}

/** Up to this length a view is made once. */
const CACHED_VIEWS = 4_096;

/** A room that many sockets read into, one after another. */
export class ReadRoom {
  readonly buffer: Buffer;
  readonly #start: number;
  readonly #keptStart: number;
  readonly #views: (Buffer | undefined)[] = new Array(CACHED_VIEWS).fill(undefined);
  /** The last one of those that are longer: of a large body nearly every read is of one length. */
  #longView: ArenaView;
  /** Where what is kept begins and how long it is, one after the other; the first `#keptCount` are in use. */
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];
  #keptCount = 0;
  #keptBytes = 0;

  constructor(index: number) {
    this.#start = index * ROOM_BYTES;
    this.#keptStart = READ_ROOMS * ROOM_BYTES + index * KEPT_BYTES;
    this.buffer = arena.subarray(this.#start, this.#start + ROOM_BYTES);
    this.#longView = this.#newView(ROOM_BYTES);
  }

  /** The first `length` bytes of it: valid, like those, until the next read. */
  viewOf(length: number): Buffer {
    if (length >= CACHED_VIEWS) {
      if (this.#longView.length !== length) this.#longView = this.#newView(length);
      return this.#longView;
    }
    let view = this.#views[length];
    if (view === undefined) this.#views[length] = view = this.#newView(length);
    return view;
  }

  #newView(length: number): ArenaView {
    const view: ArenaView = this.buffer.subarray(0, length);
    view.inArena = true;
    return view;
  }

  /** How many bytes can still be put aside. */
  get spaceToKeep(): number {
    return KEPT_BYTES - this.#keptBytes;
  }

  /** Puts the first `length` bytes aside, where there is space, as number 0, 1 and so on. */
  keep(length: number): void {
    const at = this.#keptStart + this.#keptBytes;
    arena.copyWithin(at, this.#start, this.#start + length);
    this.#starts[this.#keptCount] = at;
    this.#lengths[this.#keptCount++] = length;
    this.#keptBytes += length;
  }

  /** Those that were put aside as number `index`, back where they were read. */
  giveBack(index: number): Buffer {
    const start = this.#starts[index] ?? 0;
    const length = this.#lengths[index] ?? 0;
    arena.copyWithin(this.#start, start, start + length);
    return this.viewOf(length);
  }

  /** Forgets all that was put aside. */
  clearKept(): void {
    this.#keptCount = 0;
    this.#keptBytes = 0;
  }
}

/** What clients send, and what gears send. */
export const clientReads = new ReadRoom(0);
export const gearReads = new ReadRoom(1);

/** Where a turn gathers what it writes. */
export class WriteRoom {
  readonly #buffer: Buffer;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #size: number;
  #used = 0;
  /** Writes that the kernel has not taken whole: their bytes are in use. */
  #held = 0;

  constructor(buffer: Buffer, bytes: Uint8Array, start: number, size: number) {
    this.#buffer = buffer;
    this.#bytes = bytes;
    this.#start = start;
    this.#size = size;
  }

  get inUse(): boolean {
    return this.#held > 0;
  }

  /** For a piece that begins at `end`: what is gathered for many is to stay in the processor's cache until it goes out. */
  hasRoomFor(size: number): boolean {
    return this.#used + size <= ROOM_BYTES;
  }

  /** For what follows in the piece that ends at `end`. */
  canGrowBy(size: number): boolean {
    return this.#used + size <= this.#size;
  }

  /** Where the next pieces will lie. */
  get end(): number {
    return this.#start + this.#used;
  }

  /** Copies the pieces to `end`; returns the new one. */
  take(pieces: { copyInto(target: Buffer, at: number): number }): number {
    const end = pieces.copyInto(this.#buffer, this.end);
    this.#used = end - this.#start;
    return end;
  }

  view(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }

  /** The same as a piece of what is to be written. */
  giveTo(
    pieces: { range(source: Buffer, start: number, end: number): void },
    start: number,
    end: number,
  ): void {
    pieces.range(this.#buffer, start, end);
  }

  /** What was there from `at` on has been written. */
  endAt(at: number): void {
    this.#used = at - this.#start;
  }

  /** What was there has been written. */
  clear(): void {
    this.#used = 0;
  }

  hold(): void {
    this.#held++;
  }

  release(): void {
    this.#held--;
  }
}

const writeRooms = Array.from(
  { length: WRITE_ROOMS },
  (_, index) => new WriteRoom(arena, plain, WRITE_START + index * WRITE_BYTES, WRITE_BYTES),
);

/** An empty room of the arena besides `used`, or null when there is none. */
export function spareWriteRoom(used: WriteRoom): WriteRoom | null {
  const spare = writeRooms.find((room) => !room.inUse && room !== used) ?? null;
  spare?.clear();
  return spare;
}

/** An empty room. One outside of the arena, where the copies cost more, once clients that read nothing hold all in it. */
export function freeWriteRoom(): WriteRoom {
  const free = writeRooms.find((room) => !room.inUse);
  if (free !== undefined) {
    free.clear();
    return free;
  }
  const buffer = Buffer.allocUnsafeSlow(ROOM_BYTES);
  return new WriteRoom(buffer, new Uint8Array(buffer.buffer), 0, ROOM_BYTES);
}

/** Copies `source[start, end)` to `arena[at, ...)`, or to another `target`. */
export function copyRange(source: ArenaView, start: number, end: number, target: Buffer, at: number): void {
  if (source.inArena === true && target === arena) {
    const offset = source.byteOffset;
    arena.copyWithin(at, offset + start, offset + end);
  } else {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
  }
}
