/**
 * Writes of one turn of the event loop go out together, after everything that was readable has been read: a fifth less CPU a request
 * under load (`npm run bench`), since the peers wake up less often, and reading and writing each run on warm code. What is small
 * goes directly to the kernel then (direct-write.ts; secure-write.ts under TLS), what is large at once (kernel-write.ts; under TLS secure-write.ts); everything
 * else through a corked socket, which keeps order, `end`, `writableLength` and 'drain' right by itself. Nothing else may write to the
 * socket or end it.
 */
import type { Socket } from 'node:net';
import { acceptHold } from './accept-hold.ts';
import { freeWriteRoom, spareWriteRoom, type WriteRoom } from './arena.ts';
import { type DirectHandle, directHandle, type WriteOwner, writeDirectly } from './direct-write.ts';
import { writeGathered } from './gathered-write.ts';
import { writeToKernel } from './kernel-write.ts';
import { Pieces } from './pieces.ts';
import { SecureWrites } from './secure-write.ts';

/** Above it a piece goes to the kernel as soon as it is there. */
const MAX_DIRECT_BYTES = 16_384;
/** Above it so does what a turn gathers for one socket. */
const MAX_GATHERED_BYTES = 49_152;
/** Bytes waiting in a socket above which their source is to pause. */
export const HIGH_WATER_BYTES = 262_144;
let queue: TurnWriter[] = [];
/** Whether the turn's end is waited for: once, however often the room was full meanwhile. */
let ending = false;
let room = freeWriteRoom();
/** Full ones of this turn, while it is held. */
const fullRooms: WriteRoom[] = [];
const IN_ROOM = Symbol('in the room of this turn');
/** Empty between two calls, both. */
const gathered = new Pieces();
const whole = new Pieces();
/** For the moment of one large write under TLS that is not in one place: a read of a socket with what frames it. */
const scratch = Buffer.allocUnsafeSlow(65_536 + MAX_DIRECT_BYTES);

/** Who wants to have a say in what becomes of a socket whose peer is gone. */
export interface TurnOwner {
  /** A write has found out; everything else that is written is dropped. */
  onWriteFailed(error: NodeJS.ErrnoException): void;
}

export class TurnWriter implements WriteOwner {
  readonly #socket: Socket;
  readonly #owner: TurnOwner | null;
  #failed = false;
  #handle: DirectHandle | null = null;
  #secure: SecureWrites | null = null;
  /** Goes out at the end of this turn. Bytes lie in the turn's room: a view of them is made when it is needed, most of them for that moment. */
  #pending: string | typeof IN_ROOM | null = null;
  #room = room;
  #start = 0;
  #end = 0;
  #queued = false;
  /** The last direct write is not over: the kernel has not taken it whole (of bytes, they are in this room), or TLS not said so yet. */
  #held = false;
  #heldIn: WriteRoom | null = null;
  /** The write that is held is a large one: the source is to pause until it is over, since what it brings meanwhile must be copied. */
  #heldLarge = false;
  /** What the socket is to do behind what is pending, or under TLS behind that write. */
  #last: 'end' | 'destroySoon' | null = null;

  /** Without an owner a socket is destroyed that a write fails on. */
  constructor(socket: Socket, owner: TurnOwner | null = null) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** Whether the source should pause; the socket's 'drain' says when to go on. */
  get full(): boolean {
    return this.#heldLarge || this.#socket.writableLength > HIGH_WATER_BYTES;
  }

