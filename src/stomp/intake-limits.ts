/** Bounds of the intake, and the memory that all its connections share. */

export interface IntakeLimits {
  /** From accept until a good CONNECT, whatever trickles in. */
  readonly loginTimeoutMs: number;
  /** From a frame's first byte to its NUL: a slow drip ends here. */
  readonly frameTimeoutMs: number;
  readonly maxLineBytes: number;
  readonly maxHeaders: number;
  /** SENDs of one connection that are not durable yet; above it the connection is not read. */
  readonly maxUnconfirmed: number;
  /** Body bytes of all connections that are not durable yet; above it no connection is read. */
  readonly maxUnconfirmedBytes: number;
  /** Answers that a client has not taken; above it the connection is not read. */
  readonly maxUnsentBytes: number;
  /** How long a closing connection may take to see our last answer. */
  readonly lingerMs: number;
}

export const INTAKE_LIMITS: IntakeLimits = {
  loginTimeoutMs: 10_000,
  frameTimeoutMs: 30_000,
  maxLineBytes: 8_192,
  maxHeaders: 64,
  maxUnconfirmed: 256,
  maxUnconfirmedBytes: 64 * 1_048_576,
  maxUnsentBytes: 1_048_576,
  lingerMs: 2_000,
};

/** Counts what waits for durability over all connections, and wakes those that stopped reading for it. */
export class Budget {
  readonly #maxBytes: number;
  #bytes = 0;
  #count = 0;
  readonly #waiting = new Set<() => void>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get unconfirmed(): number {
    return this.#count;
  }

  isSpent(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    this.#count += 1;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
    this.#count -= 1;
    if (this.isSpent() || this.#waiting.size === 0) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Runs `wake` once when there is room again. */
  whenFree(wake: () => void): void {
    this.#waiting.add(wake);
  }

  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
