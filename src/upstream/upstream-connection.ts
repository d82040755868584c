/**
 * One connection to a gear, HTTP/1.1, used for one exchange after the other. Reads through `onread` into one buffer that all
 * connections share, which spares the stream machinery; hence views are copied by whoever keeps them.
 */
import type net from 'node:net';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { gearReads } from './arena.ts';
import { type DialMeans, dialSocket } from './dial.ts';
import type { BegunRequest, ExchangeConnection, OutgoingHead } from './exchange-connection.ts';
import type { UpstreamFailure, UpstreamFailureCode } from './failure.ts';
import { readFromKernel } from './kernel-read.ts';
import { beginMoment, endMoment, momentNow } from './moment.ts';
import { Pieces } from './pieces.ts';
import type { Placed } from './placed-list.ts';
import { ResponseReader } from './response-reader.ts';
import { unsentBytes } from './send-watch.ts';
import type { RawConnection, ResponseSink } from './sink.ts';
import { gearTurnReads, type TurnReader } from './turn-reads.ts';
import { type TurnOwner, TurnWriter } from './turn-writer.ts';

const HTTP_1_1: readonly string[] = ['http/1.1'];
const TUNNEL_KEEP_ALIVE_MS = 60_000;

/** Empty between two calls. */
const outgoing = new Pieces();

/** What a pool wants to know of its connections. */
export interface ConnectionOwner {
  /** The exchange is over; `reusable` says whether another may follow on the connection. */
  onIdle(connection: UpstreamConnection, reusable: boolean): void;
  onClose(connection: UpstreamConnection): void;
}

export class UpstreamConnection implements ExchangeConnection, RawConnection, Placed, TurnOwner, TurnReader {
  readonly endpoint: PublishedEndpoint;
  readonly framesBodies = false;
  /** SNI it was opened with: a TLS connection serves that name only. */
  readonly servername: string;
  readonly #owner: ConnectionOwner;
  readonly #socket: net.Socket;
  readonly #writer: TurnWriter;
  #phase: 'http' | 'tunnel' | 'closed' = 'http';
  readonly #reader = new ResponseReader();
  #sink: ResponseSink | null = null;
  #onTunnelData: ((view: Buffer) => boolean) | null = null;
  #onTunnelEnd: (() => void) | null = null;
  #requestWhole = true;
  #lastError = '';
  #exchanges = 0;
  #paused = false;
  /** What the gear had not taken yet when it was last found silent. */
  #unsentSeen = 0;
  /** performance.now() of the last byte either way, of a head's first one: the pool's sweep reads it. */
  lastActivity = 0;
  /** In the pool's list. */
  place = -1;
  waitingReads = 0;

  private constructor(
    owner: ConnectionOwner,
    endpoint: PublishedEndpoint,
    servername: string,
    socket: net.Socket,
  ) {
    this.#owner = owner;
    this.endpoint = endpoint;
    this.servername = servername;
    this.#socket = socket;
    this.#writer = new TurnWriter(socket, this);
  }

  /** Opens a connection; exactly one of the two callbacks is called. Returns a function that gives the dial up. */
  static dial(
    owner: ConnectionOwner,
    means: DialMeans,
    servername: string,
    onOpen: (connection: UpstreamConnection) => void,
    onFailure: (failure: UpstreamFailure) => void,
  ): () => void {
    let connection: UpstreamConnection | null = null;
    const onread = {
      buffer: gearReads.buffer,
      callback: (length: number) => connection?.takeView(length) ?? true,
    };
    return dialSocket(
      means,
      { servername, protocols: HTTP_1_1, onread },
      (socket) => {
        connection = UpstreamConnection.adopt(owner, means.endpoint, servername, socket);
        onOpen(connection);
      },
      onFailure,
    );
  }

  /** Takes over a socket that is open: over TLS any, else one of a dial here. */
  static adopt(
    owner: ConnectionOwner,
    endpoint: PublishedEndpoint,
    servername: string,
    socket: net.Socket,
  ): UpstreamConnection {
    const connection = new UpstreamConnection(owner, endpoint, servername, socket);
    connection.#listen();
    return connection;
  }

