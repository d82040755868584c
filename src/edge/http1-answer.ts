/** The answer to one HTTP/1.1 request as it is written: head, coding of the body, the connection's fate. Gathered, then written once. */
import { chunkHead, lastChunk } from '../http/chunked.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { Pieces } from '../upstream/pieces.ts';
import type { TurnWriter } from '../upstream/turn-writer.ts';
import type { OwnAnswer } from './respond.ts';

export class Http1Answer {
  readonly #output = new Pieces();
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
    const output = this.#output;
    if (head.wire === null) output.text(`${head.statusLine}\r\n${head.kept}`);
    else head.wire.linesTo(output);
    if (this.#chunked) output.text('Transfer-Encoding: chunked\r\n');
    output.text(this.#connectionField());
    if (head.wire === null) output.text('\r\n');
    else head.wire.emptyLineTo(output);
  }

  /** Bytes `[start, end)` of a view that may be overwritten after `writeTo`. */
  body(view: Buffer, start: number, end: number): void {
    const output = this.#output;
    if (!this.#chunked) {
      output.range(view, start, end);
    } else if (end > start) {
      output.text(chunkHead(end - start));
      output.range(view, start, end);
      output.text('\r\n');
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
    this.#output.bytes(first);
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
    if (this.#output.size > 0) writer.writePieces(this.#output);
  }

  #connectionField(): string {
    if (!this.keepAlive) return 'Connection: close\r\n';
    return this.#minorVersion === 0 ? 'Connection: keep-alive\r\n' : '';
  }
}
