/** The real process as commands see it. */
import type { Io } from './command.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Standard streams, environment and signals of this process. Where nobody reads the output any more, commands that only
 * show something end (`headgear listen | head`); a load balancer (`outlivesReader`) goes on without.
 */
export function processIo(outlivesReader: boolean): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!outlivesReader) process.exit(error.code === 'EPIPE' ? 0 : 1);
    });
  }
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
    stdin: () => process.stdin,
    colour: process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '',
    terminal: process.stderr.isTTY === true ? (text) => void process.stderr.write(text) : null,
    onSignal(listener) {
      for (const signal of SIGNALS) process.on(signal, listener);
      return () => {
        for (const signal of SIGNALS) process.off(signal, listener);
      };
    },
    exit: (code) => process.exit(code),
  };
}
