/**
 * A socket's way past its stream machinery, whichever there is: what is small goes directly to the kernel (direct-write.ts; under TLS
 * secure-write.ts), what is large from where it was read (kernel-write.ts; under TLS secure-write.ts too). It also knows whether the way
 * is taken: by a write that the kernel has no room for, or that TLS has not called over yet.
 */
import type { Socket } from 'node:net';
import type { WriteRoom } from './arena.ts';
import { type DirectHandle, directHandle, type WriteOwner, writeDirectly } from './direct-write.ts';
import { writeToKernel } from './kernel-write.ts';
import type { Pieces } from './pieces.ts';
import { SecureWrites } from './secure-write.ts';

/** For the moment of one large write under TLS that is not in one place: a read of a socket with what frames it and a small piece before. */
const scratch = Buffer.allocUnsafeSlow(65_536 + 16_384);

/** Whoever writes past the machinery and through it. */
export interface BypassOwner {
  /** What made it `mustWait` is over. `wasFull`: the bypass was. */
  onMayWrite(wasFull: boolean): void;
  /** A write has failed; the socket is as it was. */
  onFailed(error: NodeJS.ErrnoException): void;
}

export class WriteBypass implements WriteOwner {
  readonly #socket: Socket;
  readonly #owner: BypassOwner;
  /** Once one of them is known, the other is none. */
  #handle: DirectHandle | null = null;
  #secure: SecureWrites | null = null;
  /** The last write is not over: the kernel has not taken it whole (of bytes, they are in this room), or TLS not said so yet. */
  #held = false;
  #heldIn: WriteRoom | null = null;
  #heldLarge = false;

  constructor(socket: Socket, owner: BypassOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** Whether `write` can be used now: there is a way, and nothing is in it or in the socket. */
  get isFree(): boolean {
    if (this.#held || this.#socket.writableLength > 0) return false;
    if (this.#handle !== null || this.#isSecure()) return true;
    this.#handle = directHandle(this.#socket);
    return this.#handle !== null;
  }

  /** Whether `writeLarge` can be used now, on a socket that has been closed in no way. */
  get takesLarge(): boolean {
    return !this.#held && this.#socket.writableLength === 0 && !this.#socket.destroyed;
  }

  /** The write that is held is a large one: the source is to pause until it is over, since what it brings meanwhile must be copied. */
  get isFull(): boolean {
    return this.#heldLarge;
  }

  /** Under TLS the socket may not be given anything now, its end included. */
  get mustWait(): boolean {
    return this.#held && this.#secure !== null;
  }

  /** Where it `isFree`. Text is latin1; of bytes `room` is where they lie, held until the kernel has them. */
  write(piece: string | Uint8Array, room: WriteRoom | null): void {
    if (this.#secure !== null) {
      this.#held = this.#secure.write(piece);
    } else if (this.#handle !== null) {
      this.#held = writeDirectly(this.#socket, this.#handle, piece, this) === 'held';
      if (!this.#held || room === null) return;
      this.#heldIn = room;
      room.hold();
    }
  }

  /** Where it `takesLarge`. What is left in `pieces` has to go through the socket; nothing is after a failure. */
  writeLarge(pieces: Pieces): void {
    if (this.#isSecure()) {
      this.#encrypt(pieces);
      return;
    }
    const failure = writeToKernel(this.#socket, pieces);
    if (failure === null) return;
    pieces.clear();
    this.#owner.onFailed(failure);
  }

  /** At once too, while it is where reading it has left it, in the processor's cache. */
  #encrypt(pieces: Pieces): void {
    const { single } = pieces;
    if (single === null && pieces.size > scratch.length) return;
    const bytes = single ?? scratch.subarray(0, pieces.copyInto(scratch, 0));
    this.#held = this.#heldLarge = this.#secure?.write(bytes) === true;
    pieces.clear();
  }

  #isSecure(): boolean {
    if (this.#handle !== null) return false;
    this.#secure ??= SecureWrites.of(this.#socket, this);
    return this.#secure !== null;
  }

  /** For the writes only, as is `onFailed`. */
  onTaken(): void {
    const waited = this.mustWait;
    const wasFull = this.#heldLarge;
    this.#held = this.#heldLarge = false;
    this.#heldIn?.release();
    this.#heldIn = null;
    if (waited) this.#owner.onMayWrite(wasFull);
  }

  onFailed(error: NodeJS.ErrnoException): void {
    this.#owner.onFailed(error);
  }
}
