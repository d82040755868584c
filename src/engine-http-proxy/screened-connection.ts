/**
 * A client's connection as Node's server gets to see it. Every byte passes our own strict reader first, and only what it has one
 * reading of goes on: whole heads, and bodies framed anew. Node's parser alone would take bare LF, `RTSP/1.0`, a repeated Host, ports
 * above 65535 and more. One request at a time: Node would start pipelined ones all at once, and answer a parse error before, and
 * instead of, the answers that are due. Taps on Node's own sockets were the alternative; any Duplex is what its documents promise.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { chunkHead, lastChunk } from '../http/chunked.ts';
import { type HeadError, isHeadError, type RequestHead, readRequestHead } from '../http/request-head.ts';
import { HIGH_WATER_BYTES } from '../upstream/turn-writer.ts';
import type { BodyCutter, BodyFailureCode, ConnectionPhase, EngineMeans } from './means.ts';

const PIPELINE_LIMIT_BYTES = 65_536;

type ScreenMeans = Pick<
  EngineMeans<string>,
  'http' | 'newHeadFinder' | 'bodyAfter' | 'newClock' | 'upstreamRequest'
>;

export interface ScreenEvents {
  /** A head that is not served; answer it with `end`. No request is under way. */
  onRefused(error: HeadError): void;
  /** The body of the request under way is coded wrongly or stopped coming. */
  onBodyFailure(code: BodyFailureCode, detail: string): void;
}

