/**
 * What many sockets read in one turn of the event loop is worked on together, once all of it is there and before the turn's writes go out
 * (turn.ts): system calls and decryption run one after another on warm code, then heads, routes and answers do. That is a twentieth of a request's CPU
 * (`npm run bench`), two copies of each head included: sockets read into one room after another, so that what waits lies elsewhere.
 * Only what is small waits, and nothing waits longer than its answer would have waited anyway.
 */
import { clientReads, gearReads, type ReadRoom } from './arena.ts';
import { workBeforeWrites } from './turn.ts';

/** What is larger is a body, whose copies would cost more than they gain. */
const MAX_WAITING_BYTES = 4_096;

/** A socket's reader. */
export interface TurnReader {
  /** How many reads of it wait: for TurnReads only, which begins with 0. */
  waitingReads: number;
  /** Takes what was read, a view that is valid during the call. Returns whether to read on. */
  take(view: Buffer): boolean;
  /** It said no to a read that had waited. */
  stopReading(): void;
}

/** The reads of all sockets that read into one room. */
export class TurnReads {
  readonly #room: ReadRoom;
  /** Null where a read was worked on before its time. */
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
  take(reader: TurnReader, length: number, mayWait: boolean): boolean {
    const isBehind = reader.waitingReads > 0;
    if ((mayWait || isBehind) && this.#keep(reader, length)) return true;
    const view = this.#room.viewOf(length);
    if (!isBehind) return reader.take(view);
    const copy = Buffer.from(view);
    this.finish(reader);
    return reader.take(copy);
  }

  /** Has `reader` take what waits of it: no more is read for it, or what comes now is behind it. */
  finish(reader: TurnReader): void {
    // In the midst of the work, whose view lies where the next one would, it is that work's turn anyway.
    if (this.#working) return;
    for (let index = 0; reader.waitingReads > 0 && index < this.#count; index++) {
      if (this.#readers[index] === reader) this.#workOn(index);
    }
  }

  /** For the turn only. */
  work(): void {
    this.#working = true;
    for (let index = 0; index < this.#count; index++) this.#workOn(index);
    this.#working = false;
    this.#count = 0;
    this.#room.clearKept();
  }

  #keep(reader: TurnReader, length: number): boolean {
    // Whoever reads in the midst of the work is the only one to do so.
    if (length > MAX_WAITING_BYTES || this.#working) return false;
    this.#room.keep(length);
    if (this.#count === 0) workBeforeWrites(workOnReads);
    this.#readers[this.#count++] = reader;
    reader.waitingReads++;
    // Now and not when the next one comes, which lies where the work's views will lie.
    if (this.#room.place < MAX_WAITING_BYTES) this.work();
    return true;
  }

  #workOn(index: number): void {
    const reader = this.#readers[index];
    if (reader === null || reader === undefined) return;
    this.#readers[index] = null;
    reader.waitingReads--;
    if (!reader.take(this.#room.giveBack(index))) reader.stopReading();
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
