/** `headgear aliases`: aliases by hand, as `oo-admin-ctl-routing` has them, and held where they are. */
import { byHand, byHandHelp, byHandOptions, exactly, shownApp } from './by-hand.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { plain } from './event-line.ts';

export const aliases: Command = {
  name: 'aliases',
  help: `Usage: headgear aliases list NAMESPACE/APP
       headgear aliases add|delete|pin|unpin NAMESPACE/APP ALIAS

"add" and "delete" do what an event would do, and later events may undo it. "pin" holds an alias at an application (and adds
it where it is not there) whatever events say and whoever else claims it, restarts included, until "unpin"; then it is what
events say by then. A pin holds the route; certificates go on following events.

${byHandHelp}`,
  async run(args, io) {
    const { values, positionals } = readArguments(args, byHandOptions, true);
    const [verb = 'list', ...rest] = positionals;
    switch (verb) {
      case 'list': {
        const [app = ''] = exactly(rest, 'NAMESPACE/APP');
        const shown = await shownApp('aliases', app, values, io);
        if (shown === null) return EXIT.failed;
        for (const { alias, servedFor, certificate, pin } of shown.aliases) {
          const marks = [
            servedFor === null ? 'not announced' : `served for ${servedFor}`,
            ...(certificate === null ? [] : ['certificate']),
            ...(pin === undefined ? [] : ['pinned']),
          ];
          io.out(`${plain(alias)} (${marks.map(plain).join(', ')})`);
        }
        return EXIT.ok;
      }
      case 'add':
      case 'delete':
      case 'pin':
      case 'unpin': {
        const [app, alias] = exactly(rest, 'NAMESPACE/APP', 'ALIAS');
        return byHand('aliases', { verb: `${verb}-alias`, app, alias }, values, io);
      }
      default:
        throw new UsageError(`list, add, delete, pin or unpin, not ${JSON.stringify(verb)}`);
    }
  },
};
