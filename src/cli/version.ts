/** `headgear version`. */
import { readFileSync } from 'node:fs';
import { type Command, EXIT, readArguments } from './command.ts';

export const version: Command = {
  name: 'version',
  help: 'Usage: headgear version',
  async run(args, io) {
    readArguments(args, {}, false);
    io.out(`headgear ${packageVersion()} on Node ${process.versions.node}`);
    return EXIT.ok;
  },
};

/** As package.json says; compiled files lie two folders deeper than sources do (dist/src/cli). */
export function packageVersion(): string {
  const { version: text } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  ) as {
    readonly version: string;
  };
  return text;
}
