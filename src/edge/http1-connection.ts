/**
 * One HTTP/1.1 connection of a client: the walk of "a request's journey", one request at a time, pipelined ones in order. One
 * state machine in one file; what could leave it has left it (answer, body, time-outs, tunnel).
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Forwarder } from '../http/forwarding.ts';
import { type HeadError, isHeadError, type RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import { Exchange } from '../upstream/exchange.ts';
import type { UpstreamFailure } from '../upstream/failure.ts';
import type { RawConnection, ResponseSink } from '../upstream/sink.ts';
import { TurnWriter } from '../upstream/turn-writer.ts';
import { type ConnectionFacts, forwarderOf } from './connection-facts.ts';
import { ForwardedRequest } from './forwarded-request.ts';
import { Http1Answer } from './http1-answer.ts';
import { Http1Input } from './http1-input.ts';
import { Http1Clock, type Http1Phase } from './http1-timeouts.ts';
import { readInto } from './read-into.ts';
import { RequestBody } from './request-body.ts';
import { answerFor, type EdgeFailureCode, type OwnAnswer, ownAnswer } from './respond.ts';
import { endpointsOf, type LiveConnection, type Serving } from './serving.ts';
import { describeRequest, newContext, ownAnswerTo, RequestMeans, routeRequest } from './start-request.ts';
import { socketEnd, startTunnel, type Tunnel, tunnelOptions } from './tunnel.ts';

const PIPELINE_LIMIT_BYTES = 65_536;

export class Http1Connection implements ResponseSink, LiveConnection {
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #serving: Serving;
  readonly facts: ConnectionFacts;
  readonly #forwarder: Forwarder;
  readonly #answer = new Http1Answer();
  #phase: Http1Phase = 'head';
  readonly #input = new Http1Input();
  #advancing = false;
  #paused = false;
  #clientEnded = false;
  #draining = false;
  #served = 0;
  readonly #clock = new Http1Clock();

  // Of the request under way:
  #context: RequestContext | null = null;
  #body: RequestBody | null = null;
  #exchange: Exchange | null = null;
  #tunnel: Tunnel | null = null;

  constructor(socket: Socket, serving: Serving, facts: ConnectionFacts) {
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    this.#serving = serving;
    this.facts = facts;
    this.#forwarder = forwarderOf(facts, serving.trust);
    serving.connections.add(this);
    // Also with shared reads: what lies in the socket already comes this way.
    socket.on('data', (chunk: Buffer) => this.#onView(chunk));
    readInto(socket, (view) => this.#onView(view));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
    // 'close' follows and does the work; a reset by a client is nothing to report.
    socket.on('error', () => {});
  }

  // --- from the client ---

  /** A view that the next read overwrites: what is kept of it is copied. */
  #onView(view: Buffer): void {
    this.#clock.lastActivity = performance.now();
    if (this.#phase === 'tunnel') {
      this.#tunnel?.fromClient(view);
    } else if (this.#phase === 'body' && this.#input.length === 0 && this.#body?.pass(view, this.#exchange)) {
      if (this.#context !== null) this.#context.bytesIn += view.length;
      if (this.#exchange?.writable === false) this.#pause();
    } else if (this.#phase !== 'lingering' && this.#phase !== 'closed') {
      this.#input.push(view);
      this.#advance();
      this.#input.own();
    }
  }

  /** Goes on as far as the input allows. A loop, not a recursion: pipelined requests may be answered at once, one after another. */
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
    if (this.#clientEnded && this.#phase === 'body' && this.#input.length === 0) this.#socket.destroy();
    if (this.#phase === 'waiting' && this.#input.length > PIPELINE_LIMIT_BYTES) this.#pause();
    // Nothing can follow but the rest of a head that will not come.
    else if (this.#phase === 'head' && this.#clientEnded && !this.#paused) this.#linger();
  }

  #readHead(): boolean {
    if (this.#input.length === 0) return false;
    // A client that does not read its answers gets no further ones: they would be gathered here.
    if (this.#writer.full) {
      this.#pause();
      return false;
    }
    if (!this.#input.inHead) this.#clock.startedAt = this.#clock.lastActivity;
    const head = this.#input.takeHead(this.#serving.http);
    if (head === null) return false;
    if (isHeadError(head)) {
      this.#refuse(head);
      return false;
    }
    this.#startRequest(head);
    return true;
  }

  #startRequest(head: RequestHead): void {
    const serving = this.#serving;
    const context = newContext(this.facts, this.#clock.startedAt);
    this.#context = context;
    this.#served++;
    const last = this.#draining || serving.draining || this.#served >= serving.http.maxRequestsPerConnection;
    this.#answer.begin(head.minorVersion, head.keepAlive && !last);
    this.#body = RequestBody.after(head);
    this.#phase = this.#body === null ? 'waiting' : 'body';
    describeRequest(context, head);

    const destination = routeRequest(serving, this.facts, context, head);
    if ('answer' in destination) {
      this.#answerOwn(destination.answer, destination.failure);
      return;
    }
    if (isHeadError(destination)) {
      this.#refuse(destination);
      return;
    }
    const request = new ForwardedRequest(head, this.#forwarder, context);
    const endpoints = endpointsOf(destination, this.facts.scheme, request.asksUpgrade);
    this.#exchange = new Exchange(request, new RequestMeans(serving, endpoints, context), this);
    this.#exchange.start();
    request.leaveBytes();
    this.flush();
  }

  #readBody(): boolean {
    const exchange = this.#exchange;
    const body = this.#body;
    if (this.#input.length === 0 || exchange === null || body === null) return false;
    if (!exchange.writable) {
      this.#pause();
      return false;
    }
    const slices: Buffer[] = [];
    const taken = body.take(this.#input.bytes, slices);
    if (body.error !== '') {
      this.#dropExchange();
      this.#failWith('BODY_INVALID', body.error);
      return false;
    }
    this.#input.drop(taken);
    if (this.#context !== null) for (const slice of slices) this.#context.bytesIn += slice.length;
    exchange.write(slices);
    if (body.whole) {
      this.#phase = 'waiting';
      exchange.finish(body.trailer);
    }
    return true;
  }

  #onEnd(): void {
    this.#clientEnded = true;
    if (this.#phase === 'tunnel') this.#tunnel?.clientEnded();
    // What came before the end may lie here still, waiting for a connection to the gear; a half-closed client still gets its answers.
    else this.#advance();
  }

  #onClose(): void {
    this.#serving.connections.delete(this);
    this.#phase = 'closed';
    this.#tunnel?.close();
    this.#dropExchange();
    if (this.#context !== null && this.#context.failure === '') this.#context.failure = 'CLIENT_GONE';
    this.#record();
  }

  #onDrain(): void {
    this.#clock.lastActivity = performance.now();
    this.#tunnel?.clientDrained();
    this.#exchange?.resume();
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

  // --- from the gear (ResponseSink) ---

  onWritable(): void {
    this.#resume();
    this.#advance();
  }

  onInterim(head: ResponseHead): void {
    this.#answer.interim(head);
  }

  onHead(head: ResponseHead, bodyless: boolean): void {
    if (this.#context !== null) {
      this.#context.status = head.status;
      this.#context.upstreamFirstByteUs = Math.max(1, this.#elapsedUs());
    }
    // Before the end of the upload: what the client still sends cannot be told from its next request safely.
    if (this.#phase === 'body') this.#answer.keepAlive = false;
    this.#answer.head(head, bodyless);
  }

  onBody(view: Buffer, start: number, end: number): void {
    if (this.#context !== null) this.#context.bytesOut += end - start;
    this.#answer.body(view, start, end);
  }

  onEnd(trailer: string): void {
    this.#answer.end(trailer);
  }

  onUpgrade(head: ResponseHead, gear: RawConnection, first: Buffer): void {
    const context = this.#context;
    if (context !== null) {
      context.status = 101;
      context.bytesOut = first.length;
    }
    this.#exchange = null;
    this.#answer.upgrade(head, first);
    this.#answer.writeTo(this.#writer);
    this.#phase = 'tunnel';
    const client = socketEnd(this.#socket, this.#writer, {
      pause: () => this.#pause(),
      resume: () => this.#resume(),
      destroySoon: () => this.#linger(),
    });
    const record = (): void => this.#record();
    const tunnel = startTunnel(client, gear, tunnelOptions(this.#serving, context, record));
    this.#tunnel = tunnel;
    this.#resume();
    if (this.#input.length > 0) tunnel.fromClient(this.#input.takeAll());
    if (this.#clientEnded) tunnel.clientEnded();
  }

  onFailure(failure: UpstreamFailure): void {
    this.#exchange = null;
    this.#failWith(failure.code, failure.detail);
  }

  flush(): boolean {
    this.#answer.writeTo(this.#writer);
    if (this.#answer.whole) this.#completeRequest();
    return !this.#writer.full;
  }

  // --- answers of our own, and the end of a request ---

  #failWith(code: EdgeFailureCode, detail: string): void {
    const failure = detail === '' ? code : `${code}:${detail}`;
    if (!this.#answer.headGiven) {
      this.#answerOwn(answerFor(code), failure);
      return;
    }
    // The status is out: a broken answer must look broken, so no last chunk (RFC 9112 8).
    if (this.#context !== null) this.#context.failure = failure;
    this.#answer.writeTo(this.#writer);
    this.#record();
    if (!this.#answer.endsWithConnection) this.#linger();
    // No clean end where the end would say that the answer is whole. Over TLS the missing close_notify says it.
    else if (this.#socket instanceof TLSSocket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #answerOwn(given: OwnAnswer, failure: string): void {
    if (this.#phase === 'body') this.#answer.keepAlive = false;
    const context = this.#context;
    const answer = context === null ? given : ownAnswerTo(this.#serving, context, given);
    const withPage = context?.method !== 'HEAD';
    if (context !== null) {
      context.status = answer.status;
      context.failure = failure;
      context.bytesOut = withPage ? answer.page.length : 0;
    }
    this.#answer.own(answer, withPage);
    this.flush();
  }

  /** After a head that cannot be trusted nothing more is read from the connection. */
  #refuse(error: HeadError): void {
    this.#context ??= newContext(this.facts, this.#clock.startedAt);
    this.#phase = 'waiting';
    this.#input.takeAll();
    this.#answer.begin(1, false);
    this.#answerOwn(
      ownAnswer(error.status, error.code, `The request was refused: ${error.reason}.`),
      error.code,
    );
  }

  #completeRequest(): void {
    this.#answer.whole = false;
    const bodyOpen = this.#phase === 'body';
    if (bodyOpen) this.#exchange?.abort();
    this.#exchange = null;
    this.#body = null;
    this.#record();
    if (!this.#answer.keepAlive || bodyOpen || this.#draining) {
      this.#linger();
      return;
    }
    this.#phase = 'head';
    this.#clock.startedAt = this.#clock.lastActivity;
    this.#resume();
    this.#advance();
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

  #dropExchange(): void {
    this.#exchange?.abort();
    this.#exchange = null;
  }

  #record(): void {
    const context = this.#context;
    if (context === null) return;
    this.#context = null;
    this.#serving.record(context, this.#elapsedUs());
  }

  /** Something moved just now. */
  #elapsedUs(): number {
    this.#clock.lastActivity = performance.now();
    return Math.round((this.#clock.lastActivity - this.#clock.startedAt) * 1_000);
  }

  // --- LiveConnection ---

  sweep(now: number): void {
    this.#tunnel?.sweep(now);
    const state = {
      phase: this.#phase,
      headBytes: this.#input.length,
      fresh: this.#served === 0,
      paused: this.#paused,
      bodyBytes: this.#answer.headGiven ? -1 : (this.#context?.bytesIn ?? -1),
    };
    const verdict = this.#clock.judge(this.#socket, state, this.#serving.http, now);
    if (verdict === 'fine') return;
    if (verdict === 'end') {
      this.#linger();
    } else if (verdict === 'body-late' || verdict === 'body-slow') {
      this.#dropExchange();
      this.#failWith('CLIENT_TIMEOUT', verdict === 'body-slow' ? 'BODY_SLOW' : '');
    } else if (typeof verdict !== 'string') {
      this.#refuse(verdict);
    } else {
      if (verdict === 'unread' && this.#context !== null) this.#context.failure = 'CLIENT_TIMEOUT';
      this.#socket.destroy();
    }
  }

  drain(): void {
    this.#draining = true;
    this.#answer.keepAlive = false;
    if (this.#phase === 'head' && this.#input.length === 0) this.#linger();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
