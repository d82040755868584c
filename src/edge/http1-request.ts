/**
 * One request of an HTTP/1.1 connection: from its head over route and exchange to the answer and the record of both. A connection has
 * one of these and begins it anew for each request, since they are served one after the other: an object a request was not worth its
 * cost. What its answer means for the connection is its owner's affair.
 */
import type { Forwarder } from '../http/forwarding.ts';
import { type HeadError, isHeadError, type RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { Exchange } from '../upstream/exchange.ts';
import type { UpstreamFailure } from '../upstream/failure.ts';
import type { RawConnection, ResponseSink } from '../upstream/sink.ts';
import type { TurnWriter } from '../upstream/turn-writer.ts';
import { type ConnectionFacts, forwarderOf } from './connection-facts.ts';
import { ForwardedRequest } from './forwarded-request.ts';
import { Http1Answer } from './http1-answer.ts';
import type { Http1Input } from './http1-input.ts';
import { Http1Record } from './http1-record.ts';
import type { Http1Clock } from './http1-timeouts.ts';
import { RequestBody } from './request-body.ts';
import { answerFor, type EdgeFailureCode, type OwnAnswer, ownAnswer } from './respond.ts';
import { endpointsOf, type Serving } from './serving.ts';
import { describeRequest, ownAnswerTo, RequestMeans, routeRequest } from './start-request.ts';
import { type TunnelOptions, tunnelOptions } from './tunnel.ts';

/** The connection that it came on. */
export interface Http1RequestOwner {
  readonly facts: ConnectionFacts;
  /** The gear takes body bytes (again). */
  onWritable(): void;
  /** It is answered and recorded; `reusable`: the client's next bytes are another request. */
  onAnswered(reusable: boolean): void;
  /** The answer broke off behind its status; `endsWithConnection`: a clean end would say that it is whole. */
  onBrokenOff(endsWithConnection: boolean): void;
  /** 101 is out: from now on raw bytes go both ways. */
  onTunnel(gear: RawConnection, options: TunnelOptions): void;
}

export class Http1Request implements ResponseSink {
  readonly #serving: Serving;
  readonly #writer: TurnWriter;
  readonly #owner: Http1RequestOwner;
  readonly #forwarder: Forwarder;
  readonly #record: Http1Record;
  readonly #answer = new Http1Answer();
  #body: RequestBody | null = null;
  #exchange: Exchange | null = null;

  constructor(serving: Serving, writer: TurnWriter, clock: Http1Clock, owner: Http1RequestOwner) {
    this.#serving = serving;
    this.#writer = writer;
    this.#owner = owner;
    this.#forwarder = forwarderOf(owner.facts, serving.trust);
    this.#record = new Http1Record(serving, owner.facts, clock);
  }

  /** Begins with a head, whose first byte came when the clock says it has started. `last`: none may follow it on the connection. */
  start(head: RequestHead, last: boolean): void {
    const serving = this.#serving;
    const { facts } = this.#owner;
    const context = this.#record.open();
    this.#answer.begin(head.minorVersion, head.keepAlive && !last);
    this.#body = RequestBody.after(head);
    describeRequest(context, head);

    const destination = routeRequest(serving, facts, context, head);
    if ('answer' in destination) {
      this.#answerOwn(destination.answer, destination.failure);
      return;
    }
    if (isHeadError(destination)) {
      this.refuse(destination);
      return;
    }
    const request = new ForwardedRequest(head, this.#forwarder, context);
    const endpoints = endpointsOf(destination, facts.scheme, request.asksUpgrade);
    this.#exchange = new Exchange(request, new RequestMeans(serving, endpoints, context), this);
    this.#exchange.start();
    request.leaveBytes();
    this.flush();
  }

  /** Begins and ends with a head that cannot be trusted: nothing more is read from the connection. */
  refuse(error: HeadError): void {
    this.#record.open();
    this.#body = null;
    this.#answer.begin(1, false);
    this.#answerOwn(
      ownAnswer(error.status, error.code, `The request was refused: ${error.reason}.`),
      error.code,
    );
  }

  /** No other may follow it on the connection. */
  beLast(): void {
    this.#answer.keepAlive = false;
  }

  // --- its body, from the client ---

  /** More of its body is to come. */
  get uploading(): boolean {
    return this.#body !== null && !this.#body.whole;
  }

  /** The gear has no room for more of the body, or is not there yet: `onWritable` of the owner says when. */
  get full(): boolean {
    return this.#exchange?.writable === false;
  }

  /** Body bytes so far that the gear waits for; -1: it waits for none. */
  get uploadedBytes(): number {
    return this.#answer.headGiven ? -1 : (this.#record.context?.bytesIn ?? -1);
  }

  /** Hands on a view of nothing but body; false, and nothing is done, where it has to be taken as ever. */
  passBody(view: Buffer): boolean {
    if (this.#body?.pass(view, this.#exchange) !== true) return false;
    this.#record.addBytesIn(view.length);
    return true;
  }

  /** Takes what `input` has of the body, where the gear is not `full`. Returns whether the connection is to go on. */
  takeBody(input: Http1Input): boolean {
    const exchange = this.#exchange;
    const body = this.#body;
    if (exchange === null || body === null) return false;
    const payload = body.giveTo(exchange, input);
    if (payload < 0) this.fail('BODY_INVALID', body.error);
    else this.#record.addBytesIn(payload);
    return payload >= 0;
  }

  // --- from the gear (ResponseSink) ---

  onWritable(): void {
    this.#owner.onWritable();
  }

  onInterim(head: ResponseHead): void {
    this.#answer.interim(head);
  }

  onHead(head: ResponseHead, bodyless: boolean): void {
    this.#record.noteHead(head.status);
    // Before the end of the upload: what the client still sends cannot be told from its next request safely.
    if (this.uploading) this.#answer.keepAlive = false;
    this.#answer.head(head, bodyless);
  }

  onBody(view: Buffer, start: number, end: number): void {
    this.#record.addBytesOut(end - start);
    this.#answer.body(view, start, end);
  }

  onEnd(trailer: string): void {
    this.#answer.end(trailer);
  }

  onUpgrade(head: ResponseHead, gear: RawConnection, first: Buffer): void {
    this.#record.noteAnswer(101, first.length);
    this.#exchange = null;
    this.#answer.upgrade(head, first);
    this.#answer.writeTo(this.#writer);
    const record = (): void => this.#record.close();
    this.#owner.onTunnel(gear, tunnelOptions(this.#serving, this.#record.context, record));
  }

  onFailure(failure: UpstreamFailure): void {
    this.#exchange = null;
    this.#answerFailure(failure.code, failure.detail);
  }

  flush(): boolean {
    this.#answer.writeTo(this.#writer);
    if (this.#answer.whole) this.#complete();
    return !this.#writer.full;
  }

  /** The client has room again. */
  resume(): void {
    this.#exchange?.resume();
  }

  // --- answers of our own, and its end ---

  /** Ends it for a reason found on the client's side. */
  fail(code: EdgeFailureCode, detail: string): void {
    this.#dropExchange();
    this.#answerFailure(code, detail);
  }

  /** The client does not take its answer: its connection is about to be closed. */
  noteTimeout(): void {
    this.#record.noteFailure('CLIENT_TIMEOUT');
  }

  /** The connection is closed, whether a request is under way or not. */
  onClientGone(): void {
    this.#dropExchange();
    this.#record.noteFailure('CLIENT_GONE');
    this.#record.close();
  }

  #answerFailure(code: EdgeFailureCode, detail: string): void {
    const failure = detail === '' ? code : `${code}:${detail}`;
    if (!this.#answer.headGiven) {
      this.#answerOwn(answerFor(code), failure);
      return;
    }
    // The status is out: a broken answer must look broken, so no last chunk (RFC 9112 8).
    this.#record.noteFailure(failure);
    this.#answer.writeTo(this.#writer);
    this.#record.close();
    this.#owner.onBrokenOff(this.#answer.endsWithConnection);
  }

  #answerOwn(given: OwnAnswer, failure: string): void {
    if (this.uploading) this.#answer.keepAlive = false;
    const { context } = this.#record;
    const answer = context === null ? given : ownAnswerTo(this.#serving, context, given);
    const withPage = context?.method !== 'HEAD';
    this.#record.noteAnswer(answer.status, withPage ? answer.page.length : 0);
    this.#record.noteFailure(failure);
    this.#answer.own(answer, withPage);
    this.flush();
  }

  #complete(): void {
    this.#answer.whole = false;
    const bodyOpen = this.uploading;
    if (bodyOpen) this.#exchange?.abort();
    this.#exchange = null;
    this.#body = null;
    this.#record.close();
    this.#owner.onAnswered(this.#answer.keepAlive && !bodyOpen);
  }

  #dropExchange(): void {
    this.#exchange?.abort();
    this.#exchange = null;
  }
}
