/** How far a long command is: a bar on a terminal, a line at each tenth of the way elsewhere. */
import { performance } from 'node:perf_hooks';
import type { Io } from './command.ts';

export interface Progress {
  at(done: number): void;
  /** Takes the bar away. */
  end(): void;
}

const WIDTH = 30;
const REDRAW_MS = 100;

export function showProgress(io: Pick<Io, 'terminal' | 'err'>, what: string, total: number): Progress {
  const { terminal } = io;
  const percent = (done: number): number => (total === 0 ? 100 : Math.floor((done * 100) / total));
  if (terminal === null) {
    let tenth = 0;
    return {
      at(done) {
        const now = Math.floor(percent(done) / 10);
        if (now <= tenth) return;
        tenth = now;
        io.err(`${what}: ${done} of ${total} (${now * 10} %)`);
      },
      end: () => undefined,
    };
  }
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    at(done) {
      if (performance.now() - drawn < REDRAW_MS && done < total) return;
      drawn = performance.now();
      const filled = Math.round((percent(done) * WIDTH) / 100);
      terminal(
        `\r${what} [${'#'.repeat(filled).padEnd(WIDTH, '.')}] ${done}/${total} ${percent(done)} %\x1b[K`,
      );
    },
    end: () => terminal('\r\x1b[K'),
  };
}
