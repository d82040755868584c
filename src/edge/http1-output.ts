/** What is to be written to an HTTP/1.1 client in one go: text and body views are gathered, then copied once and written once. */
import type { TurnWriter } from '../upstream/turn-writer.ts';

export class Http1Output {
  #parts: (string | Buffer)[] = [];
  #bytes = 0;

  /** Latin1 text. */
  text(text: string): void {
    this.#parts.push(text);
    this.#bytes += text.length;
  }

  /** A view that may be overwritten after `writeTo`. */
  view(view: Buffer): void {
    this.#parts.push(view);
    this.#bytes += view.length;
  }

  /** One copy and one write: cheaper than a vectored write of small parts, and the views are free afterwards. */
  writeTo(writer: TurnWriter): void {
    const parts = this.#parts;
    if (this.#bytes === 0) return;
    const first = parts[0];
    if (parts.length === 1 && typeof first === 'string') writer.writeText(first);
    else writer.writeParts(parts, this.#bytes);
    parts.length = 0;
    this.#bytes = 0;
  }
}
