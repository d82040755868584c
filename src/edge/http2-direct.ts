/**
 * A whole answer that goes from here to nghttp2 without the stream between: node:http2 does the framing, the windows and the order of
 * things as ever, but its stream object is passed by. That object costs more than all else of a small answer (copies of the field list,
 * the end of a Writable, the end of a Readable that nobody reads; `npm run bench -- h2`). It uses what `ServerHttp2Stream` uses
 * underneath, which Node 20, 22 and 24 have alike, and learns it from the library's own answers: only where it sees the very field list
 * that it would have sent itself does it do so from then on. Where anything is missing, answers go the ordinary way
 * (`test/edge/http2-direct.test.ts` says which it is).
 */
import type { ServerHttp2Stream } from 'node:http2';
import type { FieldBlock } from '../http/http2-block.ts';
import { watchCall } from '../upstream/direct-write.ts';
import { symbolNamed } from './symbol-named.ts';

/** Answers that are looked at until one shows how; some are sent otherwise, with fields in another order. */
const MAX_LESSONS = 64;
/** Node's STREAM_OPTION_EMPTY_PAYLOAD: the end of the stream comes with the head. */
const EMPTY_PAYLOAD = 1;
/** What `shutdown` returns when nothing has to be waited for. */
const DONE = 1;

type FieldList = readonly [text: string, fields: number];
type RequestKind = new () => { buffer?: Buffer };

/** A stream's handle as far as it is needed. All return 0 or a negative system error, but for DONE. */
interface Handle {
  [key: symbol]: unknown;
  onread: () => void;
  respond(list: FieldList, options: number): number;
  writeBuffer(request: object, bytes: Buffer): number;
  shutdown(request: object): number;
}

type Inside = Record<symbol, unknown>;

/** Symbols by which the library keeps what is needed. */
interface Symbols {
  readonly handle: symbol;
  /** Of a stream. */
  readonly session: symbol;
  /** Of a session. */
  readonly state: symbol;
  readonly maybeDestroy: symbol;
  /** Of a handle: the stream. */
  readonly owner: symbol;
}

interface Means extends Symbols {
  readonly Write: RequestKind;
  readonly Shutdown: RequestKind;
}

/** Whoever answers. */
export interface DirectOwner {
  /** The stream is closed. `sent`: its answer was out to the end. Called from within the library: do nothing to the session here. */
  onAnsweredClosed(sent: boolean): void;
}

/** What is known so far; null: this Node has it otherwise. */
const learnt: { symbols?: Symbols | null; Write?: RequestKind; Shutdown?: RequestKind; verified?: true } = {};
let means: Means | null = null;
let lessons = 0;
/** One that was done at once is as good as new. */
let spareShutdown: object | null = null;

/** Whether `answerDirectly` can be called, on this Node and now. Of HEAD the library has ended the answer's side by itself. */
export function canAnswerDirectly(stream: ServerHttp2Stream): boolean {
  return means !== null && inside(stream)[means.handle] !== undefined && !writableState(stream).ending;
}

/** Watches how the library sends the answer that is to be given now, which `block` holds. */
export function learnFrom(stream: ServerHttp2Stream, block: FieldBlock): void {
  if (means !== null || learnt.symbols === null || lessons++ >= MAX_LESSONS) return;
  learnt.symbols ??= findSymbols(stream);
  const handle =
    learnt.symbols === null ? null : (inside(stream)[learnt.symbols.handle] as Handle | undefined);
  if (handle === null || handle === undefined) return;
  watchCall(handle, 'respond', (list, options) => {
    const [text, fields] = Array.isArray(list) ? (list as unknown[]) : [];
    if (text === block.text && fields === block.fields && options === 0) learnt.verified = true;
    conclude();
  });
  watchCall(handle, 'writeBuffer', (request) => {
    learnt.Write ??= (request as object).constructor as RequestKind;
    conclude();
  });
  watchCall(handle, 'shutdown', (request) => {
    learnt.Shutdown ??= (request as object).constructor as RequestKind;
    conclude();
  });
}

function conclude(): void {
  const { symbols, Write, Shutdown, verified } = learnt;
  if (symbols && Write && Shutdown && verified) means = { ...symbols, Write, Shutdown };
}

/**
 * Sends a whole answer to a request that has come to its end; `body` is not the caller's any more, null: there is none. From then on the
 * stream is only good for `close` and `destroy`. Call only after `canAnswerDirectly`.
 */
