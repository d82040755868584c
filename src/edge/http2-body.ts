/** A request's body on its way from a stream of HTTP/2 to its exchange, with the gear's back-pressure on the stream's window. */
import type { ServerHttp2Stream } from 'node:http2';
import { passableTrailer } from '../http/chunked.ts';
import { http2Trailer } from '../http/http2-head.ts';
import type { Exchange } from '../upstream/exchange.ts';

/** Bytes gathered within one turn of the event loop, above which the stream is paused. */
const GATHERED_LIMIT_BYTES = 262_144;

export interface Http2BodyOwner {
  /** Null once the request is over. */
  readonly exchange: Exchange | null;
  onBodyBytes(count: number): void;
  /** The body is not what the head says, or its trailer is no trailer. */
  onBadBody(detail: string): void;
}

export class Http2Body {
  readonly #stream: ServerHttp2Stream;
  readonly #owner: Http2BodyOwner;
  readonly #declaredLength: number;
  #received = 0;
  #trailer = '';
  #slices: Buffer[] = [];
  #gathered = 0;
  #pumping = false;
  /** The client has sent all of it. */
  ended = false;
  /** The exchange has all of it. */
  whole = false;

  /** Starts reading. `declaredLength`: what Content-Length says, or -1. */
  constructor(stream: ServerHttp2Stream, owner: Http2BodyOwner, declaredLength: number) {
    this.#stream = stream;
    this.#owner = owner;
    this.#declaredLength = declaredLength;
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('trailers', (_fields: unknown, _flags: number, raw?: string[]) => this.#onTrailers(raw ?? []));
    stream.on('end', () => this.#onEnd());
  }

  #onData(chunk: Buffer): void {
    const owner = this.#owner;
    if (owner.exchange === null) return;
    this.#received += chunk.length;
    owner.onBodyBytes(chunk.length);
    // The library watches it too (RFC 9113 8.1.1); behind the length the gear would read a request of its own.
    if (this.#declaredLength >= 0 && this.#received > this.#declaredLength) {
      owner.onBadBody('LENGTH');
      return;
    }
    this.#slices.push(chunk);
    this.#gathered += chunk.length;
    if (this.#gathered > GATHERED_LIMIT_BYTES) this.#stream.pause();
    this.#pumpSoon();
  }

  #onTrailers(raw: readonly string[]): void {
    const lines = http2Trailer(raw);
    if (lines === null) this.#owner.onBadBody('TRAILER');
    else this.#trailer = passableTrailer(lines);
  }

  #onEnd(): void {
    this.ended = true;
    if (this.#owner.exchange === null) return;
    if (this.#declaredLength >= 0 && this.#received !== this.#declaredLength) this.#owner.onBadBody('LENGTH');
    else this.#pumpSoon();
  }

  /** All frames of one read go on together: a client that sends a byte a frame would else cost us a system call a byte. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.pump();
    });
  }

  /** Hands on what is here, if the gear takes it. */
  pump(): void {
    const { exchange } = this.#owner;
    if (exchange === null || this.whole) return;
    if (!exchange.writable) {
      this.#stream.pause();
      return;
    }
    if (this.#gathered > 0) {
      exchange.write(this.#slices);
      this.#slices = [];
      this.#gathered = 0;
    }
    if (this.ended) {
      this.whole = true;
      exchange.finish(this.#trailer);
    } else if (this.#stream.isPaused()) this.#stream.resume();
  }
}
