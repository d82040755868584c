/** What an exchange needs of a connection to a gear: all of one in HTTP/1.1, one stream of one in HTTP/2. */

import type { UpstreamFailure } from './failure.ts';
import type { Pieces } from './pieces.ts';
import type { ResponseSink } from './sink.ts';

/** A request's head as it goes upstream. */
export interface OutgoingHead {
  /** Latin1 text as of HTTP/1.1, with its empty line. */
  readonly head: string;
  /** Adds the same to `pieces`, from the bytes in which it came; false, and nothing added, when they are not there (any more). */
  headTo?(pieces: Pieces): boolean;
}

export interface BegunRequest {
  readonly isHead: boolean;
  /** Tokens of the Upgrade that the head asks for; null without any. */
  readonly upgrade: string | null;
  /** No body follows; else it comes through `write` and `finishRequest`. */
  readonly whole: boolean;
}

export interface ExchangeConnection {
  /** It carried requests before this one: that it fails says nothing of the gear. */
  readonly reused: boolean;
  /** More waits for the gear than should. */
  readonly full: boolean;
  /** A body of unknown length needs no chunked coding. */
  readonly framesBodies: boolean;
  begin(sink: ResponseSink, head: OutgoingHead, request: BegunRequest): void;
  /** Body bytes, which are the caller's again when it returns. False: wait for the sink's `onWritable`. */
  write(view: Buffer): boolean;
  /** The same of several pieces; text is latin1. */
  writeParts(parts: readonly (Buffer | string)[]): boolean;
  /** The request is whole. `trailer`: field lines, where `framesBodies`. */
  finishRequest(trailer: string): void;
  /** The sink has room again. */
  resume(): void;
  destroy(): void;
}

/** Where an exchange gets one from. */
export interface ConnectionSource {
  /** An open one, or null. */
  take(servername: string): ExchangeConnection | null;
  /** Opens one; exactly one callback is called, later. Returns a function that gives it up; once one of them was called it does nothing. */
  dial(
    servername: string,
    onOpen: (connection: ExchangeConnection) => void,
    onFailure: (failure: UpstreamFailure) => void,
  ): () => void;
}
