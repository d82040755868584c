/**
 * Room for those who wait to be accepted. libuv accepts one connection a turn of the event loop and listener (since 1.46: Node 20.4), and a turn
 * in which hundreds of connections have something to say takes tens of milliseconds: of a thousand clients that come at once the last ones
 * would wait for many seconds. So what a turn writes waits while connections are accepted: as nobody is answered, nobody has more to say, and
 * the next turns take a tenth of a millisecond. Several sockets on one port (SO_REUSEPORT) would do as well, but Node 20 has no way to
 * them, and a closed one resets what waits in it.
 */

/** What was there before must not wait for an endless row of new ones: at most so many turns and milliseconds, whichever is over first. */
const MAX_TURNS = 256;
const MAX_MS = 30;
/** A hold may last as long as the work before it, so that each gets half of the time, and at least this long. */
const MIN_MS = 5;

export class AcceptHold {
  #accepted = false;
  /** Turns held in a row. */
  #turns = 0;
  /** Of performance.now(): from when the row may last, and when the last one was over. */
  #until = 0;
  #endedAt = 0;

  /** A connection was accepted in this turn: more may be waiting. */
  noteAccepted(): void {
    this.#accepted = true;
  }

  /** Whether what was written in this turn so far may have to wait. */
  get mayHold(): boolean {
    return this.#accepted || this.#turns > 0;
  }

  /** Asked at the end of a turn: whether what it wrote is to wait for another one. */
  holds(): boolean {
    if (!this.mayHold) return false;
    const now = performance.now();
    if (this.#turns === 0) this.#until = now + Math.min(MAX_MS, Math.max(MIN_MS, now - this.#endedAt));
    const holds = this.#accepted && this.#turns < MAX_TURNS && now < this.#until;
    this.#accepted = false;
    this.#turns = holds ? this.#turns + 1 : 0;
    if (!holds) this.#endedAt = now;
    return holds;
  }
}

/** The thread's. */
export const acceptHold = new AcceptHold();
