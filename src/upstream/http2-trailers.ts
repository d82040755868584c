/** Trailers of a stream of HTTP/2, towards clients and gears. */
import type { Http2Stream, OutgoingHttpHeaders } from 'node:http2';

/**
 * Answers the library's question for trailers (option `waitForTrailers`) with what `fields` says then. It may ask twice (seen over TLS, when
 * something else was to be sent at that moment), and throws out of a callback of its own where the second answer is sent, or where nobody
 * listens and it sends an empty one: the process would end.
 */
export function answerTrailers(stream: Http2Stream, fields: () => OutgoingHttpHeaders): void {
  stream.on('wantTrailers', () => {
    if (stream.sentTrailers === undefined) stream.sendTrailers(fields());
  });
}