  /** Latin1 text. */
  writeText(text: string): void {
    if (this.#failed) return;
    if (text.length <= MAX_DIRECT_BYTES && this.#isFree()) this.#pending = text;
    else this.#corked().write(text, 'latin1');
    this.#enqueue();
  }

  /** `parts` (text is latin1), which are the caller's again when it returns. */
  writeParts(parts: readonly (string | Buffer)[]): void {
    gathered.parts(parts);
    this.writePieces(gathered);
  }

  /** Bytes, which are the caller's again when it returns. */
  writeBytes(bytes: Buffer): void {
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
    // What is pending ends where the room's next bytes will lie: while one socket is read, the pieces of a body (records of TLS, say) follow one another.
    const follows = this.#pending === IN_ROOM && this.#room === room && this.#end === room.end;
    const behind = follows ? this.#end - this.#start : 0;
    if (size > MAX_DIRECT_BYTES || behind + size > MAX_GATHERED_BYTES) {
      this.#writeLarge(pieces);
    } else if (follows && room.hasRoomFor(size)) {
      this.#end = room.take(pieces);
    } else if (this.#isFree()) {
      if (!room.hasRoomFor(size)) makeRoom();
      this.#room = room;
      this.#start = room.end;
      this.#end = room.take(pieces);
      this.#pending = IN_ROOM;
      this.#enqueue();
    } else {
      writeGathered(this.#corked(), pieces);
      this.#enqueue();
    }
    pieces.clear();
  }

  /** At once, behind what is pending: what a turn gathers is copied, which costs more here than the peers' waking up. */
  #writeLarge(pieces: Pieces): void {
    const socket = this.#socket;
    if (this.#held || socket.writableLength > 0 || socket.destroyed) {
      writeGathered(this.#corked(), pieces);
      this.#enqueue();
      return;
    }
    const pending = this.#pending;
    if (typeof pending === 'string') whole.text(pending);
    else if (pending === IN_ROOM) this.#room.giveTo(whole, this.#start, this.#end);
    this.#pending = null;
    whole.append(pieces);
    const failure = this.#isSecure() ? this.#encrypt(whole) : writeToKernel(socket, whole);
    if (failure !== null) this.onFailed(failure);
    else if (whole.size > 0) {
      writeGathered(this.#corked(), whole);
      this.#enqueue();
    }
    whole.clear();
  }

  /** At once too, while it is where reading it has left it, in the processor's cache; clears the pieces unless they are too large. */
  #encrypt(pieces: Pieces): null {
    const { single } = pieces;
    if (single === null && pieces.size > scratch.length) return null;
    const bytes = single ?? scratch.subarray(0, pieces.copyInto(scratch, 0));
    this.#held = this.#heldLarge = this.#secure?.write(bytes) === true;
    pieces.clear();
    return null;
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
    else if (this.#pending === null && !this.#mustWait) this.#socket[how]();
    else if (this.#last !== 'destroySoon') this.#last = how;
  }

  /** Does what `#finish` had to leave. */
  #doLast(): void {
    const last = this.#last;
    if (last === null || this.#mustWait) return;
    this.#last = null;
    this.#socket[last]();
  }

  /** Under TLS the socket may not be given anything now. */
  get #mustWait(): boolean {
    return this.#held && this.#secure !== null;
  }

  #isFree(): boolean {
    if (this.#pending !== null || this.#held || this.#socket.writableLength > 0) return false;
    if (this.#handle !== null || this.#isSecure()) return true;
    this.#handle = directHandle(this.#socket);
    return this.#handle !== null;
  }

  #isSecure(): boolean {
    if (this.#handle !== null) return false;
    this.#secure ??= SecureWrites.of(this.#socket, this);
    return this.#secure !== null;
  }

  /** The socket, corked, with what was pending in it. */
  #corked(): Socket {
    const socket = this.#socket;
    if (socket.writableCorked === 0) socket.cork();
    const pending = this.#pending;
    this.#pending = null;
    if (pending === IN_ROOM) socket.write(Buffer.from(this.#room.view(this.#start, this.#end)));
    else if (pending !== null) socket.write(pending, 'latin1');
    return socket;
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    queue.push(this);
    if (ending) return;
    ending = true;
    setImmediate(endTurn);
  }

  /** For `flushAll` only. */
  flush(): void {
    this.#queued = false;
    const pending = this.#pending;
    if (pending === null) {
      if (!this.#mustWait) this.#socket.uncork();
      this.#doLast();
      return;
    }
    this.#pending = null;
    const piece = pending === IN_ROOM ? this.#room.view(this.#start, this.#end) : pending;
    if (this.#secure !== null) {
      this.#held = this.#secure.write(piece);
    } else if (this.#handle !== null) {
      this.#held = writeDirectly(this.#socket, this.#handle, piece, this) === 'held';
      if (this.#held && pending === IN_ROOM) {
        this.#heldIn = this.#room;
        this.#heldIn.hold();
      }
    }
    this.#doLast();
  }

  onFailed(error: NodeJS.ErrnoException): void {
    this.#failed = true;
    if (this.#owner === null) this.#socket.destroy(error);
    else this.#owner.onWriteFailed(error);
  }

  onTaken(): void {
    const waited = this.#mustWait;
    const wasFull = this.#heldLarge;
    this.#held = this.#heldLarge = false;
    this.#heldIn?.release();
    this.#heldIn = null;
    if (!waited) return;
    // What is to go out with this turn's end does so then.
    if (this.#last === null && !this.#queued) this.#socket.uncork();
    else this.#doLast();
    // Where the socket itself holds much by now, it says so.
    if (wasFull && !this.full && !this.#socket.destroyed) this.#socket.emit('drain');
  }
}

function endTurn(): void {
  if (acceptHold.holds()) {
    setImmediate(endTurn);
  } else {
    ending = false;
    flushAll();
  }
}

/** What a turn that is held wrote goes into the next room, since whoever is answered has more to say. */
function makeRoom(): void {
  const spare = acceptHold.mayHold ? spareWriteRoom(room) : null;
  if (spare === null) {
    flushAll();
    return;
  }
  room.hold();
  fullRooms.push(room);
  room = spare;
}

function flushAll(): void {
  const writers = queue;
  queue = [];
  for (const writer of writers) writer.flush();
  for (let full = fullRooms.pop(); full !== undefined; full = fullRooms.pop()) full.release();
  // What a peer has not taken stays where it is: a client that does not read holds one room, within what may wait for it anyway.
  if (room.inUse) room = freeWriteRoom();
  else room.clear();
}
