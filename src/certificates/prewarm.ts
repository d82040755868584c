/**
 * Makes contexts before they are asked for: of certificates that take the place of ones in use, so that the next handshake does not pay
 * for it. One a turn of the event loop, since each costs up to 2 ms and traffic goes on in between.
 */
export interface Prewarm {
  /** `make` runs soon, unless too many are waiting: then the handshake that wants it does it. */
  add(make: () => void): void;
  stop(): void;
}

/** Half a second of work at worst. What is beyond is made on demand. */
const MAX_WAITING = 256;

export function createPrewarm(): Prewarm {
  const waiting: (() => void)[] = [];
  let scheduled: NodeJS.Immediate | null = null;

  function step(): void {
    scheduled = null;
    waiting.shift()?.();
    if (waiting.length > 0) schedule();
  }

  function schedule(): void {
    scheduled ??= setImmediate(step);
  }

  return {
    add(make) {
      if (waiting.length >= MAX_WAITING) return;
      waiting.push(make);
      schedule();
    },
    stop() {
      waiting.length = 0;
      if (scheduled !== null) clearImmediate(scheduled);
      scheduled = null;
    },
  };
}
