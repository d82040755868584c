/** A STOMP frame, its bounds, and what can be wrong with it. */

/** Bounds of one frame. */
export interface FrameLimits {
  /** One command or header line, without its line end. */
  readonly maxLineBytes: number;
  readonly maxHeaders: number;
  readonly maxBodyBytes: number;
  /**
   * `refuse`: a frame above a bound is a fault. `curtail`: long lines, headers above the count and header lines of a MESSAGE that are
   * none (no name, a NUL) are left out and bodies cut at maxBodyBytes + 1, in bounded memory; for a sender that would send the same
   * frame again for ever.
   */
  readonly excess: 'refuse' | 'curtail';
  /** Header names that `curtail` keeps also above the count. */
  readonly keep?: ReadonlySet<string>;
  /** With `curtail`: of a MESSAGE only the headers in `keep` are handed on. The others are held to the bounds all the same. */
  readonly onlyKept?: boolean;
}

/** Name and value as sent, escapes not yet undone. */
export type RawHeader = readonly [name: string, value: string];

export interface Frame {
  readonly command: string;
  readonly rawHeaders: readonly RawHeader[];
  /** A copy: it does not hold the chunk that it came in. */
  readonly body: Buffer;
  /** Length as sent; above `body.length` where the body was cut. */
  readonly bodyBytes: number;
  /** Header lines left out by `curtail`. */
  readonly headersDropped: number;
}

/** Why the bytes are no frame. `code` is stable, `reason` for people; it quotes nothing of the sender. */
export interface FrameFault {
  readonly code:
    | 'STOMP_LINE_TOO_LONG'
    | 'STOMP_TOO_MANY_HEADERS'
    | 'STOMP_BODY_TOO_LARGE'
    | 'STOMP_BAD_LENGTH'
    | 'STOMP_BAD_HEADER'
    | 'STOMP_BAD_ESCAPE'
    | 'STOMP_NUL_IN_HEAD'
    | 'STOMP_NO_NUL';
  readonly reason: string;
}

/** Frames completed by a chunk, in order; after a fault the parser takes nothing more. */
export interface Fed {
  readonly frames: readonly Frame[];
  readonly fault: FrameFault | null;
  /** What was read of the MESSAGE that the fault is in, so that it can be told by its id; of `curtail` alone. */
  readonly broken: Frame | null;
}
