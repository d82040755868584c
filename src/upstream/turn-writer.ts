/**
 * Writes of one turn of the event loop go out together, after everything that was readable has been read: a fifth less CPU a request
 * under load (`npm run bench`), since the peers wake up less often, and reading and writing each run on warm code. What is small
 * waits for the turn's end (turn.ts), what is large, or much of what is small, goes out at once, both past the stream machinery
 * (write-bypass.ts); everything else through a corked socket, which keeps order, `end`, `writableLength` and 'drain' right by itself.
 * Nothing else may write to the socket or end it.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { BURST_BYTES } from './arena.ts';
import { Pieces } from './pieces.ts';
import { joinTurn, type TurnMember, turnRoom, turnRoomWith } from './turn.ts';
import { TurnPiece } from './turn-piece.ts';
import type { OnWritten } from './write-buffers.ts';
import { type BypassOwner, WriteBypass } from './write-bypass.ts';
import { WriteTail } from './write-tail.ts';

/** Above it a piece goes to the kernel as soon as it is there. */
const MAX_DIRECT_BYTES = 16_384;
/**
 * Above it so does what a turn gathers for one socket, under TLS. Of plain ones it is BURST_BYTES, and what is above this by the turn's end is
 * copied where the kernel does not take it: a peer that takes nothing must not hold much of the room.
 */
const MAX_GATHERED_BYTES = 49_152;
/** Bytes waiting in a socket above which their source is to pause. */
export const HIGH_WATER_BYTES = 262_144;
/** Empty between two calls, both. */
const gathered = new Pieces();
const whole = new Pieces();
/** Always empty. */
const nothing = new Pieces();

/** Who wants to have a say in what becomes of a socket whose peer is gone. */
export interface TurnOwner {
  /** A write has found out; everything else that is written is dropped. The socket is as it was. */
  onWriteFailed(error: NodeJS.ErrnoException): void;
  /** The same of a write of the socket's own: as soon as this returns the socket destroys itself. */
  onSocketFails(error: NodeJS.ErrnoException): void;
}

export class TurnWriter implements TurnMember, BypassOwner {
  readonly #socket: Socket;
  readonly #owner: TurnOwner | null;
  readonly #bypass: WriteBypass;
  /** Goes out past the machinery at the end of this turn; then nothing is in the socket. */
  readonly #pending = new TurnPiece();
  /** What the socket itself is to have by the end of this turn, behind what it has; it is corked while there is any. */
  readonly #tail: WriteTail;
  /** What may be pending of what follows one another. */
  readonly #maxPending: number;
  #failed = false;
  #queued = false;
  /** A burst has been written in this turn. */
  #resting = false;
  /** What the socket is to do behind what is pending, or under TLS behind the write that is under way. */
  #last: 'end' | 'destroySoon' | null = null;

  /** Without an owner a socket is destroyed that a write fails on. */
  constructor(socket: Socket, owner: TurnOwner | null = null) {
    this.#socket = socket;
    this.#owner = owner;
    // Told before the socket is destroyed for it, which its events are not.
    const onWritten: OnWritten = owner === null ? undefined : (error) => this.#onSocketWritten(owner, error);
    this.#tail = new WriteTail(socket, onWritten);
    this.#bypass = new WriteBypass(socket, this);
    // TLS cuts it all into records anyway.
    this.#maxPending = socket instanceof TLSSocket ? MAX_GATHERED_BYTES : BURST_BYTES;
  }

  /** Whether the source should pause; the socket's 'drain' says when to go on. */
  get full(): boolean {
    return (
      this.#resting ||
      this.#bypass.isFull ||
      this.#socket.writableLength + this.#tail.length > HIGH_WATER_BYTES
    );
  }

