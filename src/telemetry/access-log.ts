/** The access log: lines are gathered in memory and written in the background, in pieces of some KiB. */
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

const BATCH_CHARS = 16_384;
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
  let batch = '';
  let lines = 0;
  let timer: NodeJS.Timeout | null = null;

  const handOver = (): void => {
    if (timer !== null) {
      clearTimeout(timer);
      timer = null;
    }
    if (lines === 0) return;
    const chunk = Buffer.from(batch, 'latin1');
    const count = lines;
    batch = '';
    lines = 0;
    sink.write(chunk, count);
  };

  return {
    write(context, durationUs) {
      batch += accessLine(context, durationUs);
      lines += 1;
      if (batch.length >= BATCH_CHARS) handOver();
      else if (timer === null) timer = setTimeout(handOver, BATCH_MS).unref();
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
