/** `headgear pools`: applications by hand, as `oo-admin-ctl-routing` has them. */
import { adminUrl, askText } from './admin-client.ts';
import { byHand, byHandHelp, byHandOptions, exactly, type ShownApp } from './by-hand.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { plain } from './event-line.ts';

export const pools: Command = {
  name: 'pools',
  help: `Usage: headgear pools [list]
       headgear pools add|delete NAMESPACE/APP

A pool is an application. "delete" takes everything of it, but not what is pinned: unpin that first.

${byHandHelp}`,
  async run(args, io) {
    const { values, positionals } = readArguments(args, byHandOptions, true);
    const [verb = 'list', ...rest] = positionals;
    switch (verb) {
      case 'list': {
        exactly(rest);
        const text = await askText('pools', adminUrl(values.admin), '/table', io);
        if (text === null) return EXIT.failed;
        for (const { key, endpoints, aliases } of (JSON.parse(text) as { apps: ShownApp[] }).apps)
          io.out(`${plain(key)} ${endpoints.length} members, ${aliases.length} aliases`);
        return EXIT.ok;
      }
      case 'add':
      case 'delete': {
        const [app] = exactly(rest, 'NAMESPACE/APP');
        return byHand('pools', { verb: `${verb}-pool`, app }, values, io);
      }
      default:
        throw new UsageError(`list, add or delete, not ${JSON.stringify(verb)}`);
    }
  },
};
