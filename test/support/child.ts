/** A child process of a test: its output is kept, and it goes with the test whatever ends that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Child {
  readonly pid: number;
  readonly running: boolean;
  /** Everything it wrote so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code (null: a signal) once it has gone and its output is complete. */
  readonly ended: Promise<number | null>;
  /** Sends the signal and resolves as `ended` does; at once when it has gone already. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The child leads a process group of its own, and signals go to all of it: for servers that fork workers. */
  readonly group?: boolean;
}

const leftovers = new Set<() => void>();
let watching = false;

/** The runner ends a test file that takes too long by a signal, which alone would run no exit handler. */
function watchForOurEnd(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const kill of leftovers) kill();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
}

/** Starts a program; resolves when it runs, rejects when it cannot be started. */
export async function startChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Child> {
  watchForOurEnd();
  const { group = false, ...rest } = options;
  const child = spawn(program, args, { ...rest, detached: group, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} has no process id`);
  let running = true;
  const kill = (signal: NodeJS.Signals) => {
    if (!running) return;
    try {
      process.kill(group ? -pid : pid, signal);
    } catch {
      // gone in this very moment
    }
  };
  const killLeftover = () => kill('SIGKILL');
  leftovers.add(killLeftover);
  child.on('exit', () => {
    // Workers outlive a leader that was killed.
    if (group) killLeftover();
    running = false;
    leftovers.delete(killLeftover);
  });
  return {
    pid,
    get running() {
      return running;
    },
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    ended,
    end(signal) {
      kill(signal);
      return ended;
    },
  };
}
