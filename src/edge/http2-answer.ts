/**
 * The answer on one stream of HTTP/2: gathered between two flushes, then sent in as few frames and copies as it needs. A whole answer
 * that came in one batch is one HEADERS and one DATA frame with the end in it.
 */
import type { ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2';
import { type FieldBlock, responseBlock } from '../http/http2-block.ts';
import { type Http2Fields, http2Fields, joinedFields } from '../http/http2-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { writeParts } from '../upstream/gathered-write.ts';
import { answerTrailers } from '../upstream/http2-trailers.ts';
import { answerDirectly, canAnswerDirectly, type DirectOwner, learnFrom } from './http2-direct.ts';
import type { OwnAnswer } from './respond.ts';

/** node:http2 neither sends higher ones nor a body behind this one. */
const MAX_STATUS = 599;
const RESET_CONTENT = 205;

type RespondOptions = ServerStreamResponseOptions & { sendDate: boolean };
const WITH_TRAILER = { waitForTrailers: true, sendDate: false } as const;
const WITHOUT_BODY = { endStream: true, sendDate: false } as const;
const PLAIN = { sendDate: false } as const;

export interface AnswerOwner extends DirectOwner {
  /** The client has sent all that it may. */
  readonly clientEnded: boolean;
}

export class Http2Answer {
  readonly #stream: ServerHttp2Stream;
  readonly #owner: AnswerOwner;
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  /** Field lines, each with its CRLF. */
  #lines = '';
  #bodyless = false;
  #unknownLength = false;
  #trailer = '';
  #sentHead = false;
  #sentEnd = false;
  /** The status is gathered or out: it can no longer be another. */
  headGiven = false;
  /** The answer is whole. */
  whole = false;
  /** It is on its way past the stream. */
  direct = false;

  constructor(stream: ServerHttp2Stream, owner: AnswerOwner) {
    this.#stream = stream;
    this.#owner = owner;
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
    this.#status = head.status;
    this.#lines = head.kept;
    this.#bodyless = bodyless || head.status === RESET_CONTENT;
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
    this.#status = answer.status;
    this.#lines = answer.fields;
    this.#bodyless = !withPage;
    this.#parts.length = 0;
    this.#bytes = 0;
    if (withPage) this.body(Buffer.from(answer.page));
  }

  /** The head of a tunnel. */
  accept(fields: Http2Fields): void {
    this.headGiven = true;
    this.#sentHead = true;
    fields[':status'] = '200';
    if (!this.#isGone()) this.#respond(fields, PLAIN);
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.#sentEnd) return;
    if (this.#isGone()) {
      this.#parts.length = 0;
      this.#bytes = 0;
      return;
    }
    if (!this.#sentHead && this.headGiven && !this.#sendWhole()) this.#sendHead();
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

  /** Sends a whole answer past the stream, if that is possible. */
  #sendWhole(): boolean {
    if (!this.whole || this.#trailer !== '' || !this.#owner.clientEnded) return false;
    const block = this.#block();
    if (block === null) return false;
    if (!canAnswerDirectly(this.#stream)) {
      learnFrom(this.#stream, block);
      return false;
    }
    this.#sentHead = this.#sentEnd = this.direct = true;
    answerDirectly(this.#stream, this.#owner, block, this.#bytes === 0 ? null : this.#taken());
    return true;
  }

  #block(): FieldBlock | null {
    return this.#status === RESET_CONTENT ? null : responseBlock(this.#status, this.#lines);
  }

  #sendHead(): void {
    this.#sentHead = true;
    const fields = http2Fields(this.#lines);
    fields[':status'] = String(this.#status);
    // A client holds us to the length that we say.
    if (this.#status === RESET_CONTENT) delete fields['content-length'];
    const empty = this.#bodyless || (this.whole && this.#bytes === 0);
    // Whether trailers follow is often known by now; where it is not, the library has to ask for them at the end.
    const mayTrail = !this.#bodyless && (this.whole ? this.#trailer !== '' : this.#unknownLength);
    let options: RespondOptions = PLAIN;
    if (mayTrail) {
      options = WITH_TRAILER;
      answerTrailers(this.#stream, () => joinedFields(http2Fields(this.#trailer)));
    } else if (empty) {
      options = WITHOUT_BODY;
      this.#sentEnd = true;
    }
    this.#respond(fields, options);
  }

  #respond(fields: Http2Fields, options: RespondOptions): void {
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
