/**
 * The answer on one stream of HTTP/2: gathered between two flushes, then sent in as few frames and copies as it needs. A whole answer
 * that came in one batch is one HEADERS and one DATA frame with the end in it.
 */
import type { ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2';
import { type Http2Fields, http2Fields, joinedFields } from '../http/http2-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { writeParts } from '../upstream/gathered-write.ts';
import { answerTrailers } from '../upstream/http2-trailers.ts';
import type { OwnAnswer } from './respond.ts';

/** node:http2 neither sends higher ones nor a body behind this one. */
const MAX_STATUS = 599;
const RESET_CONTENT = 205;

const WITH_TRAILER = { waitForTrailers: true, sendDate: false } as const;
const WITHOUT_BODY = { endStream: true, sendDate: false } as const;
const PLAIN = { sendDate: false } as const;

export class Http2Answer {
  readonly #stream: ServerHttp2Stream;
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #fields: Http2Fields | null = null;
  #bodyless = false;
  #unknownLength = false;
  #trailer = '';
  #sentHead = false;
  #sentEnd = false;
  /** The status is gathered or out: it can no longer be another. */
  headGiven = false;
  /** The answer is whole. */
  whole = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  /** Whether HTTP/2 can carry this status. */
  static takes(head: ResponseHead): boolean {
    return head.status <= MAX_STATUS;
  }

  /** 1xx: out at once. */
  interim(head: ResponseHead): void {
    if (this.#sentHead || this.#isGone()) return;
    const fields = http2Fields(head.kept);
    fields[':status'] = String(head.status);
    try {
      this.#stream.additionalHeaders(fields);
    } catch (error) {
      this.#stream.additionalHeaders(sendable(fields, error));
    }
  }

  head(head: ResponseHead, bodyless: boolean): void {
    this.headGiven = true;
    this.#fields = http2Fields(head.kept);
    this.#fields[':status'] = String(head.status);
    this.#bodyless = bodyless;
    if (head.status === RESET_CONTENT) {
      this.#bodyless = true;
      // A client holds us to the length that we say.
      delete this.#fields['content-length'];
    }
    this.#unknownLength = head.contentLength < 0;
  }

  /** `view` may be overwritten after the next `flush`. */
  body(view: Buffer): void {
    if (this.#bodyless) return;
    this.#parts.push(view);
    this.#bytes += view.length;
  }

  end(trailer: string): void {
    this.#trailer = trailer;
    this.whole = true;
  }

  /** An answer of ours, in place of what was gathered. */
  own(answer: OwnAnswer, withPage: boolean): void {
    this.headGiven = true;
    this.whole = true;
    this.#fields = http2Fields(answer.fields);
    this.#fields[':status'] = String(answer.status);
    this.#bodyless = !withPage;
    this.#parts.length = 0;
    this.#bytes = 0;
    if (withPage) this.body(Buffer.from(answer.page));
  }

  /** The head of a tunnel. */
  accept(fields: Http2Fields): void {
    this.headGiven = true;
    this.#fields = fields;
    fields[':status'] = '200';
    this.flush();
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.#isGone()) {
      this.#parts.length = 0;
      this.#bytes = 0;
      return;
    }
    if (!this.#sentHead && this.#fields !== null) this.#sendHead(this.#fields);
    if (this.#sentEnd) return;
    if (this.whole) {
      this.#sentEnd = true;
      if (this.#bytes > 0) this.#stream.end(this.#taken());
      else this.#stream.end();
    } else if (this.#bytes > 0) {
      writeParts(this.#stream, this.#parts);
      this.#parts.length = 0;
      this.#bytes = 0;
    }
  }

  #sendHead(fields: Http2Fields): void {
    this.#sentHead = true;
    const empty = this.#bodyless || (this.whole && this.#bytes === 0);
    // Whether trailers follow is often known by now; where it is not, the library has to ask for them at the end.
    const mayTrail = !this.#bodyless && (this.whole ? this.#trailer !== '' : this.#unknownLength);
    let options: ServerStreamResponseOptions & { sendDate: boolean } = PLAIN;
    if (mayTrail) {
      options = WITH_TRAILER;
      answerTrailers(this.#stream, () => joinedFields(http2Fields(this.#trailer)));
    } else if (empty) {
      options = WITHOUT_BODY;
      this.#sentEnd = true;
    }
    try {
      this.#stream.respond(fields, options);
    } catch (error) {
      this.#stream.respond(sendable(fields, error), options);
    }
  }

  /** One copy of everything: views lie in a buffer that other connections use next. */
  #taken(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#parts.length = 0;
    this.#bytes = 0;
    return bytes;
  }

  #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

/** The library refuses to send some fields twice (Node 20 has no switch for it): for a second attempt they are joined. */
function sendable(fields: Http2Fields, error: unknown): Http2Fields {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP2_HEADER_SINGLE_VALUE') throw error;
  return joinedFields(fields);
}
