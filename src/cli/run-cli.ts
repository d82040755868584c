/** From arguments to a command. */
import { nearest } from '../config/nearest.ts';
import { type Command, EXIT, type Io, UsageError } from './command.ts';
import { explain } from './explain.ts';

/** A command as the list shows it. What it needs is loaded when it is wanted: all of them together take half a second to load. */
export interface CommandEntry {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  load(): Promise<Command>;
}

const commands: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'run the load balancer',
    load: async () => (await import('./run.ts')).run,
  },
  {
    name: 'check',
    summary: 'validate a configuration and print every problem',
    load: async () => (await import('./check.ts')).check,
  },
  {
    name: 'import',
    summary: 'take over from the routing daemon: its configuration, and its nginx folder into the state',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'reconcile',
    summary: 'compare the table with OpenShift, another Headgear or a file, and correct it',
    load: async () => (await import('./reconcile.ts')).reconcile,
  },
  {
    name: 'shadow',
    summary: 'show what a shadow would route otherwise than its incumbent',
    load: async () => (await import('./shadow.ts')).shadow,
  },
  {
    name: 'digest',
    summary: 'print the digest of the table; of several instances, whether they agree',
    load: async () => (await import('./digest.ts')).digest,
  },
  {
    name: 'publish',
    summary: 'send routing events from files',
    load: async () => (await import('./publish.ts')).publish,
  },
  {
    name: 'listen',
    summary: 'show each routing event as it comes',
    load: async () => (await import('./listen.ts')).listen,
  },
  {
    name: 'table',
    summary: 'show the routing table, now or as of a time',
    load: async () => (await import('./table.ts')).table,
  },
  {
    name: 'why',
    summary: 'show which events made a route what it is',
    load: async () => (await import('./why.ts')).why,
  },
  {
    name: 'changes',
    summary: 'show what changed between two times',
    load: async () => (await import('./changes.ts')).changes,
  },
  {
    name: 'freeze',
    summary: 'take events, but publish nothing until the thaw',
    load: async () => (await import('./freeze.ts')).freeze,
  },
  {
    name: 'thaw',
    summary: 'publish what came during a freeze, and everything after',
    load: async () => (await import('./thaw.ts')).thaw,
  },
  {
    name: 'pools',
    summary: 'list, add or delete applications by hand',
    load: async () => (await import('./pools.ts')).pools,
  },
  {
    name: 'members',
    summary: 'list, add, delete, pin or unpin endpoints by hand',
    load: async () => (await import('./members.ts')).members,
  },
  {
    name: 'aliases',
    summary: 'list, add, delete, pin or unpin aliases by hand',
    load: async () => (await import('./aliases.ts')).aliases,
  },
  {
    name: 'certs',
    summary: 'list certificates, their ends, and what needs a look',
    load: async () => (await import('./certs.ts')).certs,
  },
  {
    name: 'quarantine',
    summary: 'list, show, replay or drop messages that were not applied',
    load: async () => (await import('./quarantine.ts')).quarantine,
  },
  {
    name: 'rotate-key',
    summary: 'encrypt the private keys in the store with a new key',
    load: async () => (await import('./rotate-key.ts')).rotateKey,
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./version.ts')).version,
  },
];

const help = `Headgear, the edge load balancer for OpenShift v2.

Usage: headgear COMMAND [OPTIONS]

${commands.map((command) => `  ${command.name.padEnd(11)} ${command.summary}`).join('\n')}

headgear COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 not understood.`;

/** Runs one command and resolves with its exit code. Never rejects: a failure is one clear line on `err`. */
export async function runCli(
  args: readonly string[],
  io: Io,
  known: readonly CommandEntry[] = commands,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.out(help);
    return EXIT.ok;
  }
  const wanted = name === '--version' || name === '-v' ? 'version' : name;
  const entry = known.find((candidate) => candidate.name === wanted);
  if (entry === undefined) {
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
  const command = await entry.load();
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
