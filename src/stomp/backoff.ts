/** How long to wait before the next round of connection attempts. Pure. */

/**
 * Milliseconds: doubles each round from `minMs` to `maxMs`, of which the upper half is random, so that the load balancers of a
 * site do not all come back in the same instant after the message bus was restarted.
 */
export function backoffMs(round: number, minMs: number, maxMs: number, random: () => number): number {
  const ceiling = Math.min(Math.max(minMs, maxMs), minMs * 2 ** Math.min(round, 30));
  return Math.max(minMs, Math.round(ceiling * (0.5 + 0.5 * random())));
}
