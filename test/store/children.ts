/** Starts `child.ts` and reads its lines. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));

export interface StoreChild {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** Resolves once that many lines came, or the child ended. */
  untilLines(count: number): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  ended(): Promise<number | null>;
}

/** @param fileBlocks limit of the size of files (`ulimit -f`): writing beyond fails as on a full disk. */
export function startChild(
  mode: 'hold' | 'write' | 'fill' | 'rotate',
  dir: string,
  fileBlocks?: number,
): StoreChild {
  const child =
    fileBlocks === undefined
      ? spawn(process.execPath, [CHILD, mode, dir], { stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn('sh', ['-c', `ulimit -f ${fileBlocks} && exec "$0" "$@"`, process.execPath, CHILD, mode, dir], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
  const lines: string[] = [];
  let rest = '';
  let over = false;
  let wake = () => {};
  child.stderr.resume();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  const end = once(child, 'close').then(() => {
    over = true;
    wake();
    return child.exitCode;
  });
  return {
    process: child,
    lines,
    async untilLines(count) {
      while (lines.length < count && !over) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await end;
    },
    ended: () => end,
  };
}