export class ScreenedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #means: ScreenMeans;
  readonly #events: ScreenEvents;
  /** Only the connection's end says that the answer is whole: when it is destroyed before, it must not look like an orderly end. */
  endHasMeaning = false;
  readonly #input;
  readonly #clock;
  #phase: ConnectionPhase = 'head';
  #body: BodyCutter | null = null;
  #chunked = false;
  #served = 0;
  #bodyBytes = 0;
  /** Something of an answer has gone out, since the head. */
  #answering = false;
  #room = true;
  #paused = false;
  #advancing = false;
  #clientEnded = false;
  #draining = false;

  constructor(socket: Socket, means: ScreenMeans, events: ScreenEvents) {
    super({ allowHalfOpen: true, highWaterMark: HIGH_WATER_BYTES });
    this.#socket = socket;
    this.#means = means;
    this.#events = events;
    this.#input = means.newHeadFinder();
    this.#clock = means.newClock();
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.once('close', () => {
      this.#phase = 'closed';
      this.destroy();
    });
    socket.on('error', () => {});
  }

  /** The request under way is the last one of this connection. */
  get last(): boolean {
    return this.#draining || this.#served >= this.#means.http.maxRequestsPerConnection;
  }

  /** When the request under way began; of performance.now(). */
  get startedAt(): number {
    return this.#clock.startedAt;
  }

  /** Its body is not whole yet. */
  get inBody(): boolean {
    return this.#phase === 'body';
  }

  /** The answer is out: the next request may come. */
  requestOver(): void {
    this.#clock.lastActivity = performance.now();
    if (this.writableEnded || this.#phase !== 'waiting') return;
    if (this.#draining) {
      this.end();
      return;
    }
    this.#phase = 'head';
    this.#clock.startedAt = this.#clock.lastActivity;
    this.#resume();
    this.#advance();
  }

  /** Gives the bare socket up, with what the client has sent since the head: a tunnel begins. */
  release(): { readonly socket: Socket; readonly early: Buffer } {
    this.#phase = 'tunnel';
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('drain', this.#onDrain);
    return { socket: this.#socket, early: this.#input.takeAll() };
  }

  drain(): void {
    this.#draining = true;
    if (this.#phase === 'head' && this.#input.length === 0) this.end();
  }

  sweep(now: number): void {
    const state = {
      phase: this.#phase,
      headBytes: this.#input.length,
      fresh: this.#served === 0,
      paused: this.#paused,
      bodyBytes: this.#answering ? -1 : this.#bodyBytes,
    };
    const verdict = this.#clock.judge(this.#socket, state, this.#means.http, now);
    if (verdict === 'fine') return;
    if (verdict === 'end') this.end();
    else if (verdict === 'body-late') this.#failBody('CLIENT_TIMEOUT', '');
    else if (verdict === 'body-slow') this.#failBody('CLIENT_TIMEOUT', 'BODY_SLOW');
    else if (verdict === 'unread' || verdict === 'destroy') this.#socket.destroy();
    else this.#refuse(verdict);
  }

  // --- from the client ---

  readonly #onData = (chunk: Buffer): void => {
    this.#clock.lastActivity = performance.now();
    if (this.#phase === 'lingering' || this.#phase === 'closed' || this.writableEnded) return;
    this.#input.push(chunk);
    this.#advance();
  };

  readonly #onEnd = (): void => {
    this.#clientEnded = true;
    // A half-closed client still gets the answers it waits for.
    this.#advance();
  };

  readonly #onDrain = (): void => {
    this.#clock.lastActivity = performance.now();
    this.#resume();
    this.#advance();
  };

  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    let goOn = true;
    while (goOn) {
      if (this.#phase === 'head') goOn = this.#readHead();
      else if (this.#phase === 'body') goOn = this.#readBody();
      else goOn = false;
    }
    this.#advancing = false;
    if (this.#phase === 'waiting' && this.#input.length > PIPELINE_LIMIT_BYTES) this.#pause();
    // Nothing can follow but the rest of a head that will not come.
    else if (this.#phase === 'head' && this.#clientEnded && !this.#paused) this.end();
    // What is here of a body may be waiting for room; once it is gone, the rest is missing.
    else if (this.#phase === 'body' && this.#clientEnded && this.#input.length === 0) this.#socket.destroy();
  }

  #readHead(): boolean {
    if (this.#input.length === 0 || this.writableEnded) return false;
    // A client that does not read its answers gets no further ones.
    if (this.#socket.writableLength > HIGH_WATER_BYTES) {
      this.#pause();
      return false;
    }
    if (!this.#input.inHead) this.#clock.startedAt = this.#clock.lastActivity;
    const text = this.#input.takeHeadText(this.#means.http);
    if (text === null) return false;
    const head = typeof text === 'string' ? readRequestHead(text, this.#means.http) : text;
    if (isHeadError(head)) {
      this.#refuse(head);
      return false;
    }
    this.#served++;
    this.#bodyBytes = 0;
    this.#answering = false;
    this.#body = this.#means.bodyAfter(head);
    this.#chunked = head.chunked;
    this.#phase = this.#body === null ? 'waiting' : 'body';
    this.#pass(Buffer.from(`${forNode(text as string, head, this.#means)}\r\n`, 'latin1'));
    return true;
  }

  #readBody(): boolean {
    const body = this.#body;
    if (this.#input.length === 0 || body === null) return false;
    if (!this.#room) {
      this.#pause();
      return false;
    }
    const slices: Buffer[] = [];
    const taken = body.take(this.#input.bytes, slices);
    if (body.error !== '') {
      this.#failBody('BODY_INVALID', body.error);
      return false;
    }
    this.#input.drop(taken);
    this.#bodyBytes += taken;
    if (body.whole) this.#phase = 'waiting';
    if (this.#chunked) {
      const pieces = slices.flatMap((slice) => [latin1(chunkHead(slice.length)), slice, latin1('\r\n')]);
      if (body.whole) pieces.push(latin1(lastChunk(body.trailer)));
      this.#pass(Buffer.concat(pieces));
    } else {
      for (const slice of slices) this.#pass(slice);
    }
    return true;
  }

  #pass(bytes: Buffer): void {
    // An empty piece would say nothing to Node, and a stream takes it for a reason to ask again.
    if (bytes.length > 0 && !this.destroyed) this.#room = this.push(bytes);
  }

  #refuse(error: HeadError): void {
    this.#phase = 'waiting';
    this.#input.takeAll();
    this.#events.onRefused(error);
  }

  #failBody(code: BodyFailureCode, detail: string): void {
    this.#input.takeAll();
    this.#body = null;
    this.#events.onBodyFailure(code, detail);
  }

  #pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  // --- Duplex: what Node's server reads and writes ---

  override _read(): void {
    this.#room = true;
    if (this.#phase !== 'body') return;
    this.#resume();
    this.#advance();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // A `100 Continue` alone is no answer yet, and begins with its status.
    if (!isContinue(chunk)) this.#answering = true;
    // An error shows in the socket's own 'close'.
    this.#socket.write(chunk, () => {
      this.#clock.lastActivity = performance.now();
      done();
    });
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'latin1', done);
  }

  /** Ends our side and reads on for a moment: closing with unread bytes would reset the connection and lose the answer (RFC 9112 9.6). */
  override _final(done: () => void): void {
    if (this.#phase !== 'tunnel' && this.#phase !== 'closed') {
      this.#phase = 'lingering';
      this.#clock.lingeringSince = this.#clock.lastActivity = performance.now();
      this.#input.takeAll();
      this.#socket.end();
      this.#resume();
    }
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    // Lingering ends by the client or by the sweep, a tunnel has owners of its own.
    if (this.#phase !== 'lingering' && this.#phase !== 'tunnel') {
      // Over TLS the missing close_notify says it.
      if (this.endHasMeaning && !(this.#socket instanceof TLSSocket)) this.#socket.resetAndDestroy();
      else this.#socket.destroy();
    }
    done();
  }
}

function isContinue(chunk: Buffer): boolean {
  return chunk.length < 64 && chunk.toString('latin1', 0, 12) === 'HTTP/1.1 100';
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

const NO_FORWARDING = { lines: '', clientAddress: '' };

/** The head as Node gets it: without an Upgrade that will not pass on, for which Node would give up parsing the connection. */
function forNode(text: string, head: RequestHead, means: ScreenMeans): string {
  if (!/\r\nupgrade:/i.test(text)) return text;
  if (means.upstreamRequest(head, NO_FORWARDING, '').asksUpgrade) return text;
  return text.replaceAll(/\r\nupgrade:[^\r]*/gi, '');
}
