/** `headgear why`: which events made a route what it is. */
import { adminOptions, adminUrl, askText } from './admin-client.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { asciiJson, plain } from './event-line.ts';

/** What of an event is shown. */
interface Origin {
  readonly at: number;
  readonly source: string;
  readonly messageId: string | null;
  readonly sentAt: number | null;
  readonly action: string | null;
  readonly app: string | null;
  readonly subject: string;
}

interface Answer {
  readonly host: string;
  readonly now: { readonly route: { readonly app: string; readonly kind: string } } | null;
  readonly because: readonly { readonly what: string; readonly event: Origin | null }[];
  readonly lastMention: Origin | null;
}

export const why: Command = {
  name: 'why',
  help: `Usage: headgear why HOST [--admin URL] [--json]

Shows where requests for HOST go, and for each part of that (application, alias, certificate, endpoints) the event that made
it: time, source, message id, time stamp of the message bus. For a host that leads nowhere, the last event that spoke of it.

  --admin URL  the admin listener (default ${adminOptions.admin.default})
  --json       what admin answers, as it is`,
  async run(args, io) {
    const options = { ...adminOptions, json: { type: 'boolean', default: false } } as const;
    const { values, positionals } = readArguments(args, options, true);
    const [host, ...more] = positionals;
    if (host === undefined || more.length > 0) throw new UsageError('name one host');
    const text = await askText('why', adminUrl(values.admin), `/why?host=${encodeURIComponent(host)}`, io);
    if (text === null) return EXIT.failed;
    if (values.json) {
      io.out(asciiJson(text.trimEnd()));
      return EXIT.ok;
    }
    const { now, because, lastMention, ...answer } = JSON.parse(text) as Answer;
    if (now === null) {
      io.out(`${plain(answer.host)} leads nowhere`);
      io.out(lastMention === null ? '  no event spoke of it' : `  last: ${originLine(lastMention)}`);
      return EXIT.ok;
    }
    io.out(`${plain(answer.host)} is served by ${plain(now.route.app)} (${plain(now.route.kind)} name)`);
    for (const { what, event } of because) {
      io.out(`  ${plain(what)}: ${event === null ? 'older than the journal' : originLine(event)}`);
    }
    return EXIT.ok;
  },
};

/** E.g. `2026-11-21T12:00:00.000Z add_alias from bus:mq1:61613, message ID:7, sent 2026-11-21T11:59:59.990Z`. */
export function originLine({ at, source, messageId, sentAt, action }: Origin): string {
  const parts = [
    `${new Date(at).toISOString()} ${plain(action ?? '-')} from ${plain(source)}`,
    ...(messageId === null ? [] : [`message ${plain(messageId)}`]),
    ...(sentAt === null ? [] : [`sent ${new Date(sentAt).toISOString()}`]),
  ];
  return parts.join(', ');
}
