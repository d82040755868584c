/** `headgear members`: endpoints by hand, as `oo-admin-ctl-routing` has them, and held where they are. */
import { byHand, byHandHelp, byHandOptions, exactly, shownApp } from './by-hand.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { plain } from './event-line.ts';

export const members: Command = {
  name: 'members',
  help: `Usage: headgear members list NAMESPACE/APP
       headgear members add|delete|pin|unpin NAMESPACE/APP ADDRESS:PORT

"add" and "delete" do what an event would do, and later events may undo it. "pin" holds an endpoint (and adds it where it is
not there) whatever events say, restarts included, until "unpin"; then it is what events say by then.

  --gear ID          the endpoint's gear, of add and pin
  --type NAME        of add and pin (default load_balancer)
  --protocol NAME    of add and pin, may come several times (default http, ws)
${byHandHelp}`,
  async run(args, io) {
    const options = {
      ...byHandOptions,
      gear: { type: 'string' },
      type: { type: 'string', default: 'load_balancer' },
      protocol: { type: 'string', multiple: true },
    } as const;
    const { values, positionals } = readArguments(args, options, true);
    const [verb = 'list', ...rest] = positionals;
    switch (verb) {
      case 'list': {
        const [app = ''] = exactly(rest, 'NAMESPACE/APP');
        const shown = await shownApp('members', app, values, io);
        if (shown === null) return EXIT.failed;
        for (const { address, port, gearId, types, transport, pin } of shown.endpoints) {
          const marks = [transport ?? 'not routed', ...(pin === undefined ? [] : ['pinned'])].map(plain);
          io.out(
            `${endpointText(address, port)} ${types.map(plain).join(',')} gear ${plain(gearId)} (${marks.join(', ')})`,
          );
        }
        return EXIT.ok;
      }
      case 'add':
      case 'delete':
      case 'pin':
      case 'unpin': {
        const [app, at = ''] = exactly(rest, 'NAMESPACE/APP', 'ADDRESS:PORT');
        const { gear, type, protocol } = values;
        const facts =
          verb === 'add' || verb === 'pin' ? { types: [type], protocols: protocol ?? ['http', 'ws'] } : {};
        return byHand(
          'members',
          { verb: `${verb}-member`, app, gear, ...facts, ...endpointOf(at) },
          values,
          io,
        );
      }
      default:
        throw new UsageError(`list, add, delete, pin or unpin, not ${JSON.stringify(verb)}`);
    }
  },
};

/** `10.1.2.3:35531`, `[2001:db8::1]:35531`. */
function endpointOf(text: string): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  if (address === undefined) {
    throw new UsageError(`an endpoint is ADDRESS:PORT, such as 10.1.2.3:35531, not ${JSON.stringify(text)}`);
  }
  return { address, port: Number(match?.[3]) };
}

function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${plain(address)}]:${Number(port)}` : `${plain(address)}:${Number(port)}`;
}
