/** `headgear thaw`: publish what came during a freeze, and everything after. */
import { byHand, byHandHelp, byHandOptions, exactly } from './by-hand.ts';
import { type Command, readArguments } from './command.ts';

export const thaw: Command = {
  name: 'thaw',
  help: `Usage: headgear thaw

Ends a freeze: what changed during it is published as one change.

${byHandHelp}`,
  run(args, io) {
    const { values, positionals } = readArguments(args, byHandOptions, true);
    exactly(positionals);
    return byHand('thaw', {}, values, io, '/thaw');
  },
};
