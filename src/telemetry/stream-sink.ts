/**
 * Lines into stdout or stderr where they lead to a pipe, a socket (systemd's journal) or a terminal. Node writes to pipes and
 * sockets without blocking; through sonic-boom a reader that stopped would hold a thread of the pool, and with it the
 * exit of the process.
 */
import type { LineSink, LineSinkOptions } from './line-sink.ts';

type Stream = NodeJS.WriteStream;

/** Streams that have their listener: they live as long as the process, sinks may come and go. */
const guarded = new WeakSet<Stream>();

/** Takes one of the process's own streams, which is never closed. */
export function openStreamSink(stream: Stream, options: LineSinkOptions): LineSink {
  let dropped = 0;
  let closed = false;
  let inTrouble = false;
  if (!guarded.has(stream)) {
    guarded.add(stream);
    // A reader that went (EPIPE) must not end a load balancer by an unhandled error.
    stream.on('error', () => undefined);
  }

  return {
    write(chunk, lines) {
      const usable = !closed && stream.writable && !stream.destroyed;
      if (usable && stream.writableLength + chunk.length <= options.maxBufferedBytes) {
        inTrouble = false;
        stream.write(chunk);
        return;
      }
      dropped += lines;
      if (inTrouble || closed) return;
      inTrouble = true;
      options.onTrouble(
        usable ? 'the reader takes lines too slowly; some were dropped' : 'the reader went away',
      );
    },
    // What the reader had room for was written at once; to wait for the rest could take for ever.
    flush: () => undefined,
    reopen: () => undefined,
    close: () => {
      closed = true;
      return Promise.resolve();
    },
    dropped: () => dropped,
  };
}