  #listen(): void {
    const socket = this.#socket;
    if (this.endpoint.tls) socket.on('data', (chunk: Buffer) => void this.take(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#lastError = error.code ?? error.message;
    });
    socket.on('drain', () => this.#sink?.onWritable());
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  /** For the dial's shell only. */
  takeView(length: number): boolean {
    // Not what nobody asked for: by the turn's end somebody might have.
    return gearTurnReads.offer(this, length, this.#sink !== null && this.#phase === 'http');
  }

  get open(): boolean {
    return !this.#socket.destroyed;
  }

  get reused(): boolean {
    return this.#exchanges > 1;
  }

  /** Whether the kernel or Node hold bytes that the gear has not taken yet, so much that the source should pause. */
  get full(): boolean {
    return this.#writer.full;
  }

  /**
   * Starts an exchange: writes the head. `requestWhole`: no body follows, or it follows later
   * through `write` and `finishRequest`. `upgrade`: the tokens that the head asks for, null without any.
   */
  begin(sink: ResponseSink, head: OutgoingHead, request: BegunRequest): void {
    this.#sink = sink;
    this.#reader.begin(request.isHead, request.upgrade);
    this.#requestWhole = request.whole;
    this.#exchanges++;
    this.lastActivity = momentNow();
    if (head.headTo?.(outgoing) === true) this.#writer.writePieces(outgoing);
    else this.#writer.writeText(head.head);
  }

  write(view: Buffer): boolean {
    if (this.#phase === 'closed') return true;
    this.lastActivity = momentNow();
    this.#writer.writeBytes(view);
    return !this.full;
  }

  writeParts(parts: readonly (Buffer | string)[]): boolean {
    if (this.#phase === 'closed') return true;
    this.lastActivity = momentNow();
    this.#writer.writeParts(parts);
    return !this.full;
  }

  finishRequest(_trailer: string): void {
    this.#requestWhole = true;
  }

  /** The sink has room again. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  destroy(): void {
    this.#sink = null;
    this.#socket.destroy();
  }

  /** Ends an exchange that failed for a reason the caller found (a time-out). */
  fail(code: UpstreamFailureCode, detail: string): void {
    const sink = this.#sink;
    this.destroy();
    if (sink === null) return;
    sink.onFailure({ code, detail });
    sink.flush();
  }

  /**
   * Nothing came or went for too long; `now` of performance.now(). A tunnel has its own time (its sink's), a gear that we do not read
   * from is not at fault, nor is one that waits for the rest of the request, and one that takes what we sent, however slowly, gets time.
   */
  expire(now: number): void {
    const unsent = unsentBytes(this.#socket);
    const moved = unsent > 0 && unsent !== this.#unsentSeen;
    this.#unsentSeen = unsent;
    if (moved) {
      this.lastActivity = now;
      return;
    }
    if (this.#phase === 'tunnel') {
      // Both sides have ended and the client is gone: only the gear, which does not read the rest, keeps this open.
      if (this.#socket.writableEnded && this.#socket.readableEnded) this.#socket.destroy();
      return;
    }
    if (this.#paused) return;
    if (this.#requestWhole) this.fail('RESPONSE_TIMEOUT', 'silent for too long');
    else if (this.full) this.fail('RESPONSE_TIMEOUT', 'takes no more of the request');
  }

  /** Closes it if it is a tunnel. */
  endTunnel(): void {
    if (this.#phase === 'tunnel') this.#socket.destroy();
  }

  /** No exchange, raw bytes from the start: for what is not HTTP. Call before anything can have come. */
  openTunnel(): void {
    this.#phase = 'tunnel';
  }

  startTunnel(
    onData: (view: Buffer) => boolean,
    onEnd: () => void,
    onClose: () => void,
    onDrain: () => void,
  ): void {
    this.#onTunnelData = onData;
    this.#onTunnelEnd = onEnd;
    // A peer that vanished without a word is noticed long before the idle time of a tunnel.
    this.#socket.setKeepAlive(true, TUNNEL_KEEP_ALIVE_MS);
    this.#socket.on('close', onClose);
    this.#socket.on('drain', onDrain);
  }

  /**
   * A gear that refuses an upload may answer and close at once (413, say): its answer lies here then, behind it the end, and to close now would be
   * to lose it, as it would be the last words in a tunnel. Both are read next, since a connection that was reset is always readable; other errors
   * do not promise that.
   */
  onWriteFailed(error: NodeJS.ErrnoException): void {
    if (!this.#mayHaveMore(error)) this.#socket.destroy(error);
  }

  /** The same where there is no next read: what lies here is read now, as long as whoever it is for has room. */
  onSocketFails(error: NodeJS.ErrnoException): void {
    // Before what waits is taken: it may end its answer, and nothing further may go out here.
    this.#lastError = error.code ?? error.message;
    gearTurnReads.workOn(this);
    let goOn = this.#mayHaveMore(error) && !this.#paused;
    while (goOn) {
      const length = readFromKernel(this.#socket, gearReads.buffer);
      goOn = length > 0 && this.take(gearReads.viewOf(length));
    }
  }

  #mayHaveMore({ code = '' }: NodeJS.ErrnoException): boolean {
    this.#lastError = code;
    const isReset = code === 'ECONNRESET' || code === 'EPIPE';
    return isReset && (this.#phase === 'tunnel' || this.#sink !== null);
  }

  /** Half-close towards the gear. */
  end(): void {
    this.#writer.end();
  }

  // --- TurnReader ---

  take(view: Buffer): boolean {
    beginMoment();
    const goOn = this.#take(view);
    endMoment();
    return goOn;
  }

  stopReading(): void {
    this.#socket.pause();
  }

  #take(view: Buffer): boolean {
    // Within a head only its first byte counts: a gear could else hold a request for days by dripping it.
    const inHead = this.#reader.inHead;
    if (!inHead) this.lastActivity = momentNow();
    if (this.#phase === 'tunnel') return this.#continueReading(this.#onTunnelData?.(view) ?? false);
    const sink = this.#sink;
    if (sink === null) {
      // Bytes that nobody asked for: whatever they are, the next exchange must not take them for its answer.
      this.#socket.destroy();
      return false;
    }
    switch (this.#reader.read(view, sink)) {
      case 'more':
        if (inHead && !this.#reader.inHead) this.lastActivity = momentNow();
        break;
      case 'whole':
        this.#finish(sink);
        sink.flush();
        // Read on, whether that client has room or not: the connection is idle now or already another request's, which nobody would resume.
        this.resume();
        return true;
      case 'upgrade':
        this.#upgrade(sink);
        return true;
      case 'failed':
        this.fail(this.#reader.failure, this.#reader.detail);
        return false;
    }
    return this.#continueReading(sink.flush());
  }

  #finish(sink: ResponseSink): void {
    this.#sink = null;
    // Bytes behind the answer: it was longer than its framing said. The sink has its answer; the connection goes.
    const surplus = this.#reader.rest.length > 0 || this.waitingReads > 0;
    const sound = !this.#socket.destroyed && !this.#socket.readableEnded && this.#lastError === '';
    const reusable = this.#reader.keepAlive && this.#requestWhole && !surplus && sound;
    // Before the sink hears of it: a pipelined request may then use this very connection.
    this.#owner.onIdle(this, reusable);
    sink.onEnd(this.#reader.trailer);
    if (reusable) return;
    this.#writer.destroySoon();
  }

  #upgrade(sink: ResponseSink): void {
    this.#sink = null;
    this.#phase = 'tunnel';
    const { head, rest } = this.#reader;
    if (head !== null) sink.onUpgrade(head, this, rest);
  }

  #continueReading(hasRoom: boolean): boolean {
    if (hasRoom) return true;
    this.#paused = true;
    if (this.endpoint.tls) this.#socket.pause();
    return false;
  }

  #onEnd(): void {
    gearTurnReads.workOn(this);
    // Where a write has failed before, this is no end in good order.
    const inOrder = this.#lastError === '';
    if (this.#phase === 'tunnel' && inOrder) {
      this.#onTunnelEnd?.();
      return;
    }
    if (inOrder) this.#endOfStream('CLOSED_BEFORE_RESPONSE', 'closed by the gear');
    this.#socket.destroy();
  }

  #onClose(): void {
    gearTurnReads.workOn(this);
    this.#endOfStream('RESET_BEFORE_RESPONSE', this.#lastError === '' ? 'closed' : this.#lastError);
    this.#phase = 'closed';
    this.#owner.onClose(this);
  }

  #endOfStream(early: UpstreamFailureCode, detail: string): void {
    const sink = this.#sink;
    if (sink === null) return;
    this.#sink = null;
    if (this.#reader.endsWithConnection && this.#lastError === '') sink.onEnd('');
    else sink.onFailure({ code: this.#reader.unanswered ? early : 'RESPONSE_CUT_SHORT', detail });
    sink.flush();
  }
}
