/** `headgear changes`: what changed between two times. */
import { adminOptions, adminUrl, askText } from './admin-client.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { asciiJson, plain } from './event-line.ts';
import { timeArgument } from './time.ts';
import { originLine } from './why.ts';

interface Answer {
  readonly cut: boolean;
  readonly entries: readonly (Parameters<typeof originLine>[0] & {
    readonly number: number;
    readonly notes: readonly string[];
    readonly changes: readonly {
      readonly kind: string;
      readonly app: string;
      readonly endpoint?: string;
      readonly alias?: string;
      readonly before: object | null;
      readonly after: object | null;
    }[];
  })[];
}

export const changes: Command = {
  name: 'changes',
  help: `Usage: headgear changes [--from TIME] [--to TIME] [--limit N] [--admin URL] [--json]

Shows the events that changed something, oldest first, each with what it changed.

  --from TIME  such as 2026-11-21T12:00:00Z, or 90m, 6h, 2d ago (default 1d)
  --to TIME    (default now)
  --limit N    at most the latest N (default 1000)
  --admin URL  the admin listener (default ${adminOptions.admin.default})
  --json       what admin answers, as it is: every record before and after`,
  async run(args, io) {
    const options = {
      ...adminOptions,
      from: { type: 'string', default: '1d' },
      to: { type: 'string', default: 'now' },
      limit: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    } as const;
    const { values } = readArguments(args, options, false);
    if (!/^[1-9]\d{0,4}$/.test(values.limit)) throw new UsageError('--limit wants a number above 0');
    const now = Date.now();
    const from = timeArgument('--from', values.from, now);
    // What is written while this is asked belongs to "now", too.
    const to = values.to === 'now' ? now + 60_000 : timeArgument('--to', values.to, now);
    const path = `/changes?from=${from}&to=${to}&limit=${values.limit}`;
    const text = await askText('changes', adminUrl(values.admin), path, io);
    if (text === null) return EXIT.failed;
    if (values.json) {
      io.out(asciiJson(text.trimEnd()));
      return EXIT.ok;
    }
    const { entries, cut } = JSON.parse(text) as Answer;
    if (cut) io.out(`(older ones are left out: --limit ${values.limit})`);
    for (const entry of entries) {
      io.out(`#${entry.number} ${originLine(entry)}`);
      for (const change of entry.changes) io.out(`  ${changeLine(change)}`);
      for (const note of entry.notes) io.out(`  note: ${plain(note)}`);
    }
    if (entries.length === 0) io.out('nothing changed');
    return EXIT.ok;
  },
};

function changeLine({
  kind,
  app,
  endpoint,
  alias,
  before,
  after,
}: Answer['entries'][number]['changes'][number]): string {
  const sign = before === null ? '+' : after === null ? '-' : '~';
  return `${sign} ${plain(app)} ${plain(kind)} ${plain(endpoint ?? alias ?? '')}`.trimEnd();
}
