/** Has another process look at a store's file, because lmdb takes the process with it that opens a damaged one. */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { moduleBeside } from './module-beside.ts';
import { messageOf } from './store-error.ts';

export type Check =
  | { readonly kind: 'sound'; readonly copied: boolean }
  | { readonly kind: 'damaged'; readonly reason: string }
  /** Nothing is known of the file: the process could not be started, was killed, or took too long. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** How long a million applications on a slow disk may take. */
const MAX_CHECK_MS = 300_000;
const MAX_ANSWER_CHARS = 4_096;

/** By which a process ends that reads a damaged file. */
const DAMAGE_SIGNALS: ReadonlySet<NodeJS.Signals | null> = new Set([
  'SIGBUS',
  'SIGSEGV',
  'SIGABRT',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/** Verifies a file that nobody has open for writing. */
export function verifyApart(path: string): Promise<Check> {
  return runApart(['verify', path]);
}

/** Verifies a file that nobody writes to and writes its records into a new one, if there is room for it. */
export function renewApart(path: string, to: string): Promise<Check> {
  return runApart(['renew', path, to]);
}

/** Verifies a file that nobody writes to; where anything in it is not exactly as lmdb leaves it, as `renewApart`. */
export function settleApart(path: string, to: string): Promise<Check> {
  return runApart(['settle', path, to]);
}

/** Verifies a file that may be in use, writes its records into a new one, and verifies that; in the background, at low priority. */
export function copyApart(path: string, to: string, signal: AbortSignal): Promise<Check> {
  return runApart(['copy', path, to], signal);
}

function runApart(args: readonly string[], signal?: AbortSignal): Promise<Check> {
  // Options of this process are none of the other's: an inspector's port, a profiler's file.
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(moduleBeside('verify-process', import.meta.url)), String(process.pid), ...args],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
        env,
        timeout: MAX_CHECK_MS,
        killSignal: 'SIGKILL',
        ...(signal === undefined ? {} : { signal }),
      },
    );
    if (signal !== undefined && child.pid !== undefined) lowerPriority(child.pid);
    let answer = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      answer = (answer + text).slice(0, MAX_ANSWER_CHARS);
    });
    child.on('error', (error) => resolve({ kind: 'unknown', reason: messageOf(error) }));
    child.on('close', (code, killedBy) => resolve(judge(answer, code, killedBy)));
  });
}

function judge(answer: string, code: number | null, killedBy: NodeJS.Signals | null): Check {
  const said = /^(sound|copied|uncopied|damaged) (.*)\n/.exec(answer);
  if (said?.[1] === 'sound' && code === 0) return { kind: 'sound', copied: false };
  if (said?.[1] === 'copied' && code === 0) return { kind: 'sound', copied: true };
  if (said?.[1] === 'uncopied') return { kind: 'unknown', reason: said[2] ?? '' };
  if (said?.[1] === 'damaged') return { kind: 'damaged', reason: said[2] ?? '' };
  if (DAMAGE_SIGNALS.has(killedBy))
    return { kind: 'damaged', reason: `reading it ends a process by ${killedBy}` };
  return { kind: 'unknown', reason: `the process that verifies it ended with ${killedBy ?? code}` };
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
}
