/**
 * One HTTP/2 connection of a client. node:http2 does the framing (RFC 9113 4 to 6); what is here is its life: limits against floods,
 * idle time, GOAWAY and drain. Each stream is an Http2Request.
 */
import http2, { type ServerHttp2Session, type ServerHttp2Stream, type ServerOptions } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Forwarder } from '../http/forwarding.ts';
import { createEventBudget, type EventBudget } from '../upstream/event-budget.ts';
import { PlacedList } from '../upstream/placed-list.ts';
import { type ConnectionFacts, forwarderOf } from './connection-facts.ts';
import { CONNECTION_WINDOW_BYTES } from './http2-options.ts';
import type { Http2Owner, SweptRequest } from './http2-owner.ts';
import { Http2Request } from './http2-request.ts';
import { keepStreamsCheaply } from './http2-streams.ts';
import type { LiveConnection, Serving } from './serving.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = http2.constants;

/** The largest stream id: a GOAWAY with it announces the end and refuses nothing yet (RFC 9113 6.8). */
const LAST_STREAM_ID = 2 ** 31 - 1;
/** How long the other side has to take our last frames. */
const LINGER_MS = 2_000;
/** A silent client is asked after this part of the idle time, and has the same time to answer. */
const PROBES_PER_IDLE_TIME = 8;
/** Bytes that may wait for the client over all streams of a connection, and in any single stream. */
const WAITING_BYTES = 1_048_576;
const MIN_WAITING_BYTES = 16_384;
const MAX_WAITING_BYTES = 262_144;

export interface Http2Means {
  readonly serving: Serving;
  readonly facts: ConnectionFacts;
  readonly options: ServerOptions;
}

export class Http2Connection implements LiveConnection, Http2Owner {
  readonly serving: Serving;
  readonly facts: ConnectionFacts;
  readonly forwarder: Forwarder;
  readonly #socket: TLSSocket;
  readonly #session: ServerHttp2Session;
  readonly #requests = new PlacedList<SweptRequest>();
  readonly #resets: EventBudget;
  readonly #controlFrames: EventBudget;
  readonly #openedAt = performance.now();
  #lastActivity = this.#openedAt;
  #served = 0;
  #phase: 'open' | 'announced' | 'closing' = 'open';
  #phaseSince = 0;
  /** Whether the client is still there: asked once after each spell of activity. */
  #probe: 'none' | 'sent' | 'answered' = 'none';
  #probedAt = 0;
  failure = '';
  readonly #onControlFrame = (): void => this.#spend(this.#controlFrames, 'HTTP2_CONTROL_FLOOD');

  constructor(socket: TLSSocket, { serving, facts, options }: Http2Means) {
    this.serving = serving;
    this.facts = facts;
    this.#socket = socket;
    const { maxResets, maxControlFrames, floodWindowMs } = serving.http2;
    this.#resets = createEventBudget(maxResets, floodWindowMs);
    this.#controlFrames = createEventBudget(maxControlFrames, floodWindowMs);
    this.forwarder = forwarderOf(facts, serving.trust);
    serving.connections.add(this);
    // The session's own listener comes and goes with it; 'close' follows an error and does the work.
    socket.on('error', () => {});
    socket.once('close', () => serving.connections.delete(this));
    // The listener leaves half-closed connections open, for HTTP/1.1; a session would then never notice that its client is gone.
    socket.allowHalfOpen = false;
    const session = http2.performServerHandshake(socket, options);
    this.#session = session;
    keepStreamsCheaply(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', (stream: ServerHttp2Stream, _fields: unknown, flags: number, raw?: string[]) =>
      this.#onStream(stream, flags, raw ?? []),
    );
    session.on('ping', this.#onControlFrame);
    session.on('remoteSettings', this.#onControlFrame);
    session.on('priority', this.#onControlFrame);
    // A client that breaks the protocol has had its GOAWAY from the library by now.
    session.on('error', () => {});
  }

  get waitingLimit(): number {
    const share = WAITING_BYTES / Math.max(1, this.#requests.size);
    return Math.min(MAX_WAITING_BYTES, Math.max(MIN_WAITING_BYTES, share));
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    if (stream.destroyed || stream.closed) {
      // Opened and reset in one breath (CVE-2023-44487): nothing was asked of a gear, and nothing will be.
      stream.on('error', () => {});
      this.#spend(this.#resets, 'HTTP2_RESET_FLOOD');
      return;
    }
    // Where the stream is there, the library tells it and not the session.
    stream.on('priority', this.#onControlFrame);
    const request = new Http2Request(stream, this);
    this.#requests.add(request);
    this.#served++;
    this.#noteActivity();
    request.start(raw, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
    if (this.#served >= this.serving.http.maxRequestsPerConnection) this.drain();
  }

  onClosed(request: SweptRequest, brokenOff: boolean): void {
    this.#requests.delete(request);
    this.#noteActivity();
    if (brokenOff && this.failure === '') this.#spend(this.#resets, 'HTTP2_RESET_FLOOD');
  }

  #noteActivity(): void {
    this.#lastActivity = performance.now();
    if (this.#probe === 'answered') this.#probe = 'none';
  }

  #spend(budget: EventBudget, failure: string): void {
    if (budget.spend(performance.now()) || this.#session.destroyed) return;
    this.failure = failure;
    this.#enter('closing');
    // Without an error the library would leave the code out.
    this.#session.destroy(new Error(failure), NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #enter(phase: 'announced' | 'closing'): void {
    this.#phase = phase;
    this.#phaseSince = performance.now();
  }

  // --- LiveConnection ---

  sweep(now: number): void {
    for (const request of this.#requests.all()) request.sweep(now);
    this.#probeClient(now);
    if (this.#requests.size > 0) {
      if (this.#phase === 'announced') this.#close();
      return;
    }
    const { headTimeoutMs, keepAliveTimeoutMs } = this.serving.http;
    if (this.#phase === 'closing') {
      // The client does not take our last frames, or does not close: waiting for it would be for ever.
      if (now - this.#phaseSince > LINGER_MS) this.#socket.destroy();
    } else if (this.#phase === 'announced') this.#close();
    else if (this.#served === 0 && now - this.#openedAt > headTimeoutMs) this.#close();
    // Pings do not count: a connection is in use when it carries requests.
    else if (now - this.#lastActivity > keepAliveTimeoutMs) this.#close();
  }

  /**
   * After some errors of the client (in HPACK, of a frame's size) the library sends its GOAWAY and from then on reads nothing, not even
   * that the client has left, and says nothing of it. A ping that is not answered does.
   */
  #probeClient(now: number): void {
    if (this.#session.destroyed || this.#session.closed) return;
    const patience = this.serving.http.keepAliveTimeoutMs / PROBES_PER_IDLE_TIME;
    if (this.#probe === 'none' && now - this.#lastActivity > patience) {
      this.#probe = 'sent';
      this.#probedAt = now;
      this.#session.ping((error) => {
        if (error === null) this.#probe = 'answered';
      });
    } else if (this.#probe === 'sent' && now - this.#probedAt > patience) this.#socket.destroy();
  }

  /** No further requests. Announced first, so that those on their way are still taken; the next sweep draws the line. */
  drain(): void {
    if (this.#phase !== 'open' || this.#session.destroyed) return;
    this.#enter('announced');
    this.#session.goaway(NGHTTP2_NO_ERROR, LAST_STREAM_ID);
  }

  #close(): void {
    this.#enter('closing');
    // Ends by itself with the last of its streams.
    this.#session.close();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
