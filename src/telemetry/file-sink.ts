/**
 * Lines into a file (or FIFO), written in the background. Owner of sonic-boom.
 *
 * A full disk, a FIFO that nobody reads or a missing folder never blocks, never throws and never makes memory grow without
 * bound: what does not fit into `maxBufferedBytes` is dropped and counted, and writing goes on by itself when the trouble ends.
 */
import { constants, openSync, writeSync } from 'node:fs';
import sonicBoom from 'sonic-boom';
import type { LineSink, LineSinkOptions } from './line-sink.ts';

type TextBoom = InstanceType<typeof sonicBoom.SonicBoom>;
/** The published types know only of text. */
type Boom = Omit<TextBoom, 'write'> & { readonly fd: number; write(chunk: Buffer): boolean };

const FILE_MODE = 0o640;
const OPEN_RETRY_MS = 5_000;
const TROUBLE_EVERY_MS = 60_000;
const CLOSE_WITHIN_MS = 1_000;
const SYNC_RETRIES = 5;
const MAX_WRITE_BYTES = 65_536;
// O_NONBLOCK: a FIFO without a reader is an error rather than a wait, and a full pipe answers EAGAIN rather than holding
// one of the few threads that all file work of the process shares.
const OPEN_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Opens a path, or takes a descriptor that is open. An unusable path is no error: it is tried again every five seconds. */
export function openFileSink(target: string | number, options: LineSinkOptions): LineSink {
  let boom: Boom | null = null;
  let dropped = 0;
  let lastOpenAt = 0;
  let lastTroubleAt = Number.NEGATIVE_INFINITY;
  let syncRetries: number | null = null;
  let closed = false;
  // Lines of this turn of the event loop: one write for all of them, and `flush` can still write them itself.
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let waitingLines = 0;
  let handOverSoon: NodeJS.Immediate | null = null;

  const trouble = (error: unknown): void => {
    const now = performance.now();
    if (now - lastTroubleAt < TROUBLE_EVERY_MS) return;
    lastTroubleAt = now;
    options.onTrouble(error instanceof Error ? error.message : String(error));
  };

  const start = (): Boom => {
    const made = new sonicBoom.SonicBoom({
      fd: typeof target === 'number' ? target : openSync(target, OPEN_FLAGS, FILE_MODE),
      maxLength: options.maxBufferedBytes,
      // One write a turn of the event loop: the default of 16 KiB would cap a busy loop at some 80 lines a turn.
      maxWrite: MAX_WRITE_BYTES,
      // Its text mode measures and copies each piece several times.
      contentMode: 'buffer',
      // Retried for ever in the background (every 100 ms), a few times only while `flush` holds the thread.
      retryEAGAIN: () => syncRetries === null || syncRetries++ < SYNC_RETRIES,
    });
    made.on('error', trouble);
    return made as unknown as Boom;
  };

  const open = (): void => {
    lastOpenAt = performance.now();
    try {
      boom = start();
    } catch (error) {
      trouble(error);
    }
  };

  const takeWaiting = (): { readonly chunk: Buffer; readonly lines: number } => {
    const taken = {
      chunk:
        waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : Buffer.concat(waiting, waitingBytes),
      lines: waitingLines,
    };
    waiting = [];
    waitingBytes = 0;
    waitingLines = 0;
    return taken;
  };

  const handOver = (): void => {
    if (handOverSoon !== null) clearImmediate(handOverSoon);
    handOverSoon = null;
    if (waitingLines === 0) return;
    const { chunk, lines } = takeWaiting();
    if (boom === null && !closed && performance.now() - lastOpenAt >= OPEN_RETRY_MS) open();
    const countDropped = (): void => {
      dropped += lines;
    };
    if (boom === null) {
      countDropped();
      return;
    }
    boom.once('drop', countDropped);
    try {
      boom.write(chunk);
    } catch (error) {
      countDropped();
      trouble(error);
    }
    boom.off('drop', countDropped);
  };

  open();
  return {
    write(chunk, lines) {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      waitingLines += lines;
      if (waitingBytes >= MAX_WRITE_BYTES) handOver();
      else if (handOverSoon === null) handOverSoon = setImmediate(handOver);
    },
    flush() {
      if (boom === null) {
        handOver();
        return;
      }
      const { chunk, lines } = takeWaiting();
      syncRetries = 0;
      try {
        boom.flushSync();
        writeAllSync(boom.fd, chunk);
      } catch (error) {
        dropped += lines;
        trouble(error);
      }
      syncRetries = null;
    },
    reopen() {
      handOver();
      if (closed || typeof target === 'number') return;
      const former = boom;
      // Not sonic-boom's own reopen: after one failed attempt it closes the former descriptor twice, by then somebody else's.
      try {
        boom = start();
      } catch (error) {
        trouble(error);
        return;
      }
      if (former !== null) void finish(former);
    },
    async close() {
      handOver();
      closed = true;
      const last = boom;
      boom = null;
      if (last !== null) await finish(last);
    },
    dropped: () => dropped,
  };
}

/** Throws what `writeSync` throws, EAGAIN included: nobody waits for a blocked pipe here. */
function writeAllSync(fd: number, chunk: Buffer): void {
  let written = 0;
  while (written < chunk.length) written += writeSync(fd, chunk, written);
}

/** Lets a stream write what it holds and closes it, within a second. */
function finish(boom: Boom): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = (): void => {
      clearTimeout(timer);
      boom.destroy();
      resolve();
    };
    const timer = setTimeout(giveUp, CLOSE_WITHIN_MS);
    boom.once('error', giveUp);
    boom.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    boom.end();
  });
}
