/**
 * One request on a stream of HTTP/2: the same walk as in HTTP/1.1 (`start-request.ts`), the same exchange. What differs is that it has
 * its stream for itself, so nothing of it can be taken for the next request.
 */
import http2, { type ServerHttp2Stream } from 'node:http2';
import { type Http2Head, http2Fields, readHttp2Head } from '../http/http2-head.ts';
import { type HeadError, isHeadError, type RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { isConfirmed, webSocketKey } from '../http/websocket.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import { Exchange } from '../upstream/exchange.ts';
import type { UpstreamFailure } from '../upstream/failure.ts';
import type { RawConnection, ResponseSink } from '../upstream/sink.ts';
import { BodyRate } from './body-rate.ts';
import { ForwardedRequest } from './forwarded-request.ts';
import { type AnswerOwner, Http2Answer } from './http2-answer.ts';
import { Http2Body, type Http2BodyOwner } from './http2-body.ts';
import type { Http2Owner } from './http2-owner.ts';
import { asUpgrade, tunnelEnd } from './http2-websocket.ts';
import { answerFor, type EdgeFailureCode, type OwnAnswer, ownAnswer } from './respond.ts';
import { endpointsOf } from './serving.ts';
import { describeRequest, newContext, ownAnswerTo, RequestMeans, routeRequest } from './start-request.ts';
import { startTunnel, type Tunnel, tunnelOptions } from './tunnel.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;

/** How long a client has to take a reset. */
const RESET_LINGER_MS = 2_000;

function ignore(): void {}

export class Http2Request implements ResponseSink, Http2BodyOwner, AnswerOwner {
  /** In its connection's list. */
  place = -1;
  readonly #stream: ServerHttp2Stream;
  readonly #owner: Http2Owner;
  readonly #answer: Http2Answer;
  readonly #startedAt = performance.now();
  readonly #context: RequestContext;
  #recorded = false;
  #exchange: Exchange | null = null;
  #tunnel: Tunnel | null = null;
  #body: Http2Body | null = null;
  /** More may follow its head: a body, or what goes through a tunnel. */
  #clientOpen = false;
  /** Of an extended CONNECT, else ''. */
  #webSocketKey = '';
  /** Its end is our doing. */
  #closedByUs = false;
  /** When it was reset for a fault, of performance.now(); 0: it was not. */
  #resetAt = 0;
  #lastActivity = this.#startedAt;
  #bodyRate: BodyRate | null = null;

  // The answer's way out, as of the last sweep:
  #unread = 0;
  #awaitsDrain = false;

  constructor(stream: ServerHttp2Stream, owner: Http2Owner) {
    this.#stream = stream;
    this.#owner = owner;
    this.#answer = new Http2Answer(stream, this);
    this.#context = newContext(owner.facts, this.#startedAt);
    this.#context.protocol = 'HTTP/2';
    stream.on('close', () => this.#onClose());
    // 'close' follows and does the work.
    stream.on('error', ignore);
  }

  /** `raw`: the field list as received; `whole`: no body follows. */
  start(raw: readonly string[], whole: boolean): void {
    const { serving } = this.#owner;
    this.#clientOpen = !whole;
    const head = readHttp2Head(raw, whole, serving.http);
    if (isHeadError(head)) {
      if (raw[raw.indexOf(':method') + 1] === 'HEAD') this.#context.method = 'HEAD';
      this.#refuse(head);
    } else if (head.protocol === '') this.#forward(head, head);
    else if (head.protocol === 'websocket') {
      this.#webSocketKey = webSocketKey();
      this.#forward(head, asUpgrade(head, this.#webSocketKey));
    } else {
      this.#refuse({ code: 'HTTP2_PROTOCOL', status: 501, reason: 'no protocol of this name is served' });
    }
  }

  #forward(head: Http2Head, asked: RequestHead): void {
    const { serving, facts } = this.#owner;
    const context = this.#context;
    describeRequest(context, head);
    context.protocol = 'HTTP/2';
    const destination = routeRequest(serving, facts, context, asked);
    if ('answer' in destination) {
      this.#answerOwn(destination.answer, destination.failure);
      return;
    }
    if (isHeadError(destination)) {
      this.#refuse(destination);
      return;
    }
    const request = new ForwardedRequest(asked, this.#owner.forwarder, context);
    const endpoints = endpointsOf(destination, facts.scheme, request.asksUpgrade);
    if (this.#clientOpen && this.#webSocketKey === '') {
      this.#body = new Http2Body(this.#stream, this, asked.contentLength);
    }
    this.#exchange = new Exchange(request, new RequestMeans(serving, endpoints, context), this);
    this.#exchange.start();
    this.flush();
  }

  // --- from the client ---

  get exchange(): Exchange | null {
    return this.#exchange;
  }

  get clientEnded(): boolean {
    return !this.#clientOpen || this.#body?.ended === true;
  }

  onAnsweredClosed(sent: boolean): void {
    const brokenOff = !sent && !this.#closedByUs;
    // That may end the session, which the library is in the midst of.
    if (brokenOff) setImmediate(() => this.#owner.onClosed(this, true));
    else this.#owner.onClosed(this, false);
  }

  onBodyBytes(count: number): void {
    this.#lastActivity = performance.now();
    this.#context.bytesIn += count;
  }

  onBadBody(detail: string): void {
    this.#failWith('BODY_INVALID', detail);
  }

  #onClose(): void {
    // Not `writableFinished`: a stream may close before its last write is reported done.
    const brokenOff = !this.#closedByUs && (!this.#answer.whole || this.#stream.rstCode !== NGHTTP2_NO_ERROR);
    this.#dropExchange();
    this.#tunnel?.close();
    if (!this.#recorded && this.#context.failure === '') {
      this.#context.failure = this.#owner.failure === '' ? 'CLIENT_GONE' : this.#owner.failure;
    }
    this.#record();
    this.#owner.onClosed(this, brokenOff && this.#tunnel === null);
  }

  // --- from the gear (ResponseSink) ---

  onWritable(): void {
    this.#body?.pump();
  }

  onInterim(head: ResponseHead): void {
    this.#answer.interim(head);
  }

  onHead(head: ResponseHead, bodyless: boolean): void {
    const context = this.#context;
    context.upstreamFirstByteUs = Math.max(1, Math.round((performance.now() - this.#startedAt) * 1_000));
    // To an extended CONNECT any 2xx means that the tunnel is open, which it is not.
    const seemsOpen = this.#webSocketKey !== '' && head.status < 300;
    if (seemsOpen || !Http2Answer.takes(head)) {
      this.#dropExchange();
      this.#failWith('RESPONSE_INVALID', seemsOpen ? 'NOT_UPGRADED' : 'STATUS');
      return;
    }
    context.status = head.status;
    this.#answer.head(head, bodyless);
  }

  onBody(view: Buffer, start: number, end: number): void {
    if (this.#exchange === null) return;
    this.#context.bytesOut += end - start;
    this.#answer.body(start === 0 && end === view.length ? view : view.subarray(start, end));
  }

  onEnd(trailer: string): void {
    if (this.#exchange !== null) this.#answer.end(trailer);
  }

  onUpgrade(head: ResponseHead, gear: RawConnection, first: Buffer): void {
    this.#exchange = null;
    if (!isConfirmed(head, this.#webSocketKey)) {
      gear.destroy();
      this.#failWith('RESPONSE_INVALID', 'WEBSOCKET_ACCEPT');
      return;
    }
    const context = this.#context;
    const stream = this.#stream;
    context.status = 200;
    context.bytesOut = first.length;
    const fields = http2Fields(head.kept);
    delete fields['sec-websocket-accept'];
    this.#answer.accept(fields);
    if (first.length > 0) stream.write(Buffer.from(first));
    const record = (): void => this.#record();
    const options = tunnelOptions(this.#owner.serving, context, record);
    const tunnel = startTunnel(tunnelEnd(stream), gear, options);
    this.#tunnel = tunnel;
    stream.on('data', (chunk: Buffer) => tunnel.fromClient(chunk));
    stream.on('end', () => tunnel.clientEnded());
    stream.on('drain', () => tunnel.clientDrained());
  }

  onFailure(failure: UpstreamFailure): void {
    this.#exchange = null;
    this.#failWith(failure.code, failure.detail);
  }

  flush(): boolean {
    if (this.#tunnel !== null) return true;
    this.#answer.flush();
    if (!this.#answer.whole) return this.#hasRoom();
    if (!this.#recorded) this.#complete();
    // The gear's connection serves others from here on: what this client has not read must not hold it.
    return true;
  }

  #hasRoom(): boolean {
    const stream = this.#stream;
    const limit = Math.max(this.#owner.waitingLimit, stream.writableHighWaterMark);
    if (stream.writableLength <= limit || stream.destroyed) return true;
    if (!this.#awaitsDrain) {
      this.#awaitsDrain = true;
      stream.once('drain', () => {
        this.#awaitsDrain = false;
        this.#exchange?.resume();
      });
    }
    return false;
  }

  // --- answers of our own, and the end of a request ---

  #failWith(code: EdgeFailureCode, detail: string): void {
    const failure = detail === '' ? code : `${code}:${detail}`;
    this.#dropExchange();
    if (!this.#answer.headGiven) {
      this.#answerOwn(answerFor(code), failure);
      return;
    }
    // The status is out: a broken answer must look broken.
    this.#context.failure = failure;
    this.#record();
    this.#reset(code === 'CLIENT_TIMEOUT' ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
  }

  #refuse(error: HeadError): void {
    this.#answerOwn(
      ownAnswer(error.status, error.code, `The request was refused: ${error.reason}.`),
      error.code,
    );
  }

  #answerOwn(given: OwnAnswer, failure: string): void {
    const context = this.#context;
    const answer = ownAnswerTo(this.#owner.serving, context, given);
    const withPage = context.method !== 'HEAD';
    context.status = answer.status;
    context.failure = failure;
    context.bytesOut = withPage ? answer.page.length : 0;
    this.#answer.own(answer, withPage);
    this.flush();
  }

  #complete(): void {
    this.#record();
    if (!this.#clientOpen || this.#body?.whole === true) {
      this.#exchange = null;
      return;
    }
    // Answered before the end of the upload: no more of it is wanted (RFC 9113 8.1). Goes out behind the answer.
    this.#dropExchange();
    if (this.#body?.ended !== true) this.#reset(NGHTTP2_NO_ERROR);
  }

  #reset(code: number): void {
    this.#closedByUs = true;
    if (code !== NGHTTP2_NO_ERROR) this.#resetAt = performance.now();
    if (!this.#stream.destroyed) this.#stream.close(code);
  }

  #dropExchange(): void {
    this.#exchange?.abort();
    this.#exchange = null;
  }

  #record(): void {
    if (this.#recorded) return;
    this.#recorded = true;
    this.#owner.serving.record(this.#context, Math.round((performance.now() - this.#startedAt) * 1_000));
  }

  /** Ends what has been silent for too long; `now` of performance.now(). The gear's silence is the pool's affair. */
  sweep(now: number): void {
    if (this.#tunnel !== null) {
      this.#tunnel.sweep(now);
      return;
    }
    if (this.#resetAt > 0) {
      // A client that reads nothing does not take the reset either, and the library would hold the stream until it does.
      if (now - this.#resetAt > RESET_LINGER_MS) this.#stream.destroy();
      return;
    }
    // Past the stream it is all there until the client has it.
    const unread = this.#answer.direct ? 1 : this.#stream.writableLength;
    if (unread !== this.#unread) {
      this.#unread = unread;
      this.#lastActivity = now;
    }
    const waitsForBody = this.#body !== null && !this.#body.whole;
    if (!waitsForBody && unread === 0) return;
    const { http } = this.#owner.serving;
    const gearWaits = waitsForBody && !this.#answer.headGiven && this.#exchange?.writable === true;
    this.#bodyRate ??= new BodyRate();
    if (this.#bodyRate.isTooSlow(gearWaits ? this.#context.bytesIn : -1, now, http)) {
      this.#failWith('CLIENT_TIMEOUT', 'BODY_SLOW');
      return;
    }
    if (now - this.#lastActivity > http.bodyIdleTimeoutMs) {
      this.#failWith('CLIENT_TIMEOUT', '');
    }
  }
}
