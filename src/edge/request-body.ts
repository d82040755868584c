/** A request's body as it is cut out of the connection's bytes, whichever way its head framed it (RFC 9112 6). */
import { ChunkedDecoder, passableTrailer } from '../http/chunked.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Http1Input } from './http1-input.ts';

export class RequestBody {
  #remaining: number;
  readonly #decoder: ChunkedDecoder | null;

  private constructor(remaining: number, decoder: ChunkedDecoder | null) {
    this.#remaining = remaining;
    this.#decoder = decoder;
  }

  /** The body that follows a head, or null where none does. */
  static after(head: RequestHead): RequestBody | null {
    if (head.chunked) return new RequestBody(0, new ChunkedDecoder());
    return head.contentLength > 0 ? new RequestBody(head.contentLength, null) : null;
  }

  get whole(): boolean {
    return this.#decoder === null ? this.#remaining === 0 : this.#decoder.done;
  }

  /** Code of what is wrong with the coding, or ''. */
  get error(): string {
    return this.#decoder?.error ?? '';
  }

  /** Trailer lines that may pass on; known once whole. */
  get trailer(): string {
    return this.#decoder === null ? '' : passableTrailer(this.#decoder.trailer);
  }

  /**
   * Hands the midst of a body of known length to the gear as it is, which spares a twentieth of a large upload under TLS; false, and
   * nothing is done, where it must be taken as ever: in its last bytes, or while the gear has no room.
   */
  pass(view: Buffer, exchange: Pick<Exchange, 'passesBytes' | 'pass'> | null): boolean {
    if (this.#decoder !== null || view.length >= this.#remaining || exchange?.passesBytes !== true)
      return false;
    this.#remaining -= view.length;
    exchange.pass(view);
    return true;
  }

  /**
   * Takes what `input` has of the body and hands it to the gear, behind its last byte its end too. Returns the bytes of payload; -1, and
   * nothing is handed on, where they are not what the head said: `error` says why.
   */
  giveTo(exchange: Pick<Exchange, 'write' | 'finish'>, input: Http1Input): number {
    const slices: Buffer[] = [];
    const taken = this.take(input.bytes, slices);
    if (this.error !== '') return -1;
    input.drop(taken);
    let payload = 0;
    for (const slice of slices) payload += slice.length;
    exchange.write(slices);
    if (this.whole) exchange.finish(this.trailer);
    return payload;
  }

  /** Puts the payload in `input` into `slices` and returns how many bytes of input belong to the body. */
  take(input: Buffer, slices: Buffer[]): number {
    if (this.#decoder !== null) return this.#decoder.feed(input, 0, slices);
    const taken = Math.min(input.length, this.#remaining);
    this.#remaining -= taken;
    slices.push(taken === input.length ? input : input.subarray(0, taken));
    return taken;
  }
}
