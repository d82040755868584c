/** `headgear quarantine`: messages that were acked but not applied; look at them, replay them, drop them. */
import { adminOptions, adminToken, adminUrl, askAdmin, askText, sayRefusal } from './admin-client.ts';
import { type Command, EXIT, type Io, readArguments, UsageError } from './command.ts';
import { asciiJson, plain } from './event-line.ts';

const MAX_LISTED = 1_000;

export const quarantine: Command = {
  name: 'quarantine',
  help: `Usage: headgear quarantine [list]
       headgear quarantine show ID
       headgear quarantine replay ID... | --all
       headgear quarantine drop ID... | --all

Messages that were acked but could not be applied are kept, whole and with the reason. "show" hides whatever could be a
secret. "replay" handles a message as if it came now, oldest first: applied, it leaves the quarantine; refused anew, it
stays, and the exit code is 1. An add that waits because its application had been deleted (TABLE_LATE_ADD) is applied, and
brings the application back: look at it first. "drop" removes a message for good.

  --limit N          of list (default 100, at most ${MAX_LISTED}), newest first
  --all              every message there is
  --json             what admin answers, as it is
  --admin URL        the admin listener (default ${adminOptions.admin.default})
  --token-file FILE  what allows changes (default ./var/admin-token: in the state folder); HEADGEAR_ADMIN_TOKEN goes first`,
  async run(args, io) {
    const { values, positionals } = readArguments(
      args,
      {
        ...adminOptions,
        'token-file': { type: 'string', default: './var/admin-token' },
        limit: { type: 'string', default: '100' },
        all: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      } as const,
      true,
    );
    const admin = adminUrl(values.admin);
    const [verb = 'list', ...ids] = positionals;
    switch (verb) {
      case 'list':
        return await list(admin, wanted('--limit', values.limit), values.json, io);
      case 'show':
        return await show(admin, only(ids), io);
      case 'replay':
      case 'drop': {
        const body = values.all ? { all: true } : { ids: numbers(ids) };
        if (values.all && ids.length > 0) throw new UsageError('name messages or say --all, not both');
        const token = adminToken(io.env, values['token-file']);
        return await settle(admin, { verb, body, token, json: values.json }, io);
      }
      default:
        throw new UsageError(`list, show, replay or drop, not ${JSON.stringify(verb)}`);
    }
  },
};

interface Listed {
  readonly total: number;
  readonly entries: readonly {
    readonly id: number;
    readonly at: string;
    readonly source: string;
    readonly code: string;
    readonly reason: string;
    readonly action: string | null;
    readonly app: string | null;
    readonly content: { readonly bytes: number };
  }[];
}

async function list(admin: URL, limit: number, json: boolean, io: Io): Promise<number> {
  const text = await askText('quarantine', admin, `/quarantine?limit=${limit}`, io);
  if (text === null) return EXIT.failed;
  if (json) {
    io.out(asciiJson(text.trimEnd()));
    return EXIT.ok;
  }
  const { total, entries } = JSON.parse(text) as Listed;
  for (const { id, at, source, code, reason, action, app, content } of entries) {
    const about = [action ?? '-', app ?? '-'].map(plain).join(' ');
    io.out(
      `#${id} ${plain(at)} ${plain(source)} ${about} ${content.bytes} bytes ${plain(code)}: ${plain(reason)}`,
    );
  }
  io.out(`${total} in quarantine${entries.length < total ? `, ${entries.length} shown` : ''}`);
  return EXIT.ok;
}

async function show(admin: URL, id: number, io: Io): Promise<number> {
  const text = await askText('quarantine', admin, `/quarantine/${id}`, io);
  if (text === null) return EXIT.failed;
  io.out(asciiJson(text.trimEnd()));
  return EXIT.ok;
}

interface Settled {
  readonly results: readonly {
    readonly id: number;
    readonly outcome: string;
    readonly code: string;
    readonly reason: string;
  }[];
}

async function settle(
  admin: URL,
  request: {
    readonly verb: 'replay' | 'drop';
    readonly body: object;
    readonly token: string;
    readonly json: boolean;
  },
  io: Io,
): Promise<number> {
  const { verb, body, token, json } = request;
  const { status, text } = await askAdmin(admin, {
    method: 'POST',
    path: `/quarantine/${verb}`,
    body,
    token,
  });
  if (status !== 200) {
    sayRefusal('quarantine', { status, text }, io);
    return EXIT.failed;
  }
  const { results } = JSON.parse(text) as Settled;
  if (json) io.out(asciiJson(text.trimEnd()));
  else {
    for (const { id, outcome, code, reason } of results)
      io.out(`#${id} ${plain(outcome)}${code === '' ? '' : ` ${plain(code)}: ${plain(reason)}`}`);
    if (results.length === 0) io.out('nothing is in quarantine');
  }
  return results.some(({ outcome }) => outcome === 'refused') ? EXIT.failed : EXIT.ok;
}

function wanted(what: string, text: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new UsageError(`${what} wants a number above 0, not ${JSON.stringify(text)}`);
  return number;
}

function numbers(ids: readonly string[]): readonly number[] {
  if (ids.length === 0) throw new UsageError('name the messages by their numbers, or say --all');
  return ids.map((id) => wanted('a message', id.replace(/^#/, '')));
}

function only(ids: readonly string[]): number {
  const [id, ...more] = numbers(ids);
  if (id === undefined || more.length > 0) throw new UsageError('name one message');
  return id;
}
