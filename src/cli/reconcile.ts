/** `headgear reconcile`: holds a full picture from outside against the table, and makes the table so if that is wanted. */
import { readFileSync } from 'node:fs';
import { type Difference, differenceOf } from '../sources/difference.ts';
import { eventText } from '../sources/event-bodies.ts';
import { readTable } from '../sources/headgear-table.ts';
import type { Picture } from '../sources/picture.ts';
import { adminOptions, adminToken, adminUrl } from './admin-client.ts';
import { applyDifference } from './apply-difference.ts';
import { type Command, EXIT, type Io, readArguments, UsageError } from './command.ts';
import { asciiJson, plain } from './event-line.ts';
import { pictureFrom } from './picture-from.ts';

export const reconcile: Command = {
  name: 'reconcile',
  help: `Usage: headgear reconcile --from SOURCE [--apply]

Takes a full picture from SOURCE and shows what is different in the table of the running Headgear, deletions apart. Nothing is
changed without --apply. Certificates that the source lacks are kept.

  openshift:URL   OpenShift's REST, such as openshift:https://broker.example.com/broker/rest. It shows what the user may see:
                  one who sees all applications is needed
  headgear:URL    the admin listener of another Headgear, such as headgear:http://127.0.0.1:9191
  file:FILE       events, JSON or YAML, as if they were all there ever were
  nginx:DIR       a folder that the routing daemon writes for nginx

  --apply            make it so, by events over admin; what changed here since it was compared is left out
  --max-delete N     with --apply: refuse when more than N percent of the applications, endpoints and aliases would go
                     (default 10)
  --force            delete them all the same
  --json             the difference as JSON
  --user NAME        of OpenShift, the password in HEADGEAR_OPENSHIFT_PASSWORD; or a token in HEADGEAR_OPENSHIFT_TOKEN
  --ca-file FILE     authorities to verify OpenShift's certificate with
  --pool-name NAME   POOL_NAME of the routing daemon (default pool_ose_%a_%n_80)
  --admin URL        our admin listener (default ${adminOptions.admin.default})
  --token-file FILE  what allows changes (default ./var/admin-token); HEADGEAR_ADMIN_TOKEN goes first`,
  async run(args, io) {
    const { values } = readArguments(
      args,
      {
        ...adminOptions,
        from: { type: 'string' },
        apply: { type: 'boolean', default: false },
        force: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        'max-delete': { type: 'string', default: '10' },
        json: { type: 'boolean', default: false },
        user: { type: 'string' },
        'ca-file': { type: 'string' },
        'pool-name': { type: 'string' },
        'token-file': { type: 'string', default: './var/admin-token' },
      } as const,
      false,
    );
    if (values.from === undefined) throw new UsageError('say --from SOURCE');
    if (values.apply && values['dry-run']) throw new UsageError('--apply or --dry-run, not both');
    const maxDelete = percent(values['max-delete']);
    const admin = adminUrl(values.admin);
    // Before anything is asked: a token that is missing should not be found out at the end.
    const token = values.apply ? adminToken(io.env, values['token-file']) : null;
    const ca = values['ca-file'] === undefined ? undefined : readFileSync(values['ca-file'], 'utf8');
    const own = await readTable(admin);
    const access = { user: values.user, ca, poolName: values['pool-name'] };
    const picture = await pictureFrom(values.from, { ...access, own: own.apps }, io);
    const difference = differenceOf(own.apps, picture);
    if (values.json) tellJson(picture, difference, io);
    else tell(picture, difference, io);
    if (token === null) return EXIT.ok;

    const share = difference.known === 0 ? 0 : (difference.deleted * 100) / difference.known;
    if (share > maxDelete && !values.force) {
      io.err(
        `headgear reconcile: nothing was applied: ${difference.deleted} of ${difference.known} would be deleted, more than ${maxDelete} %; ` +
          'look at them, then say --force or a larger --max-delete',
      );
      return EXIT.failed;
    }
    return (await applyDifference({ admin, token, own: own.apps, difference }, io)) ? EXIT.ok : EXIT.failed;
  },
};

function percent(text: string): number {
  if (!/^\d{1,3}(\.\d+)?$/.test(text) || Number(text) > 100)
    throw new UsageError(`--max-delete wants percent, not ${JSON.stringify(text)}`);
  return Number(text);
}

function tell(picture: Picture, { additions, deletions, deleted, known, kept }: Difference, io: Io): void {
  for (const { where, code, reason } of [...picture.problems, ...kept])
    io.out(`look: ${plain(where)}: ${plain(reason)} (${plain(code)})`);
  for (const event of additions) io.out(`+ ${plain(eventText(event))}`);
  if (deletions.length > 0) io.out('to be deleted:');
  for (const event of deletions) io.out(`- ${plain(eventText(event))}`);
  io.out(
    `${plain(picture.source)}: ${picture.apps.size} applications; ${additions.length} to add or change, ` +
      `${deletions.length} to delete (${deleted} of ${known} applications, endpoints and aliases)`,
  );
}

/** Without certificates and keys. */
function tellJson(
  picture: Picture,
  { additions, deletions, deleted, known, kept }: Difference,
  io: Io,
): void {
  const shown = {
    source: picture.source,
    applications: picture.apps.size,
    additions: additions.map(eventText),
    deletions: deletions.map(eventText),
    deleted,
    known,
    problems: [...picture.problems, ...kept],
  };
  io.out(asciiJson(JSON.stringify(shown)));
}
