/** The access log: lines are gathered in memory and written in the background, in pieces of up to 64 KiB. */
import { accessLine } from './access-line.ts';
import { openLineSink } from './open-line-sink.ts';
import type { RequestContext } from './request-context.ts';
import type { Log } from './types.ts';

export interface AccessLog {
  /** Takes one finished request; `durationUs` in microseconds. Never throws, never blocks. */
  write(context: RequestContext, durationUs: number): void;
  /** Writes everything before it returns: for the last words of a process. */
  flush(): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  close(): Promise<void>;
  /** Lines that could not be written since the start (full disk, blocked pipe). */
  dropped(): number;
}

/** Written in one piece at most: a piece costs two turns of a thread and one of the event loop, whatever its size. */
const SLAB_BYTES = 65_536;
const BATCH_MS = 200;
/** About 20,000 lines: what may wait for a slow disk or pipe before lines are dropped. */
const MAX_BUFFERED_BYTES = 4_194_304;

/** Opens the access log: a path, `stdout`, or `off`. The line format is described in access-line.ts. */
export function createAccessLog(config: { readonly file: string }, log: Log): AccessLog {
  if (config.file === 'off') return nowhere;
  const sink = openLineSink(config.file, {
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    onTrouble: (reason) => log.error('the access log cannot be written', { file: config.file, reason }),
  });
  // Lines go into bytes one by one: gathered as text, a batch would be a tree of thousands of pieces by the time it is written out.
  // A slab is used up to its end, over as many batches as it takes: what waits for a slow disk holds no more than its size says.
  let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  let start = 0;
  let end = 0;
  let lines = 0;
  let timer: NodeJS.Timeout | null = null;

  const handOver = (): void => {
    if (timer !== null) {
      clearTimeout(timer);
      timer = null;
    }
    if (lines === 0) return;
    const chunk = slab.subarray(start, end);
    const count = lines;
    start = end;
    lines = 0;
    sink.write(chunk, count);
  };

  return {
    write(context, durationUs) {
      const line = accessLine(context, durationUs);
      if (end + line.length > slab.length) {
        handOver();
        slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, line.length));
        start = 0;
        end = 0;
      }
      end += slab.write(line, end, 'latin1');
      lines += 1;
      if (timer === null) timer = setTimeout(handOver, BATCH_MS).unref();
    },
    flush() {
      handOver();
      sink.flush();
    },
    reopen() {
      handOver();
      sink.reopen();
    },
    async close() {
      handOver();
      await sink.close();
    },
    dropped: () => sink.dropped(),
  };
}

const nowhere: AccessLog = {
  write: () => undefined,
  flush: () => undefined,
  reopen: () => undefined,
  close: () => Promise.resolve(),
  dropped: () => 0,
};
