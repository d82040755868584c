/** The answer to one HTTP/1.1 request as it is written: head, coding of the body, the connection's fate. Gathered, then written once. */
import { chunkHead, lastChunk } from '../http/chunked.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { TurnWriter } from '../upstream/turn-writer.ts';
import { Http1Output } from './http1-output.ts';
import type { OwnAnswer } from './respond.ts';

export class Http1Answer {
  readonly #output = new Http1Output();
  #minorVersion: 0 | 1 = 1;
  #chunked = false;
  /** Only the connection's end tells the client that the answer is whole. */
  endsWithConnection = false;
  /** Whether the connection may serve another request after this answer. */
  keepAlive = true;
  /** The status is gathered or out: it can no longer be another. */
  headGiven = false;
  /** The answer is whole. */
  whole = false;

  /** A new request: nothing of its answer is known yet. */
  begin(minorVersion: 0 | 1, keepAlive: boolean): void {
    this.#minorVersion = minorVersion;
    this.#chunked = false;
    this.endsWithConnection = false;
    this.keepAlive = keepAlive;
    this.headGiven = false;
    this.whole = false;
  }

  /** 1xx; HTTP/1.0 clients know none. */
  interim(head: ResponseHead): void {
    if (this.#minorVersion === 1) this.#output.text(`${head.statusLine}\r\n${head.kept}\r\n`);
  }

  /** The gear's head. A body of unknown length goes out chunked, to HTTP/1.0 up to the connection's end. */
  head(head: ResponseHead, bodyless: boolean): void {
    this.headGiven = true;
    const unknownLength = !bodyless && head.contentLength < 0;
    this.#chunked = unknownLength && this.#minorVersion === 1;
    this.endsWithConnection = unknownLength && this.#minorVersion === 0;
    if (this.endsWithConnection) this.keepAlive = false;
    const coding = this.#chunked ? 'Transfer-Encoding: chunked\r\n' : '';
    this.#output.text(`${head.statusLine}\r\n${head.kept}${coding}${this.#connectionField()}\r\n`);
  }

  body(view: Buffer): void {
    if (!this.#chunked) {
      this.#output.view(view);
    } else if (view.length > 0) {
      this.#output.text(chunkHead(view.length));
      this.#output.view(view);
      this.#output.text('\r\n');
    }
  }

  end(trailer: string): void {
    if (this.#chunked) this.#output.text(lastChunk(trailer));
    this.whole = true;
  }

  /** 101 with the first bytes of what follows. */
  upgrade(head: ResponseHead, first: Buffer): void {
    this.headGiven = true;
    this.#output.text(
      `${head.statusLine}\r\n${head.kept}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`,
    );
    if (first.length > 0) this.#output.view(first);
  }

  /** An answer of ours. */
  own(answer: OwnAnswer, withPage: boolean): void {
    this.headGiven = true;
    const page = withPage ? answer.page : '';
    this.#output.text(
      `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${answer.fields}${this.#connectionField()}\r\n${page}`,
    );
    this.whole = true;
  }

  /** Writes what was gathered. */
  writeTo(writer: TurnWriter): void {
    this.#output.writeTo(writer);
  }

  #connectionField(): string {
    if (!this.keepAlive) return 'Connection: close\r\n';
    return this.#minorVersion === 0 ? 'Connection: keep-alive\r\n' : '';
  }
}
