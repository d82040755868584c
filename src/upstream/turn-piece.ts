/**
 * What one socket is to write at the turn's end, as one piece: text, or bytes in the turn's room. A view of the bytes is made when it is
 * needed, of most of them for the moment of their write.
 */
import type { WriteRoom } from './arena.ts';
import type { Pieces } from './pieces.ts';

export class TurnPiece {
  /** Latin1. Of this and the room one at most is there. */
  #text: string | null = null;
  #room: WriteRoom | null = null;
  #start = 0;
  #end = 0;

  get isEmpty(): boolean {
    return this.#text === null && this.#room === null;
  }

  /** Where its bytes lie; null for text. */
  get room(): WriteRoom | null {
    return this.#room;
  }

  /** Where in the room its bytes begin. */
  get start(): number {
    return this.#start;
  }

  /** How many bytes lie in the room. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Whether it ends where the next bytes of `room` will lie: while one socket is read, the pieces of a body (records of TLS, say) follow one another. */
  endsAt(room: WriteRoom): boolean {
    return this.#room === room && this.#end === room.end;
  }

  /** Empty before. Latin1. */
  putText(text: string): void {
    this.#text = text;
  }

  /** Empty before. Copies the pieces into `room`, which has room for them. */
  putBytes(room: WriteRoom, pieces: Pieces): void {
    this.#room = room;
    this.#start = room.end;
    this.#end = room.take(pieces);
  }

  /** Copies further ones behind it, where it `endsAt` a room that can grow by them. */
  extend(room: WriteRoom, pieces: Pieces): void {
    this.#end = room.take(pieces);
  }

  /** Takes it out: latin1 text, or a view that is valid during this turn, and longer while its room is held. Null: there was none. */
  take(): string | Uint8Array | null {
    const taken = this.#room === null ? this.#text : this.#room.view(this.#start, this.#end);
    this.#clear();
    return taken;
  }

  /** Takes it out as a piece of what is to be written at once. */
  moveTo(pieces: Pieces): void {
    if (this.#room !== null) this.#room.giveTo(pieces, this.#start, this.#end);
    else if (this.#text !== null) pieces.text(this.#text);
    this.#clear();
  }

  #clear(): void {
    this.#text = null;
    this.#room = null;
    this.#start = this.#end = 0;
  }
}