  /** Latin1 text. */
  writeText(text: string): void {
    if (this.#failed) return;
    if (text.length <= MAX_DIRECT_BYTES && this.#isFree()) {
      this.#pending.putText(text);
      this.#enqueue();
    } else {
      gathered.text(text);
      this.#write(gathered, false);
      gathered.clear();
    }
  }

  /** `parts` (text is latin1), which are the caller's again when it returns. */
  writeParts(parts: readonly (string | Buffer)[]): void {
    gathered.parts(parts);
    this.writePieces(gathered);
  }

  /** Bytes, which are the caller's again when it returns. */
  writeBytes(bytes: Buffer): void {
    // Of a large upload nearly all comes here while there is a tail: past everything else, then.
    if (!this.#failed && this.#tail.extend(bytes)) return;
    gathered.bytes(bytes);
    this.writePieces(gathered);
  }

  /** What the pieces were taken from is the caller's again when it returns, and so are they, cleared. */
  writePieces(pieces: Pieces): void {
    if (this.#failed) {
      pieces.clear();
      return;
    }
    const { size } = pieces;
    const pending = this.#pending;
    const room = turnRoom();
    const follows = pending.endsAt(room);
    const length = pending.length + size;
    if (size > MAX_DIRECT_BYTES) {
      this.#write(pieces, true);
    } else if (follows && (length > this.#maxPending || !room.canGrowBy(size))) {
      const { start } = pending;
      const { end } = room;
      this.#write(pieces, true);
      // The next burst lies where this one did, which is in the cache; unless somebody who was told of a failure has written behind it.
      if (room.end === end) room.endAt(start);
      if (length > BURST_BYTES) this.#rest();
    } else if (follows) {
      pending.extend(room, pieces);
    } else if (this.#isFree()) {
      pending.putBytes(turnRoomWith(size), pieces);
      this.#enqueue();
    } else {
      this.#write(pieces, false);
    }
    pieces.clear();
  }

  /**
   * Behind what is pending, as one piece with it. `atOnce` past the socket, as far as that goes: what a turn gathers is copied, which costs
   * more of large pieces than the peers' waking up.
   */
  #write(pieces: Pieces, atOnce: boolean): void {
    this.#pending.moveTo(whole);
    whole.append(pieces);
    const isFirst = this.#tail.length === 0;
    if (atOnce && isFirst && this.#bypass.takesLarge) this.#bypass.writeLarge(whole);
    if (whole.size > 0) {
      if (this.#socket.writableCorked === 0) this.#socket.cork();
      this.#tail.add(whole);
      this.#enqueue();
    }
    whole.clear();
  }

  /**
   * Its source is to pause until the turn's end, so that it is read again when the others have been. Of uploads of 10 MiB under TLS
   * (`npm run bench -- hop --load upload-10m`) bursts of 256 KiB cost 0.98 of what none did, with this pause 0.92, those of 384 KiB 0.89.
   */
  #rest(): void {
    this.#resting = true;
    this.#enqueue();
  }

  /** Half-closes behind what was written. */
  end(): void {
    this.#finish('end');
  }

  /** Closes behind what was written. */
  destroySoon(): void {
    this.#finish('destroySoon');
  }

  #finish(how: 'end' | 'destroySoon'): void {
    if (this.#failed) this.#socket.destroy();
    else if (this.#pending.isEmpty && this.#tail.length === 0 && !this.#bypass.mustWait) this.#socket[how]();
    else if (this.#last !== 'destroySoon') this.#last = how;
  }

  /** Does what `#finish` had to leave. */
  #doLast(): void {
    const last = this.#last;
    if (last === null || this.#bypass.mustWait) return;
    this.#last = null;
    this.#socket[last]();
  }

  #isFree(): boolean {
    return this.#pending.isEmpty && this.#tail.length === 0 && this.#bypass.isFree;
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    joinTurn(this);
  }

  /** For the turn only. */
  flush(): void {
    this.#queued = false;
    if (this.#pending.length > MAX_GATHERED_BYTES) this.#write(nothing, true);
    this.#tail.give();
    const { room } = this.#pending;
    const piece = this.#pending.take();
    if (piece !== null) this.#bypass.write(piece, room);
    else if (!this.#bypass.mustWait) this.#socket.uncork();
    this.#doLast();
    if (!this.#resting) return;
    this.#resting = false;
    this.#letGoOn();
  }

  /** For the bypass only, as is `onMayWrite`. */
  onFailed(error: NodeJS.ErrnoException): void {
    this.#failed = true;
    if (this.#owner === null) this.#socket.destroy(error);
    else this.#owner.onWriteFailed(error);
  }

  #onSocketWritten(owner: TurnOwner, error?: Error | null): void {
    // Of a socket that is destroyed every write fails.
    if (!error || this.#socket.destroyed) return;
    this.#failed = true;
    owner.onSocketFails(error);
  }

  onMayWrite(wasFull: boolean): void {
    // What is to go out with this turn's end does so then.
    if (this.#last === null && !this.#queued) this.#socket.uncork();
    else this.#doLast();
    if (wasFull) this.#letGoOn();
  }

  #letGoOn(): void {
    // Where the socket itself holds much by now, it says so.
    if (!this.full && !this.#socket.destroyed) this.#socket.emit('drain');
  }
}
