/** From arguments to a command. */
import { nearest } from '../config/nearest.ts';
import { aliases } from './aliases.ts';
import { certs } from './certs.ts';
import { changes } from './changes.ts';
import { check } from './check.ts';
import { type Command, EXIT, type Io, UsageError } from './command.ts';
import { digest } from './digest.ts';
import { explain } from './explain.ts';
import { freeze } from './freeze.ts';
import { importCommand } from './import.ts';
import { listen } from './listen.ts';
import { members } from './members.ts';
import { pools } from './pools.ts';
import { publish } from './publish.ts';
import { quarantine } from './quarantine.ts';
import { reconcile } from './reconcile.ts';
import { rotateKey } from './rotate-key.ts';
import { run } from './run.ts';
import { shadow } from './shadow.ts';
import { table } from './table.ts';
import { thaw } from './thaw.ts';
import { version } from './version.ts';
import { why } from './why.ts';

const commands: readonly Command[] = [
  run,
  check,
  importCommand,
  reconcile,
  shadow,
  digest,
  publish,
  listen,
  table,
  why,
  changes,
  freeze,
  thaw,
  pools,
  members,
  aliases,
  certs,
  quarantine,
  rotateKey,
  version,
];

const help = `Headgear, the edge load balancer for OpenShift v2.

Usage: headgear COMMAND [OPTIONS]

${commands.map((command) => `  ${command.name.padEnd(11)} ${command.summary}`).join('\n')}

headgear COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 not understood.`;

/** Runs one command and resolves with its exit code. Never rejects: a failure is one clear line on `err`. */
export async function runCli(
  args: readonly string[],
  io: Io,
  known: readonly Command[] = commands,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.out(help);
    return EXIT.ok;
  }
  const wanted = name === '--version' || name === '-v' ? 'version' : name;
  const command = known.find((candidate) => candidate.name === wanted);
  if (command === undefined) {
    const meant = nearest(
      name,
      known.map((candidate) => candidate.name),
    );
    io.err(
      `headgear: there is no command ${JSON.stringify(name)}${meant === null ? '' : `; did you mean ${meant}?`}`,
    );
    io.err('See headgear --help.');
    return EXIT.usage;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(command.help);
    return EXIT.ok;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`headgear ${command.name}: ${error.message}`);
      io.err(`See headgear ${command.name} --help.`);
      return EXIT.usage;
    }
    io.err(`headgear ${command.name}: ${explain(error)}`);
    return EXIT.failed;
  }
}
