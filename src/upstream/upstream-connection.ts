/**
 * One connection to a gear, HTTP/1.1, used for one exchange after the other. Reads through `onread` into one buffer that all
 * connections share, which spares the stream machinery; hence views are copied by whoever keeps them.
 */
import net from 'node:net';
import tls from 'node:tls';
import { ChunkedDecoder, passableTrailer } from '../http/chunked.ts';
import { type ResponseHead, readResponseHead } from '../http/response-head.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { dialFailure, type UpstreamFailure, type UpstreamFailureCode } from './failure.ts';
import type { ResponseSink } from './sink.ts';

const READ_BUFFER_BYTES = 65_536;
const MAX_HEAD_BYTES = 65_536;
const MAX_FIELDS = 256;
const MAX_INTERIM = 16;
/** Bytes waiting in a socket above which its source is paused. */
export const HIGH_WATER_BYTES = 262_144;

const sharedReadBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/** What a pool wants to know of its connections. */
export interface ConnectionOwner {
  /** The exchange is over; `reusable` says whether another may follow on the connection. */
  onIdle(connection: UpstreamConnection, reusable: boolean): void;
  onClose(connection: UpstreamConnection): void;
}

export interface DialOptions {
  readonly endpoint: PublishedEndpoint;
  /** Host of the request: SNI towards TLS gears (domain.md 8). */
  readonly servername: string;
  readonly timeoutMs: number;
}

type Phase = 'idle' | 'head' | 'length' | 'chunked' | 'until-close' | 'tunnel' | 'closed';

export class UpstreamConnection {
  readonly endpoint: PublishedEndpoint;
  /** SNI it was opened with: a TLS connection serves that name only. */
  readonly servername: string;
  readonly #owner: ConnectionOwner;
  readonly #socket: net.Socket;
  #phase: Phase = 'idle';
  #sink: ResponseSink | null = null;
  #onTunnelData: ((view: Buffer) => boolean) | null = null;
  #onTunnelEnd: (() => void) | null = null;
  #headRequest = false;
  #upgradeAsked = false;
  #remaining = 0;
  #interims = 0;
  #keepAlive = true;
  #requestWhole = true;
  #partialHead: Buffer | null = null;
  #decoder: ChunkedDecoder | null = null;
  #lastError = '';
  #exchanges = 0;
  #paused = false;
  /** performance.now() of the last byte either way: the pool's sweep reads it. */
  lastActivity = 0;

  private constructor(owner: ConnectionOwner, options: DialOptions, socket: net.Socket) {
    this.#owner = owner;
    this.endpoint = options.endpoint;
    this.servername = options.servername;
    this.#socket = socket;
  }

