/** Child processes of a bench: started on a chosen CPU, their output kept in files, and all ended whatever happens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onCpu } from './cpu.ts';

const TERM_WITHIN_MS = 3_000;

export interface StartOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Which processor, where processes can be bound to one. */
  readonly on: 'proxy' | 'rest';
  /** Where standard output goes; default: the same file as standard error. Appended to. */
  readonly stdout?: string;
  /** A channel for messages (node children only). */
  readonly ipc?: boolean;
  /** Added to the bench's own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** Null while it runs, else what it said last. */
  epitaph(): string | null;
}

export interface Children {
  /** Throws when the program cannot be started. */
  start(name: string, options: StartOptions): Child;
  /** Ends all, by their own process ids, the last started first, and removes the folder. */
  stop(): Promise<void>;
}

/** `dir`: where everything the children write goes; removed with them. */
export function createChildren(dir: string): Children {
  const running: Child[] = [];
  // The last resort, when the bench itself is ended in a way that no `finally` sees.
  const endAll = (): void => {
    // Not SIGKILL: nginx would leave its worker behind.
    for (const child of running) if (child.epitaph() === null) child.process.kill('SIGTERM');
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', endAll);
  return {
    start(name, options) {
      const child = startChild(join(dir, `${name}.out`), name, options);
      running.push(child);
      return child;
    },
    async stop() {
      for (const child of running.splice(0).reverse()) await end(child);
      process.off('exit', endAll);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function startChild(outputFile: string, name: string, options: StartOptions): Child {
  const { command, args } = onCpu(options.on, options.command, options.args);
  const stderr = openSync(outputFile, 'a');
  const stdout = options.stdout === undefined ? stderr : openSync(options.stdout, 'a');
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: options.ipc === true ? ['ignore', stdout, stderr, 'ipc'] : ['ignore', stdout, stderr],
  });
  closeSync(stderr);
  if (stdout !== stderr) closeSync(stdout);
  child.on('error', () => undefined);
  if (child.pid === undefined) throw new Error(`${name}: ${command} cannot be started`);
  return {
    name,
    pid: child.pid,
    process: child,
    epitaph: () =>
      child.exitCode === null && child.signalCode === null
        ? null
        : `${name} ended (${child.signalCode ?? child.exitCode}): ${readFileSync(outputFile, 'utf8').slice(-2_000)}`,
  };
}

async function end(child: Child): Promise<void> {
  if (child.epitaph() !== null) return;
  const gone = new Promise((resolve) => child.process.once('exit', resolve));
  child.process.kill('SIGTERM');
  const timer = setTimeout(() => child.process.kill('SIGKILL'), TERM_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}
