/**
 * STOMP frames out of bytes: incremental and pure, the same result wherever the bytes are cut. Both ends use it: the intake
 * (what clients send) and the bus session (what ActiveMQ sends). Our own because no kept-up npm package parses STOMP on the
 * server side, and stompit's reader cannot be trusted with foreign bytes (see screened-socket.ts).
 * Grammar: STOMP 1.2 "Augmented BNF"; headers stay undecoded here, since a CONNECT in the same chunk may change the version.
 */

import type { Fed, Frame, FrameFault, FrameLimits, RawHeader } from './frame-types.ts';
import { Gathered } from './gathered.ts';
import { endOfUnwantedHeader } from './unwanted-header.ts';

const NUL = 0;
const LF = 10;
const CR = 13;

type Expecting = 'frame' | 'command' | 'header' | 'counted body' | 'body to NUL' | 'NUL' | 'nothing';

/** The parser of one connection's one direction. */
export class FrameParser {
  readonly #limits: FrameLimits;
  #expecting: Expecting = 'frame';
  readonly #line = new Gathered();
  #lineDropped = false;
  #command = '';
  #headers: RawHeader[] = [];
  /** With those that nothing was made of. */
  #headerCount = 0;
  /** Names of which something has to be made, as bytes; null: of all. */
  readonly #wanted: readonly Buffer[] | null;
  #headersDropped = 0;
  #length = 0;
  #hasLength = false;
  readonly #body = new Gathered();
  #bodyBytes = 0;
  #frames: Frame[] = [];
  #fault: FrameFault | null = null;
  #badLength = false;
  #broken: Frame | null = null;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
    const wanted = limits.onlyKept === true ? ['content-length', ...(limits.keep ?? [])] : null;
    this.#wanted = wanted?.map((name) => Buffer.from(name)) ?? null;
  }

  /** True between a frame's first byte and its NUL. */
  midFrame(): boolean {
    return this.#expecting !== 'frame' && this.#expecting !== 'nothing';
  }

  /** Takes the next bytes of the stream. Never throws. */
  feed(chunk: Buffer): Fed {
    let at = 0;
    while (at < chunk.length && this.#fault === null) at = this.#step(chunk, at);
    const frames = this.#frames;
    this.#frames = [];
    return { frames, fault: this.#fault, broken: this.#broken };
  }

  #step(chunk: Buffer, at: number): number {
    switch (this.#expecting) {
      case 'frame':
        // Line ends between frames are heart-beats.
        if (chunk[at] === LF || chunk[at] === CR) return at + 1;
        this.#expecting = 'command';
        return at;
      case 'command':
        return this.#readLine(chunk, at);
      case 'header': {
        const behind = this.#passHeader(chunk, at);
        return behind === -1 ? this.#readLine(chunk, at) : behind;
      }
      case 'counted body': {
        const end = Math.min(chunk.length, at + this.#length - this.#bodyBytes);
        this.#keepBody(chunk.subarray(at, end));
        if (this.#bodyBytes === this.#length) this.#expecting = 'NUL';
        return end;
      }
      case 'body to NUL': {
        const nul = chunk.indexOf(NUL, at);
        const end = nul === -1 ? chunk.length : nul;
        this.#keepBody(chunk.subarray(at, end));
        if (nul !== -1) this.#expecting = 'NUL';
        return end;
      }
      case 'NUL':
        if (chunk[at] !== NUL) {
          this.#fail('STOMP_NO_NUL', 'the body goes on after its content-length');
          return chunk.length;
        }
        this.#finishFrame();
        return at + 1;
      case 'nothing':
        return chunk.length;
    }
  }

  /** A MESSAGE has to be told by its id whatever else stands in its head: it would come again. */
  #isLenient(): boolean {
    return this.#limits.excess === 'curtail' && this.#command === 'MESSAGE';
  }

  #fail(code: FrameFault['code'], reason: string): void {
    this.#fault ??= { code, reason };
    if (this.#isLenient() && this.#headers.length > 0) this.#broken ??= this.#takeFrame(true);
    this.#expecting = 'nothing';
    this.#line.take();
    this.#body.take();
  }

  /** Where the next line begins, if this one is a whole header of a MESSAGE that is only counted; -1 where it has to be read. */
  #passHeader(chunk: Buffer, at: number): number {
    const { maxHeaders, maxLineBytes } = this.#limits;
    if (this.#wanted === null || this.#line.length > 0 || this.#lineDropped || !this.#isLenient()) return -1;
    const end =
      this.#headerCount < maxHeaders ? endOfUnwantedHeader(chunk, at, this.#wanted, maxLineBytes) : -1;
    if (end === -1) return -1;
    this.#headerCount += 1;
    return end + 1;
  }

  #readLine(chunk: Buffer, at: number): number {
    const lf = chunk.indexOf(LF, at);
    const end = lf === -1 ? chunk.length : lf;
    const piece = chunk.subarray(at, end);
    const room = this.#limits.maxLineBytes - this.#line.length;
    const nul = piece.indexOf(NUL);
    // What goes wrong first decides, wherever the chunks end. `curtail` only leaves out header lines.
    if (piece.length > room && (nul === -1 || nul > room)) {
      if (this.#limits.excess === 'refuse' || this.#expecting === 'command') {
        this.#fail('STOMP_LINE_TOO_LONG', `a line is longer than ${this.#limits.maxLineBytes} bytes`);
        return chunk.length;
      }
      this.#lineDropped = true;
      this.#line.take();
    }
    // A NUL before the blank line would let a frame end where another reader sees it go on.
    if (nul !== -1 && this.#expecting === 'header' && this.#isLenient()) {
      this.#lineDropped = true;
      this.#line.take();
    } else if (nul !== -1) {
      this.#fail('STOMP_NUL_IN_HEAD', 'a NUL byte stands before the blank line that ends the headers');
      return chunk.length;
    }
    if (lf === -1) {
      if (!this.#lineDropped) this.#line.append(piece);
      return end;
    }
    if (this.#lineDropped) {
      this.#lineDropped = false;
      this.#headersDropped += 1;
    } else if (this.#line.length === 0) {
      this.#takeLine(piece);
    } else {
      this.#line.append(piece);
      this.#takeLine(this.#line.take());
    }
    return end + 1;
  }

  /** A whole line. A CR before the LF belongs to the line end (1.2); older versions have it in no sensible header either. */
  #takeLine(line: Buffer): void {
    const end = line.length > 0 && line[line.length - 1] === CR ? line.length - 1 : line.length;
    const text = line.toString('utf8', 0, end);
    if (this.#expecting === 'command') {
      this.#command = text;
      this.#expecting = 'header';
    } else if (text === '') {
      this.#beginBody();
    } else {
      this.#takeHeader(text);
    }
  }

  #takeHeader(text: string): void {
    const colon = text.indexOf(':');
    if (colon <= 0 && this.#isLenient()) {
      this.#headersDropped += 1;
      return;
    }
    if (colon <= 0) {
      this.#fail('STOMP_BAD_HEADER', 'a header line has no name and colon');
      return;
    }
    const name = text.slice(0, colon);
    const value = text.slice(colon + 1);
    // The first of a repeated header counts (1.2 "Repeated Header Entries"), also for the length.
    if (name === 'content-length' && !this.#hasLength) {
      this.#hasLength = true;
      this.#badLength = !/^ {0,8}\d{1,15} {0,8}$/.test(value);
      if (this.#badLength && !this.#isLenient()) {
        this.#failLength();
        return;
      }
      this.#length = this.#badLength ? 0 : Number(value);
      if (this.#limits.excess === 'refuse' && this.#length > this.#limits.maxBodyBytes) {
        this.#tooLarge();
        return;
      }
    }
    if (this.#headerCount < this.#limits.maxHeaders || this.#keepsAnyway(name)) {
      this.#headerCount += 1;
      if (!this.#isOnlyCounted(name)) this.#headers.push([name, value]);
    } else if (this.#limits.excess === 'curtail') this.#headersDropped += 1;
    else this.#fail('STOMP_TOO_MANY_HEADERS', `a frame has more than ${this.#limits.maxHeaders} headers`);
  }

  #isOnlyCounted(name: string): boolean {
    return this.#wanted !== null && this.#isLenient() && this.#limits.keep?.has(name) !== true;
  }

  /** Kept names do not repeat above the count, or they would be an endless head again. */
  #keepsAnyway(name: string): boolean {
    if (this.#limits.excess === 'refuse' || this.#limits.keep?.has(name) !== true) return false;
    return !this.#headers.some(([held]) => held === name);
  }

  #failLength(): void {
    this.#fail('STOMP_BAD_LENGTH', 'content-length is not a number of bytes');
  }

  #beginBody(): void {
    if (this.#badLength) this.#failLength();
    else if (!this.#hasLength) this.#expecting = 'body to NUL';
    else this.#expecting = this.#length === 0 ? 'NUL' : 'counted body';
  }

  #keepBody(piece: Buffer): void {
    this.#bodyBytes += piece.length;
    const { maxBodyBytes, excess } = this.#limits;
    if (excess === 'refuse' && this.#bodyBytes > maxBodyBytes) {
      this.#tooLarge();
      return;
    }
    const room = maxBodyBytes + 1 - this.#body.length;
    if (room > 0 && piece.length > 0)
      this.#body.append(piece.length > room ? piece.subarray(0, room) : piece);
  }

  #tooLarge(): void {
    this.#fail('STOMP_BODY_TOO_LARGE', `a body is larger than ${this.#limits.maxBodyBytes} bytes`);
  }

  #finishFrame(): void {
    this.#frames.push(this.#takeFrame(false));
    this.#headers = [];
    this.#headerCount = 0;
    this.#headersDropped = 0;
    this.#hasLength = false;
    this.#length = 0;
    this.#bodyBytes = 0;
    this.#expecting = 'frame';
  }

  #takeFrame(broken: boolean): Frame {
    return {
      command: this.#command,
      rawHeaders: this.#headers,
      body: this.#body.take(),
      // How long a broken one is, nobody knows; it is not whole.
      bodyBytes: broken ? Math.max(this.#length, this.#bodyBytes + 1) : this.#bodyBytes,
      headersDropped: this.#headersDropped,
    };
  }
}