  /** Opens a connection; exactly one of the two callbacks is called. Returns a function that gives the dial up. */
  static dial(
    owner: ConnectionOwner,
    options: DialOptions,
    onOpen: (connection: UpstreamConnection) => void,
    onFailure: (failure: UpstreamFailure) => void,
  ): () => void {
    const { endpoint } = options;
    let connection: UpstreamConnection | null = null;
    let settled = false;
    const socket = endpoint.tls
      ? tls.connect({
          host: endpoint.address,
          port: endpoint.port,
          rejectUnauthorized: endpoint.verifyTls,
          ALPNProtocols: ['http/1.1'],
          ...(net.isIP(options.servername) === 0 && options.servername !== ''
            ? { servername: options.servername }
            : {}),
        })
      : net.connect({
          host: endpoint.address,
          port: endpoint.port,
          allowHalfOpen: true,
          onread: {
            buffer: sharedReadBuffer,
            callback: (length: number, buffer: Uint8Array) =>
              connection?.takeView(buffer as Buffer, length) ?? true,
          },
        });
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(timer);
      return true;
    };
    const timer = setTimeout(() => {
      if (!settle()) return;
      socket.destroy();
      onFailure({ code: 'CONNECT_TIMEOUT', detail: `${options.timeoutMs} ms` });
    }, options.timeoutMs);
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (settle()) onFailure(dialFailure(error, endpoint.tls));
      else connection?.noteError(error);
    });
    socket.once('close', () => {
      if (settle())
        onFailure({
          code: endpoint.tls ? 'CONNECT_TLS' : 'CONNECT_FAILED',
          detail: 'closed while connecting',
        });
    });
    socket.once(endpoint.tls ? 'secureConnect' : 'connect', () => {
      if (!settle()) return;
      connection = new UpstreamConnection(owner, options, socket);
      connection.#listen();
      onOpen(connection);
    });
    return () => {
      if (settle()) socket.destroy();
    };
  }

  #listen(): void {
    const socket = this.#socket;
    if (this.endpoint.tls) socket.on('data', (chunk: Buffer) => void this.#take(chunk));
    socket.on('drain', () => this.#sink?.onWritable());
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  /** For the dial's shells only. */
  takeView(buffer: Buffer, length: number): boolean {
    return this.#take(length === buffer.length ? buffer : buffer.subarray(0, length));
  }

  /** For the dial's shells only. */
  noteError(error: NodeJS.ErrnoException): void {
    this.#lastError = error.code ?? error.message;
  }

  get reused(): boolean {
    return this.#exchanges > 1;
  }

  /** Whether the kernel or Node hold bytes that the gear has not taken yet, above the high-water mark. */
  get full(): boolean {
    return this.#socket.writableLength > HIGH_WATER_BYTES;
  }

  /**
   * Starts an exchange: writes the head (latin1 text with its empty line). `requestWhole`: no body follows, or it follows later
   * through `write` and `finishRequest`.
   */
  begin(
    sink: ResponseSink,
    head: string,
    request: { readonly isHead: boolean; readonly asksUpgrade: boolean; readonly whole: boolean },
  ): void {
    this.#sink = sink;
    this.#phase = 'head';
    this.#headRequest = request.isHead;
    this.#upgradeAsked = request.asksUpgrade;
    this.#requestWhole = request.whole;
    this.#interims = 0;
    this.#exchanges++;
    this.lastActivity = performance.now();
    this.#socket.write(head, 'latin1');
  }

  /** Body bytes towards the gear. False: wait for the sink's `onWritable`. */
  write(bytes: Buffer | string): boolean {
    if (this.#phase === 'closed') return true;
    this.lastActivity = performance.now();
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1');
    else this.#socket.write(bytes);
    return !this.full;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  finishRequest(): void {
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

  /** The gear was silent for too long; a tunnel has its own time (its sink's) and a paused gear is not at fault. */
  expire(): void {
    if (this.#phase === 'tunnel' || this.#paused || !this.#requestWhole) return;
    this.fail('RESPONSE_TIMEOUT', 'silent for too long');
  }

  /** After `onUpgrade`: raw bytes. `onData` returns false to pause until `resume`; `onDrain` by the socket's own event. */
  startTunnel(
    onData: (view: Buffer) => boolean,
    onEnd: () => void,
    onClose: () => void,
    onDrain: () => void,
  ): void {
    this.#onTunnelData = onData;
    this.#onTunnelEnd = onEnd;
    this.#socket.on('close', onClose);
    this.#socket.on('drain', onDrain);
  }

  /** Half-close towards the gear. */
  end(): void {
    this.#socket.end();
  }

  #take(view: Buffer): boolean {
    this.lastActivity = performance.now();
    if (this.#phase === 'tunnel') return this.#continueReading(this.#onTunnelData?.(view) ?? false);
    const sink = this.#sink;
    if (sink === null) {
      // Bytes that nobody asked for: whatever they are, the next exchange must not take them for its answer.
      this.#socket.destroy();
      return false;
    }
    this.#consume(sink, view);
    return this.#continueReading(sink.flush());
  }

  #continueReading(hasRoom: boolean): boolean {
    if (hasRoom) return true;
    this.#paused = true;
    if (this.endpoint.tls) this.#socket.pause();
    return false;
  }

  #consume(sink: ResponseSink, view: Buffer): void {
    let at = 0;
    while (at < view.length) {
      switch (this.#phase) {
        case 'head': {
          at = this.#readHead(sink, view, at);
          if (at < 0) return;
          break;
        }
        case 'length': {
          const end = Math.min(view.length, at + this.#remaining);
          this.#remaining -= end - at;
          sink.onBody(at === 0 && end === view.length ? view : view.subarray(at, end));
          at = end;
          if (this.#remaining === 0) this.#finish(sink, '', at < view.length);
          break;
        }
        case 'chunked': {
          at = this.#readChunks(sink, view, at);
          if (at < 0) return;
          break;
        }
        case 'until-close':
          sink.onBody(at === 0 ? view : view.subarray(at));
          return;
        default:
          // Idle with bytes left over: the answer was longer than its framing said. The sink has its answer; drop the connection.
          this.#socket.destroy();
          return;
      }
    }
  }

  /** Returns the index behind the head, or -1 when the rest is not for the caller. */
  #readHead(sink: ResponseSink, view: Buffer, from: number): number {
    let bytes = view;
    let start = from;
    if (this.#partialHead !== null) {
      bytes = Buffer.concat([this.#partialHead, view.subarray(from)]);
      start = 0;
    }
    const end = bytes.indexOf('\r\n\r\n', start, 'latin1');
    if (end < 0) {
      if (bytes.length - start > MAX_HEAD_BYTES) {
        this.fail('RESPONSE_INVALID', 'UPSTREAM_HEAD_TOO_LONG');
        return -1;
      }
      this.#partialHead = Buffer.from(bytes.subarray(start));
      return view.length;
    }
    const before = this.#partialHead === null ? 0 : this.#partialHead.length;
    this.#partialHead = null;
    const head = readResponseHead(bytes.toString('latin1', start, end + 2), MAX_FIELDS);
    if ('code' in head) {
      this.fail('RESPONSE_INVALID', head.code);
      return -1;
    }
    const next = before === 0 ? end + 4 : from + end + 4 - before;
    return this.#applyHead(sink, head, view, next);
  }

  #applyHead(sink: ResponseSink, head: ResponseHead, view: Buffer, next: number): number {
    if (head.status === 101) {
      if (!this.#upgradeAsked || head.upgrade === '') {
        this.fail('UNASKED_UPGRADE', '101');
        return -1;
      }
      this.#phase = 'tunnel';
      this.#sink = null;
      sink.onUpgrade(head, this, view.subarray(next));
      return -1;
    }
    if (head.status < 200) {
      if (++this.#interims > MAX_INTERIM) {
        this.fail('RESPONSE_INVALID', 'UPSTREAM_INTERIM_FLOOD');
        return -1;
      }
      sink.onInterim(head);
      return next;
    }
    const bodyless = this.#headRequest || head.status === 204 || head.status === 304;
    this.#keepAlive = head.keepAlive;
    sink.onHead(head, bodyless);
    if (bodyless || head.contentLength === 0) {
      this.#finish(sink, '', next < view.length);
    } else if (head.chunked) {
      this.#decoder = new ChunkedDecoder();
      this.#phase = 'chunked';
    } else if (head.contentLength > 0) {
      this.#remaining = head.contentLength;
      this.#phase = 'length';
    } else {
      this.#keepAlive = false;
      this.#phase = 'until-close';
    }
    return next;
  }

  #readChunks(sink: ResponseSink, view: Buffer, from: number): number {
    const decoder = this.#decoder;
    if (decoder === null) return -1;
    const slices: Buffer[] = [];
    const next = decoder.feed(view, from, slices);
    for (const slice of slices) sink.onBody(slice);
    if (decoder.error !== '') {
      this.fail('RESPONSE_INVALID', decoder.error);
      return -1;
    }
    if (decoder.done) {
      this.#decoder = null;
      this.#finish(sink, passableTrailer(decoder.trailer), next < view.length);
    }
    return next;
  }

  #finish(sink: ResponseSink, trailer: string, surplus: boolean): void {
    this.#sink = null;
    this.#phase = 'idle';
    const reusable = this.#keepAlive && this.#requestWhole && !surplus && !this.#socket.destroyed;
    // Before the sink hears of it: a pipelined request may then use this very connection.
    this.#owner.onIdle(this, reusable);
    sink.onEnd(trailer);
    if (!reusable) this.#socket.destroySoon();
  }

  #onEnd(): void {
    if (this.#phase === 'tunnel') {
      this.#onTunnelEnd?.();
      return;
    }
    this.#endOfStream('CLOSED_BEFORE_RESPONSE', 'closed by the gear');
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#endOfStream('RESET_BEFORE_RESPONSE', this.#lastError === '' ? 'closed' : this.#lastError);
    this.#phase = 'closed';
    this.#owner.onClose(this);
  }

  #endOfStream(early: UpstreamFailureCode, detail: string): void {
    const sink = this.#sink;
    if (sink === null) return;
    this.#sink = null;
    if (this.#phase === 'until-close' && this.#lastError === '') sink.onEnd('');
    else
      sink.onFailure({
        code: this.#phase === 'head' && this.#partialHead === null ? early : 'RESPONSE_CUT_SHORT',
        detail,
      });
    this.#partialHead = null;
    this.#phase = 'closed';
    sink.flush();
  }
}
