/** Cuts a gear's bytes into one answer: head, body by whichever framing, end. Knows no sockets; splitting anywhere changes nothing. */
import { ChunkedDecoder, passableTrailer } from '../http/chunked.ts';
import { responseWalk } from '../http/fields.ts';
import { GatheredBytes } from '../http/gathered-bytes.ts';
import { type ResponseHead, readResponseHead, scanResponseHead } from '../http/response-head.ts';
import type { UpstreamFailureCode } from './failure.ts';
import type { ResponseSink } from './sink.ts';

const MAX_HEAD_BYTES = 65_536;
const MAX_FIELDS = 256;
const MAX_INTERIM = 16;
const NOTHING = Buffer.alloc(0);

/** more: bytes are missing. whole: `trailer` and `rest` are known. upgrade: `head` and `rest`. failed: `failure` and `detail`. */
export type ReadResult = 'more' | 'whole' | 'upgrade' | 'failed';

type Phase = 'head' | 'length' | 'chunked' | 'until-close' | 'over';

export class ResponseReader {
  #phase: Phase = 'over';
  #isHead = false;
  /** Upgrade tokens that were asked for; null where none were. */
  #asked: string | null = null;
  #remaining = 0;
  #interims = 0;
  readonly #partialHead = new GatheredBytes();
  #decoder: ChunkedDecoder | null = null;
  /** Whether the gear keeps the connection, as the answer says. */
  keepAlive = true;
  /** Field lines that may pass on. */
  trailer = '';
  /** What came behind the answer (nothing should), or the first bytes behind a 101. A view. */
  rest: Buffer = NOTHING;
  head: ResponseHead | null = null;
  failure: UpstreamFailureCode = 'RESPONSE_INVALID';
  detail = '';

  /** A request goes out: its answer is next. `asked`: the tokens of its Upgrade field, null without one. */
  begin(isHead: boolean, asked: string | null): void {
    this.#phase = 'head';
    this.#isHead = isHead;
    this.#asked = asked;
    this.#interims = 0;
    this.#partialHead.drop(this.#partialHead.length);
    this.#decoder = null;
    this.head = null;
    this.trailer = '';
  }

  /** A head has begun that is not whole. */
  get inHead(): boolean {
    return this.#partialHead.length > 0;
  }

  /** Not a byte of the final answer is here. */
  get unanswered(): boolean {
    return this.#phase === 'head' && this.#partialHead.length === 0;
  }

  /** The body has no framing: the connection's end is its end. */
  get endsWithConnection(): boolean {
    return this.#phase === 'until-close';
  }

