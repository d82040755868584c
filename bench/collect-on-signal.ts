/**
 * Loaded into a Node process before its program (`--expose-gc --import collect-on-signal.js?file=...`): at SIGUSR2 it collects all garbage and then
 * writes a line to the file: how many bytes the heap holds, buffers included.
 */
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const ROUNDS = 4;

const file = new URL(import.meta.url).searchParams.get('file');
if (isMainThread && file !== null) {
  process.on('SIGUSR2', () => {
    let left = ROUNDS;
    const collect = (): void => {
      // Without options: with `flavor: 'last-resort'` Node 20 leaves garbage of the old generation behind.
      globalThis.gc?.();
      left -= 1;
      // Between collections, what waits for them (finalizers, closing handles) gets its turn.
      if (left > 0) setTimeout(collect, 20);
      else appendFileSync(file, `${heldBytes()}\n`);
    };
    collect();
  });
}

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
