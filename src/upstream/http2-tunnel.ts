/** A stream of an HTTP/2 session with a gear after the 2xx to an extended CONNECT (RFC 8441): raw bytes, as in a connection after a 101. */
import http2, { type ClientHttp2Stream } from 'node:http2';
import { writeParts } from './gathered-write.ts';
import type { RawConnection } from './sink.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants;

/** Bytes waiting in a stream above which its source is paused: less than for a connection, since many share one. */
export const STREAM_HIGH_WATER_BYTES = 65_536;

/** What a tunnel wants to know of its session. */
export interface TunnelSession {
  /** The gear said something. */
  onHeard(): void;
  /** The gear has closed the connection, or lost it. */
  readonly gone: boolean;
}

/**
 * Whether the library's 'end' of a stream is one: it also follows a connection that broke, and the stream is closed with a code then. A reset
 * with NO_ERROR counts as the end that it should have followed: servers on node:http2 send it in place of END_STREAM where they did not
 * read the request.
 */
export function isOrderlyEnd(stream: ClientHttp2Stream, session: Pick<TunnelSession, 'gone'>): boolean {
  return !session.gone && !(stream.closed && stream.rstCode !== NGHTTP2_NO_ERROR);
}

/** Ends a stream at once. */
export function resetStream(stream: ClientHttp2Stream, code: number): void {
  if (stream.closed || stream.destroyed) return;
  // Else what lies there unread would keep the stream from closing.
  stream.resume();
  stream.close(code);
}

export class Http2Tunnel implements RawConnection {
  readonly #stream: ClientHttp2Stream;
  readonly #session: TunnelSession;
  #over = false;
  #unsentSeen = 0;
  /** performance.now() of the last byte either way. */
  lastActivity = performance.now();

  constructor(stream: ClientHttp2Stream, session: TunnelSession) {
    this.#stream = stream;
    this.#session = session;
  }

  startTunnel(
    onData: (view: Buffer) => boolean,
    onEnd: () => void,
    onClose: () => void,
    onDrain: () => void,
  ): void {
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => {
      if (this.#over) return;
      this.lastActivity = performance.now();
      this.#session.onHeard();
      if (!onData(chunk)) stream.pause();
    });
    // A broken one has only its close to tell of.
    stream.on('end', () => {
      if (!this.#over && isOrderlyEnd(stream, this.#session)) onEnd();
    });
    stream.on('close', onClose);
    stream.on('drain', onDrain);
  }

  write(view: Buffer): boolean {
    const stream = this.#stream;
    if (this.#over || stream.destroyed || stream.writableEnded) return true;
    this.lastActivity = performance.now();
    writeParts(stream, [view]);
    return stream.writableLength <= STREAM_HIGH_WATER_BYTES;
  }

  resume(): void {
    if (!this.#over) this.#stream.resume();
  }

  end(): void {
    const stream = this.#stream;
    if (!stream.destroyed && !stream.writableEnded) stream.end();
  }

  destroy(): void {
    this.reset(NGHTTP2_CANCEL);
  }

  /** Ends it with a code of RFC 9113 7. */
  reset(code: number): void {
    this.#over = true;
    resetStream(this.#stream, code);
  }

  /** Nothing came or went for too long; `now` of performance.now(). Its idle time is its sink's affair, see UpstreamConnection. */
  expire(now: number): void {
    const { writableLength, writableEnded, readableEnded } = this.#stream;
    const moved = writableLength > 0 && writableLength !== this.#unsentSeen;
    this.#unsentSeen = writableLength;
    if (moved) this.lastActivity = now;
    // Both sides have ended and the client is gone: only the gear, which does not read the rest, keeps this open.
    else if (writableEnded && readableEnded) this.destroy();
  }
}
