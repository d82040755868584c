/** The structured log: JSON lines by pino (owned here). */
import { pino } from 'pino';
import type { LineSink } from './line-sink.ts';
import { openLineSink } from './open-line-sink.ts';
import type { Log, LogFields } from './types.ts';

/** `file`: a path, or `stderr`. */
export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly file: string;
}

/** The log of the process: what the composition root holds. */
export interface RootLog extends Log {
  /** Writes what is waiting before it returns: for the last words before an exit. */
  flush(): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  /** Writes everything and closes: for an orderly stop. Lines after it go nowhere. */
  close(): Promise<void>;
}

const MAX_BUFFERED_BYTES = 1_048_576;

/**
 * Opens the log. It never throws, neither here nor at a line: a file that cannot be written is said on stderr, its lines
 * are dropped, and it is tried again. Errors may be given as a field; their message and stack are shown.
 */
export function createLog(config: LogOptions): RootLog {
  const sink = openLineSink(config.file, {
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    onTrouble: (reason) => {
      if (config.file !== 'stderr')
        complain(`headgear: the log ${config.file} cannot be written: ${reason}\n`);
    },
  });
  const root = pino(
    {
      level: config.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
    },
    { write: (line: string) => sink.write(Buffer.from(line), 1) },
  );
  return { ...wrap(root), flush: () => sink.flush(), reopen: () => sink.reopen(), close: () => sink.close() };
}

/** For tests and for parts that run without a log. */
export const silentLog: RootLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
  flush: () => undefined,
  reopen: () => undefined,
  close: () => Promise.resolve(),
};

function wrap(logger: pino.Logger): Log {
  return {
    debug: (message, fields) => say(logger, 'debug', message, fields),
    info: (message, fields) => say(logger, 'info', message, fields),
    warn: (message, fields) => say(logger, 'warn', message, fields),
    error: (message, fields) => say(logger, 'error', message, fields),
    child: (room) => wrap(logger.child({ room })),
  };
}

function say(
  logger: pino.Logger,
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: LogFields | undefined,
): void {
  try {
    if (fields === undefined) logger[level](message);
    else logger[level](fields, message);
  } catch {
    // A field whose getter or toJSON throws must not take the request or the event with it.
    logger[level]({ unloggableFields: true }, message);
  }
}

function complain(text: string): void {
  const sink: LineSink = openLineSink('stderr', {
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    onTrouble: () => undefined,
  });
  sink.write(Buffer.from(text), 1);
  void sink.close();
}
