/** `headgear import`: takes over from OpenShift's routing daemon with nginx, configuration and state. */
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { checkFiles } from '../config/check-files.ts';
import { loadConfig } from '../config/load.ts';
import { type Problem, problemText } from '../config/problem.ts';
import { takeOverRoutingDaemon } from '../config/routing-daemon.ts';
import type { KeyNote } from '../config/routing-daemon-note.ts';
import type { Config } from '../config/schema.ts';
import { validateConfig } from '../config/validate.ts';
import { type Command, EXIT, type Io, readArguments, UsageError } from './command.ts';
import { plain } from './event-line.ts';
import { importFolder } from './import-folder.ts';

const MAX_CONF_BYTES = 1_048_576;
const KINDS: readonly (readonly [KeyNote['kind'], string])[] = [
  ['taken', 'taken over'],
  ['obsolete', 'not needed any more'],
  ['look', 'to be looked at'],
  ['unknown', 'not known'],
];

export const importCommand: Command = {
  name: 'import',
  help: `Usage: headgear import ROUTING-DAEMON.CONF [--write FILE] [--dry-run]

Reads an existing routing-daemon.conf into a configuration of Headgear and says what became of each key; then reads the
folder that it names (NGINX_CONFDIR) into the state, as events through the same control loop as those of the message bus:
pools, members, aliases, certificates and keys. Certificates are judged as ever. What cannot be taken over is named with
its reason, and the exit code is 1 then. Nothing of the daemon is changed; importing again changes nothing that is there.

Headgear must not run on the state folder meanwhile.

  --write FILE           write the configuration there, as JSON, for its owner only (it holds the passcode); it must not
                         exist yet. Without it the configuration is printed, without the passcode.
  --config FILE          use this configuration of Headgear, instead of making one, for the state folder and the names
  --state-dir DIR        stateDir of the new configuration (default /var/lib/headgear)
  --nginx-confdir DIR    the folder to read, where it is not at NGINX_CONFDIR (a copy)
  --dry-run              write nothing: show what would come of it in an empty state`,
  async run(args, io) {
    const { values, positionals } = readArguments(
      args,
      {
        write: { type: 'string' },
        config: { type: 'string' },
        'state-dir': { type: 'string', default: '/var/lib/headgear' },
        'nginx-confdir': { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
      } as const,
      true,
    );
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) throw new UsageError('name one routing-daemon.conf');
    if (values.write !== undefined && values.config !== undefined)
      throw new UsageError('--write makes a configuration, --config uses one: say one of them');
    const rehearse = values['dry-run'];
    const text = readFileSync(file);
    if (text.length > MAX_CONF_BYTES)
      throw new Error(`${file} has more than ${MAX_CONF_BYTES} bytes: that is no routing-daemon.conf`);
    const stateDir = resolve(values['state-dir']);
    const taken = takeOverRoutingDaemon(text.toString('utf8'), { machine: hostname(), stateDir });
    // Where the configuration is printed, nothing else goes the same way.
    const prints = values.write === undefined && values.config === undefined;
    const say = prints ? io.err : io.out;
    tellNotes(taken.notes, say);
    const config = values.config === undefined ? made(taken.raw, say) : loaded(values.config, io, say);
    if (config === null) return EXIT.failed;
    if (prints) io.out(JSON.stringify(withoutPasscode(taken.raw), null, 2));
    if (values.write !== undefined) write(values.write, taken.raw, rehearse, say);

    const dir = values['nginx-confdir'] ?? taken.nginxFolder;
    if (dir === null) {
      say('no NGINX_CONFDIR: there is no state to import');
      return EXIT.ok;
    }
    const { poolName } = taken;
    const isWhole = await importFolder({ dir, poolName, config, rehearse, say, io });
    return isWhole ? EXIT.ok : EXIT.failed;
  },
};

function tellNotes(notes: readonly KeyNote[], say: (line: string) => void): void {
  for (const [kind, title] of KINDS) {
    const of = notes.filter((note) => note.kind === kind);
    if (of.length > 0) say(`${title}:`);
    for (const { key, message } of of) say(`  ${plain(key)}: ${plain(message)}`);
  }
}

/** The configuration that the keys come to, or null after its problems were said. */
function made(raw: Readonly<Record<string, unknown>>, say: (line: string) => void): Config | null {
  const validated = validateConfig(raw);
  if (!validated.ok) return refused(validated.problems, say);
  const files = checkFiles(validated.config);
  const doubts = [...validated.warnings, ...files.problems, ...files.warnings];
  for (const doubt of doubts) say(`  to be looked at: ${plain(problemText(doubt))}`);
  return validated.config;
}

function loaded(file: string, io: Io, say: (line: string) => void): Config | null {
  const result = loadConfig(file, io.env);
  return result.ok ? result.config : refused(result.problems, say);
}

function refused(problems: readonly Problem[], say: (line: string) => void): null {
  for (const problem of problems) say(`problem: ${plain(problemText(problem))}`);
  say('nothing was imported: mend these first');
  return null;
}

function write(
  file: string,
  raw: Readonly<Record<string, unknown>>,
  rehearse: boolean,
  say: (line: string) => void,
): void {
  if (!/\.json$/.test(file))
    throw new UsageError(`--write wants a name that ends in .json, not ${JSON.stringify(file)}`);
  if (rehearse) {
    say(`would write ${file}`);
    return;
  }
  try {
    writeFileSync(file, `${JSON.stringify(raw, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`${file} exists already: nothing was imported; name another, or use it with --config`);
  }
  say(`wrote ${file}; headgear check ${file} says what is left to do`);
}

/** A terminal's scroll-back is no place for it. */
function withoutPasscode(raw: Readonly<Record<string, unknown>>): object {
  const { bus, ...others } = raw;
  const { passcode: _hidden, ...shown } = { ...(bus as object) } as Record<string, unknown>;
  return { ...others, bus: shown };
}
