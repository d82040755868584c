/** `headgear check`: everything that is wrong with a configuration, before it is used. */
import { loadConfig } from '../config/load.ts';
import { problemText } from '../config/problem.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';

export const check: Command = {
  name: 'check',
  help: `Usage: headgear check FILE

Reads the configuration as headgear run would (environment and passcode files included), reads the files that it names and
judges what they hold as run does (certificates and their keys, cipher lists, CAs of clients and gears, session ticket
keys, master keys), and prints every problem with its path, then warnings. Binds and writes nothing. Exit code 1 if there is a problem;
warnings alone are no failure.`,
  async run(args, io) {
    const { positionals } = readArguments(args, {}, true);
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) throw new UsageError('name one configuration file');
    const loaded = loadConfig(file, io.env);
    // Loaded when it is wanted: it brings the rooms that read certificates along.
    const found = loaded.ok
      ? (await import('../check-start.ts')).checkStart(loaded.config)
      : { problems: loaded.problems, warnings: [] };
    const { problems } = found;
    const warnings = [...loaded.warnings, ...found.warnings];
    for (const problem of problems) io.out(`problem: ${problemText(problem)}`);
    for (const warning of warnings) io.out(`warning: ${problemText(warning)}`);
    if (problems.length === 0)
      io.out(`${file}: ok${warnings.length > 0 ? `, ${count(warnings.length, 'warning')}` : ''}`);
    else io.out(`${file}: ${count(problems.length, 'problem')}`);
    return problems.length === 0 ? EXIT.ok : EXIT.failed;
  },
};

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
