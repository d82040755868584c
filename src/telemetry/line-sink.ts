/** What a sink of log lines is, whatever takes them: it never blocks, never throws, never grows without bound. */

export interface LineSink {
  /** Hands over `lines` whole lines, each ending in a line feed. */
  write(chunk: Buffer, lines: number): void;
  /**
   * Writes what is waiting before it returns: for the last words of a process. Gives up after about half a second. A piece
   * that the system is already writing is not waited for; `close` does.
   */
  flush(): void;
  /** Opens the file anew (after a log rotation); the old one gets what was handed over before. No-op for stdout and stderr. */
  reopen(): void;
  /**
   * Writes what is waiting and closes; resolves after a second at the latest. A write that the system still holds up then
   * keeps the process alive: end it by `process.exit`.
   */
  close(): Promise<void>;
  /** Lines dropped since the start. */
  dropped(): number;
}

export interface LineSinkOptions {
  readonly maxBufferedBytes: number;
  /** Told of trouble, at most once a minute. */
  readonly onTrouble: (reason: string) => void;
}
