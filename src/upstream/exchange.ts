/**
 * One request's way to a gear and its answer's way back, over as many attempts as the rules allow. Body bytes are taken only once
 * a connection is open and the head is out, so that a connect failure can go to another endpoint with nothing lost.
 */
import { chunkHead, lastChunk } from '../http/chunked.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { ExchangeConnection, OutgoingHead } from './exchange-connection.ts';
import { mayRetry, type UpstreamFailure } from './failure.ts';
import type { Pools } from './pools.ts';
import type { RawConnection, ResponseSink } from './sink.ts';

const CRLF = '\r\n';

export interface ExchangeRequest extends OutgoingHead {
  readonly method: string;
  /** Host in normal form: SNI towards TLS endpoints. */
  readonly servername: string;
  readonly body: 'none' | 'length' | 'chunked';
  readonly asksUpgrade: boolean;
  /** The tokens asked for; '' without any. */
  readonly upgrade: string;
}

/** What an exchange needs from outside. */
export interface ExchangeMeans {
  readonly pools: Pools;
  readonly maxAttempts: number;
  /** The gear's head as the client is to get it. */
  answerHead(head: ResponseHead): ResponseHead;
  /** The next endpoint, or null; `tried` are those that failed in this exchange. */
  pick(tried: readonly PublishedEndpoint[]): PublishedEndpoint | null;
  /** Every attempt is told: the balancer learns from it, the request context remembers it; `label` is `address:port`. */
  onAttempt(endpoint: PublishedEndpoint, label: string): void;
  onOutcome(endpoint: PublishedEndpoint, failure: UpstreamFailure | null): void;
}

export class Exchange implements ResponseSink {
  readonly #request: ExchangeRequest;
  readonly #means: ExchangeMeans;
  readonly #sink: ResponseSink;
  readonly #tried: PublishedEndpoint[] = [];
  #attempts = 0;
  #endpoint: PublishedEndpoint | null = null;
  #connection: ExchangeConnection | null = null;
  #giveUpDial: (() => void) | null = null;
  #bodySent = false;
  #bodyWhole: boolean;
  #answered = false;
  #over = false;

  constructor(request: ExchangeRequest, means: ExchangeMeans, sink: ResponseSink) {
    this.#request = request;
    this.#means = means;
    this.#sink = sink;
    this.#bodyWhole = request.body === 'none';
  }

  start(): void {
    const endpoint = this.#means.pick(this.#tried);
    if (endpoint === null) {
      this.#deliverFailure({ code: 'NO_ENDPOINT', detail: '' });
      return;
    }
    this.#attempt(endpoint, false);
  }

  /** Whether body bytes can be given now; else `onWritable` of the sink says when. */
  get writable(): boolean {
    return this.#connection !== null && !this.#over && !this.#connection.full;
  }

  /** Whether body bytes can be given now, and go to the gear as they are. */
  get passesBytes(): boolean {
    return this.writable && this.#request.body === 'length';
  }

  /** Body bytes, not none of them, where `passesBytes`. */
  pass(view: Buffer): void {
    this.#bodySent = true;
    this.#connection?.write(view);
  }

