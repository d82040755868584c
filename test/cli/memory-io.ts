import type { Io } from '../../src/cli/command.ts';

export interface MemoryIo extends Io {
  readonly lines: string[];
  readonly errors: string[];
  readonly exits: number[];
  /** Number of those who hear signals. */
  listening(): number;
  signal(name: NodeJS.Signals): void;
}

/** A process that a test can look into. */
export function memoryIo(
  options: { env?: Record<string, string>; input?: string[]; colour?: boolean } = {},
): MemoryIo {
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  const lines: string[] = [];
  const errors: string[] = [];
  const exits: number[] = [];
  return {
    lines,
    errors,
    exits,
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