  /** Takes all of `view`; body views are handed to the sink as they are cut. */
  read(view: Buffer, sink: ResponseSink): ReadResult {
    let at = 0;
    while (at < view.length) {
      switch (this.#phase) {
        case 'head': {
          const next = this.#readHead(view, at);
          if (next < 0) return this.detail === '' ? 'more' : 'failed';
          at = next;
          const result = this.#applyHead(sink);
          if (result !== 'more') {
            this.rest = at === view.length ? NOTHING : view.subarray(at);
            return result;
          }
          break;
        }
        case 'length': {
          const end = Math.min(view.length, at + this.#remaining);
          this.#remaining -= end - at;
          sink.onBody(view, at, end);
          at = end;
          if (this.#remaining === 0) return this.#whole(view, at);
          break;
        }
        case 'chunked': {
          const decoder = this.#decoder;
          if (decoder === null) return this.#fail('RESPONSE_INVALID', 'no decoder');
          const slices: Buffer[] = [];
          at = decoder.feed(view, at, slices);
          for (const slice of slices) sink.onBody(slice, 0, slice.length);
          if (decoder.error !== '') return this.#fail('RESPONSE_INVALID', decoder.error);
          if (decoder.done) {
            this.trailer = passableTrailer(decoder.trailer);
            return this.#whole(view, at);
          }
          break;
        }
        case 'until-close':
          sink.onBody(view, at, view.length);
          return 'more';
        case 'over':
          return this.#fail('RESPONSE_INVALID', 'bytes behind the answer');
      }
    }
    return 'more';
  }

  /** Returns the index behind the head, or -1: it is not whole yet, or (`detail` set) it never will be. */
  #readHead(view: Buffer, from: number): number {
    this.detail = '';
    const partial = this.#partialHead;
    const known = partial.length;
    if (known === 0) {
      const head = scanResponseHead(from === 0 ? view : view.subarray(from), MAX_FIELDS);
      if (head !== null && responseWalk.end <= MAX_HEAD_BYTES) {
        this.head = head;
        return from + responseWalk.end + 2;
      }
    }
    if (known > 0) partial.push(from === 0 ? view : view.subarray(from));
    const bytes = known === 0 ? view : partial.bytes;
    const start = known === 0 ? from : 0;
    const end = bytes.indexOf('\r\n\r\n', Math.max(start, known - 3), 'latin1');
    // Without its end, up to three bytes may belong to it: where the bytes are cut must not matter.
    const size = (end < 0 ? bytes.length - 3 : end) - start;
    if (size > MAX_HEAD_BYTES) {
      this.#fail('RESPONSE_INVALID', 'UPSTREAM_HEAD_TOO_LONG');
      return -1;
    }
    if (end < 0) {
      // A copy: the view is of the buffer that all connections read into.
      if (known === 0) partial.push(Buffer.from(view.subarray(from)));
      return -1;
    }
    const head = readResponseHead(bytes.toString('latin1', start, end + 2), MAX_FIELDS);
    if ('code' in head) {
      this.#fail('RESPONSE_INVALID', head.code);
      return -1;
    }
    this.head = head;
    partial.drop(partial.length);
    return known === 0 ? end + 4 : from + end + 4 - known;
  }

  #applyHead(sink: ResponseSink): ReadResult {
    const head = this.head;
    if (head === null) return 'more';
    if (head.status === 101) {
      if (!isAmong(head.upgrade, this.#asked)) return this.#fail('UNASKED_UPGRADE', '101');
      this.#phase = 'over';
      return 'upgrade';
    }
    if (head.status < 200) {
      if (++this.#interims > MAX_INTERIM) return this.#fail('RESPONSE_INVALID', 'UPSTREAM_INTERIM_FLOOD');
      sink.onInterim(head);
      return 'more';
    }
    const bodyless = this.#isHead || head.status === 204 || head.status === 304;
    this.keepAlive = head.keepAlive;
    sink.onHead(head, bodyless);
    head.wire?.leave();
    if (bodyless || head.contentLength === 0) {
      this.#phase = 'over';
      return 'whole';
    }
    if (head.chunked) {
      this.#decoder = new ChunkedDecoder();
      this.#phase = 'chunked';
    } else if (head.contentLength > 0) {
      this.#remaining = head.contentLength;
      this.#phase = 'length';
    } else {
      this.keepAlive = false;
      this.#phase = 'until-close';
    }
    return 'more';
  }

  #whole(view: Buffer, at: number): ReadResult {
    this.#phase = 'over';
    this.#decoder = null;
    this.rest = at === view.length ? NOTHING : view.subarray(at);
    return 'whole';
  }

  #fail(code: UpstreamFailureCode, detail: string): ReadResult {
    this.failure = code;
    this.detail = detail;
    return 'failed';
  }
}

/** Whether a gear switches to something that was asked for (RFC 9110 7.8); to h2c, say, it could be talked into by nobody. */
function isAmong(chosen: string, asked: string | null): boolean {
  if (chosen === '' || asked === null) return false;
  const tokens = tokensOf(asked);
  return tokensOf(chosen).every((token) => tokens.includes(token));
}

function tokensOf(list: string): readonly string[] {
  return list
    .toLowerCase()
    .split(',')
    .map((token) => token.trim());
}
