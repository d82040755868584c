import type { Io } from '../../src/cli/command.ts';

export interface MemoryIo extends Io {
  readonly lines: string[];
  readonly errors: string[];
  readonly exits: number[];
  /** What was written to the terminal, where there is one. */
  readonly drawn: string[];
  /** Number of those who hear signals. */
  listening(): number;
  signal(name: NodeJS.Signals): void;
}

/** A process that a test can look into. */
export function memoryIo(
  options: { env?: Record<string, string>; input?: string[]; colour?: boolean; terminal?: boolean } = {},
): MemoryIo {
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  const lines: string[] = [];
  const errors: string[] = [];
  const exits: number[] = [];
  const drawn: string[] = [];
  return {
    lines,
    errors,
    exits,
    drawn,
    terminal: options.terminal === true ? (text) => void drawn.push(text) : null,
    out: (line) => void lines.push(line),
    err: (line) => void errors.push(line),
    env: options.env ?? {},
    stdin: async function* () {
      for (const piece of options.input ?? []) yield Buffer.from(piece);
    },
    colour: options.colour ?? false,
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exit: (code) => void exits.push(code),
    listening: () => listeners.size,
    signal(name) {
      for (const listener of listeners) listener(name);
    },
  };
}
