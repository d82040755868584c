/**
 * The socket as stompit sees it: what comes in passes our own parser first, and only what the session writes to `inject`
 * reaches stompit's reader.
 *
 * Why not hand stompit the socket: its reader destroys the connection on a frame with more than 64 headers or a line above
 * 1,024 bytes, throws out of the data handler on a header called `hasOwnProperty` or a subscription called `constructor`,
 * and decodes UTF-8 by chunk. Each of these is one message that anyone who may write to the destination can send, and it
 * would come again for ever or end the process. Raising its limits moves the first two and cures none of the others.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Takes the next bytes of the message bus, and may answer with bytes for stompit. */
export type Screen = (chunk: Buffer) => void;

export class ScreenedSocket extends Duplex {
  readonly #socket: Socket;
  #held = false;
  #corked = false;
  #heldReads = 0;

  constructor(socket: Socket, screen: Screen) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on('data', screen);
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Bytes for stompit's reader: control frames that the session wrote itself, a few dozen bytes each. */
  inject(bytes: Buffer): void {
    if (!this.destroyed) this.push(bytes);
  }

  /** Stops or resumes reading from the network. */
  hold(held: boolean): void {
    this.#held = held;
    if (held) this.#socket.pause();
    else this.#socket.resume();
  }

  /** stompit's heart-beat watch looks here for progress; while we ourselves do not read, silence proves nothing. */
  get bytesRead(): number {
    if (this.#held) this.#heldReads += 1;
    return this.#socket.bytesRead + this.#heldReads;
  }

  /** stompit calls it when heart-beats run; the session has done it already, for every connection. */
  setNoDelay(): this {
    return this;
  }

  override _read(): void {}

  /**
   * stompit writes each frame in two pieces and waits for each to be flushed. Saying "done" at once, and sending what one turn
   * of the loop wrote together, makes a batch of acks one packet; a full socket still holds it back.
   */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(chunk);
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => done());
    else done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
