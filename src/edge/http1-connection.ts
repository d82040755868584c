/**
 * One HTTP/1.1 connection of a client: what it sends, cut into requests, one served at a time, pipelined ones in order; when it is read
 * and when not; and how it ends. What becomes of a request is the request's own affair.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { isHeadError } from '../http/request-head.ts';
import { beginMoment, endMoment } from '../upstream/moment.ts';
import type { RawConnection } from '../upstream/sink.ts';
import { clientTurnReads, type TurnReader } from '../upstream/turn-reads.ts';
import { TurnWriter } from '../upstream/turn-writer.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { Http1Input } from './http1-input.ts';
import { Http1Request, type Http1RequestOwner } from './http1-request.ts';
import { Http1Clock, type Http1Phase } from './http1-timeouts.ts';
import { readInto } from './read-into.ts';
import type { LiveConnection, Serving } from './serving.ts';
import { socketEnd, startTunnel, type Tunnel, type TunnelOptions } from './tunnel.ts';

const PIPELINE_LIMIT_BYTES = 65_536;

export class Http1Connection implements Http1RequestOwner, LiveConnection, TurnReader {
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #serving: Serving;
  readonly facts: ConnectionFacts;
  readonly #input = new Http1Input();
  readonly #clock = new Http1Clock();
  readonly #request: Http1Request;
  /** As `Http1Phase`; of a request under way it knows itself how far it is. */
  #phase: 'head' | 'request' | 'tunnel' | 'lingering' | 'closed' = 'head';
  #tunnel: Tunnel | null = null;
  #advancing = false;
  #paused = false;
  #clientEnded = false;
  #draining = false;
  #served = 0;
  waitingReads = 0;

  constructor(socket: Socket, serving: Serving, facts: ConnectionFacts) {
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    this.#serving = serving;
    this.facts = facts;
    this.#request = new Http1Request(serving, this.#writer, this.#clock, this);
    serving.connections.add(this);
    // Also with shared reads: what lies in the socket already comes this way.
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    readInto(socket, ({ length }) => clientTurnReads.offer(this, length, this.#phase === 'head'));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
    // 'close' follows and does the work; a reset by a client is nothing to report.
    socket.on('error', () => {});
  }

  // --- from the client ---

  /** A view that the next read overwrites: what is kept of it is copied. */
  take(view: Buffer): boolean {
    this.#clock.lastActivity = beginMoment();
    if (this.#phase === 'tunnel') {
      this.#tunnel?.fromClient(view);
    } else if (this.#phase === 'request' && this.#input.length === 0 && this.#request.passBody(view)) {
      if (this.#request.full) this.#pause();
    } else if (this.#phase !== 'lingering' && this.#phase !== 'closed') {
      this.#input.push(view);
      this.#advance();
      this.#input.own();
    }
    endMoment();
    // Whoever has no room for more has paused the socket.
    return true;
  }

  /** Never asked for, since `take` never says no. */
  stopReading(): void {}

  /** Goes on as far as the input allows. A loop, not a recursion: pipelined requests may be answered at once, one after another. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    let goOn = true;
    while (goOn) {
      if (this.#phase === 'head') goOn = this.#readHead();
      else if (this.#phase === 'request') goOn = this.#readBody();
      else goOn = false;
    }
    this.#advancing = false;
    if (this.#phase === 'request') {
      if (!this.#request.uploading) {
        if (this.#input.length > PIPELINE_LIMIT_BYTES) this.#pause();
      } else if (this.#clientEnded && this.#input.length === 0) this.#socket.destroy();
    } else if (this.#phase === 'head' && this.#clientEnded && !this.#paused) {
      // Nothing can follow but the rest of a head that will not come.
      this.#linger();
    }
  }

  #readHead(): boolean {
    if (this.#input.length === 0) return false;
    // A client that does not read its answers gets no further ones: they would be gathered here.
    if (this.#writer.full) {
      this.#pause();
      return false;
    }
    if (!this.#input.inHead) this.#clock.startedAt = this.#clock.lastActivity;
    const { http, draining } = this.#serving;
    const head = this.#input.takeHead(http);
    if (head === null) return false;
    if (isHeadError(head)) {
      this.#request.refuse(head);
      return false;
    }
    this.#served++;
    this.#phase = 'request';
    this.#request.start(head, this.#draining || draining || this.#served >= http.maxRequestsPerConnection);
    return true;
  }

  #readBody(): boolean {
    if (this.#input.length === 0 || !this.#request.uploading) return false;
    if (this.#request.full) {
      this.#pause();
      return false;
    }
    return this.#request.takeBody(this.#input);
  }

  #onEnd(): void {
    clientTurnReads.workOn(this);
    this.#clientEnded = true;
    if (this.#phase === 'tunnel') this.#tunnel?.clientEnded();
    // What came before the end may lie here still, waiting for a connection to the gear; a half-closed client still gets its answers.
    else this.#advance();
  }

  #onClose(): void {
    clientTurnReads.workOn(this);
    this.#serving.connections.delete(this);
    this.#phase = 'closed';
    this.#tunnel?.close();
    this.#request.onClientGone();
  }

  #onDrain(): void {
    this.#clock.lastActivity = performance.now();
    this.#tunnel?.clientDrained();
    this.#request.resume();
    if (this.#phase === 'head') this.onWritable();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  // --- from the request under way (Http1RequestOwner) ---

  onWritable(): void {
    this.#resume();
    this.#advance();
  }

  onAnswered(reusable: boolean): void {
    if (!reusable || this.#draining) {
      this.#linger();
      return;
    }
    this.#phase = 'head';
    this.#clock.startedAt = this.#clock.lastActivity;
    this.#resume();
    this.#advance();
  }

  onBrokenOff(endsWithConnection: boolean): void {
    if (!endsWithConnection) this.#linger();
    // No clean end where the end would say that the answer is whole. Over TLS the missing close_notify says it.
    else if (this.#socket instanceof TLSSocket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  onTunnel(gear: RawConnection, options: TunnelOptions): void {
    this.#phase = 'tunnel';
    const client = socketEnd(this.#socket, this.#writer, {
      pause: () => this.#pause(),
      resume: () => this.#resume(),
      destroySoon: () => this.#linger(),
    });
    const tunnel = startTunnel(client, gear, options);
    this.#tunnel = tunnel;
    this.#resume();
    if (this.#input.length > 0) tunnel.fromClient(this.#input.takeAll());
    if (this.#clientEnded) tunnel.clientEnded();
  }

  /** Ends our side and reads on for a moment: closing with unread bytes would reset the connection and lose the answer (RFC 9112 9.6). */
  #linger(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'lingering';
    this.#clock.lingeringSince = this.#clock.lastActivity = performance.now();
    this.#input.takeAll();
    this.#writer.end();
    this.#resume();
  }

  // --- LiveConnection ---

  sweep(now: number): void {
    this.#tunnel?.sweep(now);
    const state = {
      phase: this.#timedPhase,
      headBytes: this.#input.length,
      fresh: this.#served === 0,
      paused: this.#paused,
      bodyBytes: this.#request.uploadedBytes,
    };
    const verdict = this.#clock.judge(this.#socket, state, this.#serving.http, now);
    if (verdict === 'fine') return;
    if (verdict === 'end') {
      this.#linger();
    } else if (verdict === 'body-late' || verdict === 'body-slow') {
      this.#request.fail('CLIENT_TIMEOUT', verdict === 'body-slow' ? 'BODY_SLOW' : '');
    } else if (typeof verdict !== 'string') {
      this.#request.refuse(verdict);
    } else {
      if (verdict === 'unread') this.#request.noteTimeout();
      this.#socket.destroy();
    }
  }

  get #timedPhase(): Http1Phase {
    if (this.#phase !== 'request') return this.#phase;
    return this.#request.uploading ? 'body' : 'waiting';
  }

  drain(): void {
    this.#draining = true;
    this.#request.beLast();
    clientTurnReads.workOn(this);
    if (this.#phase === 'head' && this.#input.length === 0) this.#linger();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