  /** Body bytes in order; the slices are the caller's again when it returns. False: no more until `onWritable`. */
  write(slices: readonly Buffer[]): boolean {
    const connection = this.#connection;
    if (connection === null || this.#over) return !this.#over;
    let size = 0;
    for (const slice of slices) size += slice.length;
    // An empty chunk would be the last one, and what follows a request of its own.
    if (size === 0) return !connection.full;
    this.#bodySent = true;
    if (this.#request.body === 'length' || connection.framesBodies) return connection.writeParts(slices);
    return connection.writeParts([chunkHead(size), ...slices, CRLF]);
  }

  /** The body is whole; `trailer` are field lines that may pass on. */
  finish(trailer: string): void {
    this.#bodyWhole = true;
    const connection = this.#connection;
    if (connection === null || this.#over) return;
    if (this.#request.body === 'chunked') {
      this.#bodySent = true;
      if (!connection.framesBodies) connection.writeParts([lastChunk(trailer)]);
    }
    connection.finishRequest(trailer);
  }

  /** The client is gone, or will not send the rest: the gear's connection cannot be used again. */
  abort(): void {
    this.#over = true;
    this.#giveUpDial?.();
    this.#giveUpDial = null;
    this.#connection?.destroy();
    this.#connection = null;
  }

  /** The sink has room again after `flush` said no. */
  resume(): void {
    this.#connection?.resume();
  }

  #attempt(endpoint: PublishedEndpoint, fresh: boolean): void {
    this.#attempts++;
    this.#endpoint = endpoint;
    const pool = this.#means.pools.of(endpoint);
    this.#means.onAttempt(endpoint, pool.label);
    if (!fresh && pool.full) {
      this.onFailure({ code: 'ENDPOINT_FULL', detail: '' });
      return;
    }
    const source = pool.source(this.#request.asksUpgrade);
    const open = fresh ? null : source.take(this.#request.servername);
    if (open !== null) {
      this.#begin(open);
      // Of the first attempt the caller knows; one that waits for a retry has to be told that the body may come.
      if (this.#attempts > 1) this.#sink.onWritable();
      return;
    }
    this.#giveUpDial = source.dial(
      this.#request.servername,
      (connection) => {
        this.#giveUpDial = null;
        this.#begin(connection);
        this.#sink.onWritable();
      },
      (failure) => {
        this.#giveUpDial = null;
        this.onFailure(failure);
        this.#sink.flush();
      },
    );
  }

  #begin(connection: ExchangeConnection): void {
    this.#connection = connection;
    connection.begin(this, this.#request, {
      isHead: this.#request.method === 'HEAD',
      upgrade: this.#request.asksUpgrade ? this.#request.upgrade : null,
      whole: this.#bodyWhole,
    });
  }

  onInterim(head: ResponseHead): void {
    this.#sink.onInterim(head);
  }

  onHead(head: ResponseHead, bodyless: boolean): void {
    this.#answered = true;
    if (this.#endpoint !== null) this.#means.onOutcome(this.#endpoint, null);
    this.#sink.onHead(this.#means.answerHead(head), bodyless);
  }

  onBody(view: Buffer, start: number, end: number): void {
    this.#sink.onBody(view, start, end);
  }

  onEnd(trailer: string): void {
    this.#over = true;
    this.#connection = null;
    this.#sink.onEnd(trailer);
  }

  onUpgrade(head: ResponseHead, connection: RawConnection, first: Buffer): void {
    this.#over = true;
    this.#connection = null;
    if (this.#endpoint !== null) this.#means.onOutcome(this.#endpoint, null);
    this.#sink.onUpgrade(head, connection, first);
  }

  onFailure(failure: UpstreamFailure): void {
    const endpoint = this.#endpoint;
    const connection = this.#connection;
    this.#connection = null;
    if (endpoint === null || this.#over) return;
    this.#means.onOutcome(endpoint, failure);
    if (
      !this.#answered &&
      this.#attempts < this.#means.maxAttempts &&
      mayRetry(failure, this.#request.method, this.#bodySent)
    ) {
      // A connection from before says nothing of the gear: the same endpoint gets a fresh one first.
      if (connection?.reused === true) {
        this.#attempt(endpoint, true);
        return;
      }
      this.#tried.push(endpoint);
      const next = this.#means.pick(this.#tried);
      if (next !== null) {
        this.#attempt(next, false);
        return;
      }
      // Refused for the moment, perhaps for this connection alone: with nowhere else to go it is asked again.
      if (failure.code === 'STREAM_REFUSED') {
        this.#attempt(endpoint, false);
        return;
      }
    }
    this.#deliverFailure(failure);
  }

  flush(): boolean {
    return this.#sink.flush();
  }

  onWritable(): void {
    if (!this.#over) this.#sink.onWritable();
  }

  #deliverFailure(failure: UpstreamFailure): void {
    this.#over = true;
    this.#sink.onFailure(failure);
  }
}
