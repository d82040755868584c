/**
 * One exchange as a stream of an HTTP/2 session with a gear. It hands its sink what a connection of HTTP/1.1 would: whole turns of head,
 * body and trailer, so that clients of either version cannot tell.
 */
import { STATUS_CODES } from 'node:http';
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { passableTrailer } from '../http/chunked.ts';
import { http2Fields, http2Trailer, joinedFields } from '../http/http2-head.ts';
import { http2Request, readHttp2Answer } from '../http/http2-upstream.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { asSwitch, makeConnect } from '../http/websocket.ts';
import type { BegunRequest, ExchangeConnection, OutgoingHead } from './exchange-connection.ts';
import type { UpstreamFailureCode } from './failure.ts';
import { writeParts } from './gathered-write.ts';
import { answerTrailers } from './http2-trailers.ts';
import { Http2Tunnel, isOrderlyEnd, resetStream, STREAM_HIGH_WATER_BYTES } from './http2-tunnel.ts';
import type { ResponseSink } from './sink.ts';

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = http2.constants;
const { NGHTTP2_PROTOCOL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

/** Error codes by number, for the log (RFC 9113 7). */
const CODE_NAMES: readonly string[] = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT'],
  ...['STREAM_CLOSED', 'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR'],
  ...['CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
];
const MAX_FIELDS = 256;
const MAX_INTERIM = 16;
const NOTHING = Buffer.alloc(0);
/** Not indexed on the way to the gear (RFC 7541 7.1): one client could else find out another's by the size of its own requests. */
const NEVER_INDEXED = ['authorization', 'cookie'];

/** What a session wants to know of its exchanges. */
export interface Http2ExchangeOwner {
  /** The gear said something. */
  onHeard(): void;
  /** It has become a tunnel. */
  onTunnel(): void;
  /** The exchange, or its tunnel, is over; its stream may still have to close. */
  onOver(exchange: Http2Exchange): void;
  /** The stream is closed: the session has room for another. */
  onStreamClosed(): void;
  /** The gear takes an extended CONNECT (RFC 8441 3). */
  readonly takesConnect: boolean;
  /** It takes no more requests. */
  readonly leaving: boolean;
  /** The gear has closed the connection, or lost it. */
  readonly gone: boolean;
}

export class Http2Exchange implements ExchangeConnection {
  readonly framesBodies = true;
  readonly #owner: Http2ExchangeOwner;
  readonly #session: ClientHttp2Session;
  readonly #scheme: 'http' | 'https';
  readonly #notFirst: boolean;
  #stream: ClientHttp2Stream | null = null;
  #sink: ResponseSink | null = null;
  #isHead = false;
  /** That a WebSocket's client waits to have proved, where the request asks for one; else ''. */
  #webSocketKey = '';
  #tunnel: Http2Tunnel | null = null;
  #requestWhole = true;
  #trailerOut = '';

  // The answer, as far as it is here:
  #interims = 0;
  #head: ResponseHead | null = null;
  #headGiven = false;
  #bodyless = false;
  #received = 0;
  #parts: Buffer[] = [];
  #trailer = '';
  /** All of it is here. */
  #ended = false;
  #scheduled = false;
  #paused = false;
  #unsentSeen = 0;
  #lastActivity = 0;

  /** `notFirst`: the session carried others before. */
  constructor(
    owner: Http2ExchangeOwner,
    session: ClientHttp2Session,
    scheme: 'http' | 'https',
    notFirst: boolean,
  ) {
    this.#owner = owner;
    this.#session = session;
    this.#scheme = scheme;
    this.#notFirst = notFirst;
  }

  /** What a gear says of a stream on a connection that goes on is its word; only an end of the connection may be its age. */
  get reused(): boolean {
    return this.#notFirst && this.#owner.leaving;
  }

  /** performance.now() of the last byte either way. */
  get lastActivity(): number {
    return this.#tunnel?.lastActivity ?? this.#lastActivity;
  }

  /** It has become a tunnel, which may be silent for as long as its own idle time. */
  get tunnelled(): boolean {
    return this.#tunnel !== null;
  }

  // --- the request ---

  begin(sink: ResponseSink, { head }: OutgoingHead, request: BegunRequest): void {
    this.#sink = sink;
    this.#isHead = request.isHead;
    this.#requestWhole = request.whole;
    this.#lastActivity = performance.now();
    const fields = joinedFields(http2Request(head, this.#scheme));
    if (request.upgrade !== null) this.#webSocketKey = makeConnect(fields, request.upgrade) ?? '';
    const connects = this.#webSocketKey !== '';
    if (connects && !this.#owner.takesConnect) {
      this.#failUnsent('WEBSOCKET_UNSUPPORTED', 'no extended CONNECT');
      return;
    }
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(
        { ...fields, [http2.sensitiveHeaders]: NEVER_INDEXED },
        { endStream: request.whole && !connects, waitForTrailers: !request.whole },
      );
    } catch (error) {
      // The session ended a moment ago.
      this.#failUnsent('STREAM_REFUSED', (error as NodeJS.ErrnoException).code ?? String(error));
      return;
    }
    this.#stream = stream;
    const onFields = (_fields: unknown, flags: number, raw?: string[]): void =>
      this.#onFields(raw ?? [], (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
    // Which of the three names the library gives to a field list does not always fit: a final head behind a 103 may be a "trailer".
    stream.on('headers', onFields);
    stream.on('response', onFields);
    stream.on('trailers', onFields);
    stream.on('drain', () => this.#sink?.onWritable());
    if (!request.whole) answerTrailers(stream, () => joinedFields(http2Fields(this.#trailerOut)));
    // 'close' follows and does the work.
    stream.on('error', () => {});
    stream.on('close', () => this.#onClose(stream.rstCode ?? NGHTTP2_NO_ERROR));
  }

  /** No stream was opened. Told later: the caller is not ready for an answer yet. */
  #failUnsent(code: UpstreamFailureCode, detail: string): void {
    setImmediate(() => this.fail(code, detail));
    this.#owner.onStreamClosed();
  }

  /** Above the high-water mark. */
  get full(): boolean {
    return this.#stream !== null && this.#stream.writableLength > STREAM_HIGH_WATER_BYTES;
  }

  write(view: Buffer): boolean {
    return this.writeParts([view]);
  }

  writeParts(parts: readonly (Buffer | string)[]): boolean {
    const stream = this.#stream;
    if (stream === null || this.#sink === null || stream.destroyed || stream.writableEnded) return true;
    this.#lastActivity = performance.now();
    writeParts(stream, parts);
    return !this.full;
  }

  finishRequest(trailer: string): void {
    this.#requestWhole = true;
    this.#trailerOut = trailer;
    const stream = this.#stream;
    if (stream !== null && !stream.destroyed && !stream.writableEnded) stream.end();
  }

  // --- the answer ---

  #onFields(raw: readonly string[], last: boolean): void {
    // RFC 9113 8.5: nothing but DATA may follow.
    this.#tunnel?.reset(NGHTTP2_PROTOCOL_ERROR);
    if (this.#sink === null) return;
    this.#heard();
    if (this.#head !== null) {
      this.#takeTrailer(raw, last);
      return;
    }
    const head = readHttp2Answer(raw, MAX_FIELDS, STATUS_CODES);
    if ('code' in head) this.fail('RESPONSE_INVALID', head.code);
    else if (head.status < 200) this.#takeInterim(head, last);
    else this.#takeHead(head);
  }

  #takeInterim(head: ResponseHead, last: boolean): void {
    if (last) this.fail('RESPONSE_INVALID', 'UPSTREAM_INTERIM_LAST');
    else if (++this.#interims > MAX_INTERIM) this.fail('RESPONSE_INVALID', 'UPSTREAM_INTERIM_FLOOD');
    else {
      this.#sink?.onInterim(head);
      this.#sink?.flush();
    }
  }

  #takeHead(head: ResponseHead): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#head = head;
    if (this.#webSocketKey !== '') {
      if (head.status < 300) {
        this.#openTunnel(stream, head);
        return;
      }
      stream.end();
    }
    this.#bodyless = this.#isHead || head.status === 204 || head.status === 304;
    // Not before: bytes could else come before the head that says what they are.
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('end', () => this.#onEnd(stream));
    this.#deliverSoon();
  }

  #openTunnel(stream: ClientHttp2Stream, head: ResponseHead): void {
    const sink = this.#sink;
    this.#tunnel = new Http2Tunnel(stream, this.#owner);
    this.#owner.onTunnel();
    this.#sink = null;
    sink?.onUpgrade(asSwitch(head, this.#webSocketKey), this.#tunnel, NOTHING);
  }

  #onEnd(stream: ClientHttp2Stream): void {
    if (!isOrderlyEnd(stream, this.#owner)) return;
    this.#ended = true;
    this.#deliverSoon();
  }

  #takeTrailer(raw: readonly string[], last: boolean): void {
    const lines = http2Trailer(raw);
    if (lines === null || !last) this.fail('RESPONSE_INVALID', 'UPSTREAM_TRAILER');
    else this.#trailer = passableTrailer(lines);
  }

  #onData(chunk: Buffer): void {
    if (this.#sink === null || chunk.length === 0) return;
    this.#heard();
    this.#received += chunk.length;
    const declared = this.#bodyless ? 0 : (this.#head?.contentLength ?? -1);
    // RFC 9113 8.1.1. The library looks too; behind the length a client of HTTP/1.1 would read an answer of its own.
    if (declared >= 0 && this.#received > declared) {
      this.fail('RESPONSE_INVALID', 'UPSTREAM_LENGTH');
      return;
    }
    this.#parts.push(chunk);
    this.#deliverSoon();
  }

  /** All frames of one read go on together: fewer writes for the client, fewer frames for one of HTTP/2. */
  #deliverSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const sink = this.#sink;
    const stream = this.#stream;
    const head = this.#head;
    if (sink === null || stream === null || head === null) return;
    if (!this.#headGiven) {
      this.#headGiven = true;
      sink.onHead(head, this.#bodyless);
    }
    const parts = this.#parts;
    this.#parts = [];
    for (const part of parts) {
      // The sink may have given the exchange up meanwhile.
      if (this.#sink === null) return;
      sink.onBody(part, 0, part.length);
    }
    if (this.#sink === null) return;
    if (this.#ended) {
      this.#finish(sink, head);
      return;
    }
    if (sink.flush() || this.#sink === null) return;
    this.#paused = true;
    stream.pause();
  }

  #finish(sink: ResponseSink, head: ResponseHead): void {
    if (!this.#bodyless && head.contentLength > this.#received) {
      this.fail('RESPONSE_CUT_SHORT', 'UPSTREAM_LENGTH');
      return;
    }
    this.#over();
    sink.onEnd(this.#trailer);
    sink.flush();
    // The rest of the request is not wanted any more.
    if (!this.#requestWhole) this.#close(NGHTTP2_CANCEL);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#stream?.resume();
  }

  // --- the end ---

  destroy(): void {
    this.#tunnel?.destroy();
    this.#over();
    this.#close(NGHTTP2_CANCEL);
  }

  /** Ends it for a reason that was found here or by the session. */
  fail(code: UpstreamFailureCode, detail: string): void {
    const sink = this.#sink;
    this.#tunnel?.destroy();
    if (sink === null) return;
    this.#over();
    this.#close(NGHTTP2_CANCEL);
    sink.onFailure({ code, detail });
    sink.flush();
  }

  /** Nothing came or went for too long: see UpstreamConnection. */
  expire(now: number): void {
    if (this.#tunnel !== null) {
      this.#tunnel.expire(now);
      return;
    }
    const unsent = this.#stream?.writableLength ?? 0;
    const moved = unsent > 0 && unsent !== this.#unsentSeen;
    this.#unsentSeen = unsent;
    if (moved) this.#lastActivity = now;
    else if (this.#paused) return;
    else if (this.#requestWhole) this.fail('RESPONSE_TIMEOUT', 'silent for too long');
    else if (this.full) this.fail('RESPONSE_TIMEOUT', 'takes no more of the request');
  }

  /** Both directions open with the head out is like a tunnel, too. */
  endTunnel(): void {
    this.#tunnel?.destroy();
    if (this.#headGiven && !this.#requestWhole) this.fail('RESPONSE_CUT_SHORT', 'the endpoint is gone');
  }

  /** The gear did not and will not look at it (GOAWAY). */
  isBehind(lastStreamId: number): boolean {
    return this.#stream?.id === undefined || this.#stream.id > lastStreamId;
  }

  #onClose(code: number): void {
    this.#owner.onStreamClosed();
    if (this.#tunnel !== null) this.#owner.onOver(this);
    if (this.#sink === null) return;
    // What came before the end counts, and may be the whole answer.
    this.#deliver();
    const detail = this.#owner.gone ? 'closed by the gear' : `RST_STREAM ${CODE_NAMES[code] ?? code}`;
    if (this.#headGiven) this.fail('RESPONSE_CUT_SHORT', detail);
    else if (code === NGHTTP2_REFUSED_STREAM) this.fail('STREAM_REFUSED', detail);
    // The library resets with this code what a gear sent against the rules.
    else if (code === NGHTTP2_PROTOCOL_ERROR) this.fail('RESPONSE_INVALID', detail);
    else this.fail(this.#owner.gone ? 'CLOSED_BEFORE_RESPONSE' : 'RESET_BEFORE_RESPONSE', detail);
  }

  #heard(): void {
    this.#lastActivity = performance.now();
    this.#owner.onHeard();
  }

  #over(): void {
    if (this.#sink === null) return;
    this.#sink = null;
    this.#parts = [];
    this.#owner.onOver(this);
  }

  #close(code: number): void {
    if (this.#stream !== null) resetStream(this.#stream, code);
  }
}
