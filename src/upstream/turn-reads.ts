/**
 * What many sockets read in one turn of the event loop is worked on together, once all of it is there and before the turn's writes go out
 * (turn.ts): system calls and decryption run one after another on warm code, then heads, routes and answers do. That saves a twentieth of a
 * request's CPU (`npm run bench`), although it costs two copies: sockets read into one room one after another, so what waits must lie
 * elsewhere. Only what is small waits. An answer over HTTP/1.1 leaves no later for it; one over HTTP/2 does so a turn later,
 * since nghttp2 has had its part of the turn by then.
 */
import { clientReads, gearReads, type ReadRoom } from './arena.ts';
import { workBeforeWrites } from './turn.ts';

/** What is larger is a body, whose copies would cost more than they gain. */
const MAX_WAITING_BYTES = 4_096;
/** What drips in bytes is worked on so often. */
const MAX_WAITING_READS = 1_024;

/** A socket's reader. */
export interface TurnReader {
  /** How many reads of it wait. For TurnReads only; begins with 0. */
  waitingReads: number;
  /** Takes what was read, a view that is valid during the call. Returns whether to read on. Nobody may read, nor call TurnReads, within it. */
  take(view: Buffer): boolean;
  /** Whoever takes at once stops by saying no to the socket; this is for a read that had waited, so that nobody is there to be told. */
  stopReading(): void;
}

/** The reads of all sockets that read into one room; one for each room. */
export class TurnReads {
  readonly #room: ReadRoom;
  /** Of what the room has put aside, by number; null where it was worked on before its time. */
  readonly #readers: (TurnReader | null)[] = [];
  #count = 0;
  #working = false;

  constructor(room: ReadRoom) {
    this.#room = room;
  }

  /**
   * The first `length` bytes of the room were read for `reader`, who gets them now or, where they `mayWait`, by the turn's end; in the order
   * in which they were read either way. Returns whether to read on.
   */
  offer(reader: TurnReader, length: number, mayWait: boolean): boolean {
    const isBehind = reader.waitingReads > 0;
    if ((mayWait || isBehind) && length <= MAX_WAITING_BYTES) {
      this.#putAside(reader, length);
      return true;
    }
    const view = this.#room.viewOf(length);
    if (!isBehind) return reader.take(view);
    const copy = Buffer.from(view);
    // It waits too, as far as the reader can tell.
    reader.waitingReads++;
    this.workOn(reader);
    reader.waitingReads--;
    return reader.take(copy);
  }

  /** Has `reader` take what waits of it: nothing more will be read for it, or what is read now is behind it. */
  workOn(reader: TurnReader): void {
    // Somebody's view lies where the next one would.
    if (this.#working) return;
    for (let index = 0; reader.waitingReads > 0 && index < this.#count; index++) {
      if (this.#readers[index] === reader) this.#give(index);
    }
  }

  /** Has everyone take what waits. For the turn only. */
  work(): void {
    for (let index = 0; index < this.#count; index++) this.#give(index);
    this.#count = 0;
    this.#room.clearKept();
  }

  #putAside(reader: TurnReader, length: number): void {
    this.#room.keep(length);
    if (this.#count === 0) workBeforeWrites(workOnReads);
    this.#readers[this.#count++] = reader;
    reader.waitingReads++;
    // Now and not when the next one comes, which lies where the work's views will lie.
    if (this.#room.spaceToKeep < MAX_WAITING_BYTES || this.#count === MAX_WAITING_READS) this.work();
  }

  #give(index: number): void {
    const reader = this.#readers[index];
    if (reader === null || reader === undefined) return;
    this.#readers[index] = null;
    reader.waitingReads--;
    this.#working = true;
    const goOn = reader.take(this.#room.giveBack(index));
    this.#working = false;
    if (!goOn) reader.stopReading();
  }
}

/** What clients send, and what gears send. */
export const clientTurnReads = new TurnReads(clientReads);
export const gearTurnReads = new TurnReads(gearReads);

function workOnReads(): void {
  // In this order requests find the connections that answers have left.
  gearTurnReads.work();
  clientTurnReads.work();
}
