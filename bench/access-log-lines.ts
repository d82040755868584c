/** Counts the lines that a target logs, to make sure that it logs every request. */
import { createReadStream, statSync, truncateSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const LOGGED_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;
const LINE_FEED = 0x0a;

/**
 * Waits until the file holds `atLeast` lines, returns how many it does, and empties it: logs of a whole bench would take gigabytes.
 * Rejects when the lines do not come.
 */
export async function takeLines(file: string, atLeast: number): Promise<number> {
  const end = performance.now() + LOGGED_WITHIN_MS;
  for (;;) {
    const lines = await countLines(file);
    if (lines >= atLeast) {
      truncateSync(file);
      return lines;
    }
    if (performance.now() > end)
      throw new Error(`${file} holds ${lines} lines (${statSync(file).size} bytes) of ${atLeast} requests`);
    await setTimeout(LOOK_EVERY_MS);
  }
}

async function countLines(file: string): Promise<number> {
  let lines = 0;
  for await (const piece of createReadStream(file, { highWaterMark: 1_048_576 })) {
    const bytes = piece as Buffer;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) lines += 1;
  }
  return lines;
}
