/**
 * What the log and the metrics will be told of an HTTP/1.1 connection's request under way: its context, filled in as it goes, given away once
 * when it is over. Between two requests nothing is held: connections are idle most of the time, and there are many.
 */
import type { RequestContext } from '../telemetry/request-context.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { Http1Clock } from './http1-timeouts.ts';
import type { Serving } from './serving.ts';
import { newContext } from './start-request.ts';

export class Http1Record {
  readonly #serving: Serving;
  readonly #facts: ConnectionFacts;
  readonly #clock: Http1Clock;
  #context: RequestContext | null = null;

  constructor(serving: Serving, facts: ConnectionFacts, clock: Http1Clock) {
    this.#serving = serving;
    this.#facts = facts;
    this.#clock = clock;
  }

  /** The context; null when no request is under way. */
  get context(): RequestContext | null {
    return this.#context;
  }

  /** A request's first byte came when the clock says that it has started. Where one is under way already it is that one. */
  open(): RequestContext {
    this.#context ??= newContext(this.#facts, this.#clock.startedAt);
    return this.#context;
  }

  /** Bytes of its body. */
  addBytesIn(count: number): void {
    if (this.#context !== null) this.#context.bytesIn += count;
  }

  /** Bytes of its answer's body. */
  addBytesOut(count: number): void {
    if (this.#context !== null) this.#context.bytesOut += count;
  }

  /** The gear's answer begins. */
  noteHead(status: number): void {
    if (this.#context === null) return;
    this.#context.status = status;
    this.#context.upstreamFirstByteUs = Math.max(1, this.#clock.elapsedUs());
  }

  /** It gets an answer of ours, or a 101, with so many bytes behind the head. */
  noteAnswer(status: number, bytes: number): void {
    if (this.#context === null) return;
    this.#context.status = status;
    this.#context.bytesOut = bytes;
  }

  /** What went wrong first is what went wrong. */
  noteFailure(failure: string): void {
    if (this.#context !== null && this.#context.failure === '') this.#context.failure = failure;
  }

  /** It is over; nothing where none is under way. */
  close(): void {
    const context = this.#context;
    if (context === null) return;
    this.#context = null;
    this.#serving.record(context, this.#clock.elapsedUs());
  }
}
