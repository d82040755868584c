/** `headgear table`: the routing table, now or as of a time. */
import { adminOptions, adminUrl, askText } from './admin-client.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { asciiJson, plain } from './event-line.ts';
import { timeArgument } from './time.ts';

interface Answer {
  readonly apps: readonly {
    readonly key: string;
    readonly endpoints: readonly {
      readonly address: string;
      readonly port: number;
      readonly types: readonly string[];
    }[];
    readonly aliases: readonly {
      readonly alias: string;
      readonly certificate: { readonly fingerprint: string } | null;
    }[];
  }[];
}

export const table: Command = {
  name: 'table',
  help: `Usage: headgear table [--at TIME] [--admin URL] [--json]

Shows every application with its endpoints and aliases; certificates by fingerprint, because no key outlives its certificate.

  --at TIME    such as 2026-11-21T12:00:00Z, or 90m, 6h, 2d ago, as far as the journal reaches back
  --admin URL  the admin listener (default ${adminOptions.admin.default})
  --json       what admin answers, as it is`,
  async run(args, io) {
    const options = {
      ...adminOptions,
      at: { type: 'string' },
      json: { type: 'boolean', default: false },
    } as const;
    const { values } = readArguments(args, options, false);
    const path =
      values.at === undefined ? '/table' : `/table?at=${timeArgument('--at', values.at, Date.now())}`;
    const text = await askText('table', adminUrl(values.admin), path, io);
    if (text === null) return EXIT.failed;
    if (values.json) {
      io.out(asciiJson(text.trimEnd()));
      return EXIT.ok;
    }
    for (const { key, endpoints, aliases } of (JSON.parse(text) as Answer).apps) {
      io.out(plain(key));
      for (const { address, port, types } of endpoints)
        io.out(`  endpoint ${plain(address)} ${Number(port)} ${types.map(plain).join(',')}`);
      for (const { alias, certificate } of aliases)
        io.out(
          `  alias ${plain(alias)}${certificate === null ? '' : ` certificate ${plain(certificate.fingerprint)}`}`,
        );
    }
    return EXIT.ok;
  },
};
