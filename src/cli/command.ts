/** What a command is, and what it may touch of the process: handed in, so that tests run commands without one. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { Environment } from '../config/environment.ts';
import { nearest } from '../config/nearest.ts';

export interface Io {
  /** One line each. */
  out(line: string): void;
  err(line: string): void;
  readonly env: Environment;
  stdin(): AsyncIterable<Uint8Array>;
  /** Whether `out` may be coloured. */
  readonly colour: boolean;
  /** Writes to the terminal of `err` without a line end, for progress; null: it is none. */
  readonly terminal: ((text: string) => void) | null;
  /** Hears of SIGINT and SIGTERM, which then no longer end the process by themselves. Returns what ends that. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** ok: done. failed: tried and could not. usage: asked in a way that cannot be understood. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

export interface Command {
  readonly name: string;
  readonly help: string;
  /** Resolves with the exit code. */
  run(args: readonly string[], io: Io): Promise<number>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** Thrown by `readArguments`, shown by `runCli` with the name of the command. */
export class UsageError extends Error {}

/** Parses the arguments of a command; throws UsageError with the nearest option for a mistyped one. */
export function readArguments<const T extends Options>(
  args: readonly string[],
  options: T,
  positionals: boolean,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: positionals, strict: true });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const unknown = /^Unknown option '(-[^']*)'/.exec(text)?.[1];
    if (unknown === undefined) throw new UsageError(text.split('. ', 1)[0]);
    const meant = nearest(
      unknown,
      [...Object.keys(options), 'help'].map((name) => `--${name}`),
    );
    throw new UsageError(`unknown option ${unknown}${meant === null ? '' : `; did you mean ${meant}?`}`);
  }
}
