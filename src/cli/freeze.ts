/** `headgear freeze`: take events, but publish nothing until the thaw. */
import { byHand, byHandHelp, byHandOptions, exactly } from './by-hand.ts';
import { type Command, readArguments } from './command.ts';

export const freeze: Command = {
  name: 'freeze',
  help: `Usage: headgear freeze

Events go on being taken, made durable and acked, and nothing of them reaches the traffic until "headgear thaw". It survives
restarts, and /status shows it. For when the message bus says what cannot be right.

${byHandHelp}`,
  run(args, io) {
    const { values, positionals } = readArguments(args, byHandOptions, true);
    exactly(positionals);
    return byHand('freeze', {}, values, io, '/freeze');
  },
};