export function answerDirectly(
  stream: ServerHttp2Stream,
  owner: DirectOwner,
  { text, fields }: FieldBlock,
  body: Buffer | null,
): void {
  if (means === null) return;
  const handle = inside(stream)[means.handle] as Handle;
  const error =
    handle.respond([text, fields], body === null ? EMPTY_PAYLOAD : 0) || send(means, handle, body);
  const writable = writableState(stream);
  // As by an answer of its own.
  writable.ending = writable.ended = writable.finished = true;
  if (error < 0) {
    stream.destroy(new Error(`the answer could not be sent (${error})`));
    return;
  }
  handle[means.owner] = new AnsweredStream(means, stream, owner);
  handle.onread = ignore;
}

function send({ Write, Shutdown }: Means, handle: Handle, body: Buffer | null): number {
  if (body === null) return 0;
  const write = new Write();
  // Kept alive until it is written. Nobody waits for that: the stream's end says it.
  write.buffer = body;
  const error = handle.writeBuffer(write, body);
  if (error !== 0) return error;
  const shutdown = spareShutdown ?? new Shutdown();
  spareShutdown = null;
  const state = handle.shutdown(shutdown);
  if (state === DONE) spareShutdown = shutdown;
  return Math.min(state, 0);
}

function ignore(): void {}

/**
 * What the library finds at the handle in place of the stream. When nghttp2 has closed the stream, it asks whether that is destroyed
 * already, and lets nghttp2 forget it then; there is nothing more to it, and no other way to hear of it costs as little.
 */
class AnsweredStream {
  readonly #means: Means;
  readonly #stream: ServerHttp2Stream;
  readonly #owner: DirectOwner;
  #closed = false;

  constructor(means: Means, stream: ServerHttp2Stream, owner: DirectOwner) {
    this.#means = means;
    this.#stream = stream;
    this.#owner = owner;
  }

  get destroyed(): true {
    if (!this.#closed) {
      this.#closed = true;
      this.#close();
    }
    return true;
  }

  #close(): void {
    const { state, session: sessionOf, maybeDestroy } = this.#means;
    const session = inside(this.#stream)[sessionOf] as SessionInside | undefined;
    // Destroyed with its session: the stream itself has said so.
    if (session === undefined) return;
    const sent = this.#stream.state.localClose === 1;
    (session[state] as { streams: Map<number, unknown> }).streams.delete(this.#stream.id ?? 0);
    // A session that is being closed waits for the last of its streams. Not here, in the midst of nghttp2.
    if (session.closed) setImmediate(() => (session[maybeDestroy] as () => void)());
    this.#owner.onAnsweredClosed(sent);
  }
}

interface SessionInside extends Inside {
  readonly closed: boolean;
}

interface WritableState {
  ending: boolean;
  ended: boolean;
  finished: boolean;
}

function writableState(stream: ServerHttp2Stream): WritableState {
  return (stream as unknown as { readonly _writableState: WritableState })._writableState;
}

function inside(object: object): Inside {
  return object as Inside;
}

function findSymbols(stream: ServerHttp2Stream): Symbols | null {
  const { session } = stream;
  const handle = symbolNamed(stream, 'kHandle');
  const sessionOf = symbolNamed(stream, 'kSession');
  const state = symbolNamed(session, 'state');
  const maybeDestroy = symbolNamed(Object.getPrototypeOf(Object.getPrototypeOf(session)), 'kMaybeDestroy');
  if (!session || !handle || !sessionOf || !state || !maybeDestroy) return null;
  const wrapped = inside(stream)[handle] as Handle;
  const owner = Object.getOwnPropertySymbols(wrapped).find((symbol) => wrapped[symbol] === stream);
  const streams = (inside(session)[state] as { streams?: Partial<Map<unknown, unknown>> }).streams;
  const fits =
    // Ours (http2-streams.ts), or a map of Node's own: neither is an instance of `Map`.
    typeof streams?.delete === 'function' &&
    streams.get?.(stream.id) === stream &&
    inside(stream)[sessionOf] === session &&
    typeof writableState(stream)?.ending === 'boolean' &&
    [wrapped.respond, wrapped.writeBuffer, wrapped.shutdown].every((method) => typeof method === 'function');
  return owner !== undefined && fits ? { handle, session: sessionOf, state, maybeDestroy, owner } : null;
}
