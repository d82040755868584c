/** `headgear publish`: sends routing events, one file each, to the intake or the message bus. */
import { readFile, stat } from 'node:fs/promises';
import { publishBodies } from '../stomp/publish.ts';
import { type Command, EXIT, type Io, readArguments, UsageError } from './command.ts';
import { explain } from './explain.ts';

/** The part of `publishBodies` that the command uses. */
export type PublishOne = (options: {
  readonly host: string;
  readonly port: number;
  readonly login?: string | undefined;
  readonly passcode?: string | undefined;
  readonly destination: string;
  readonly bodies: Iterable<Buffer>;
  readonly persistent: true;
}) => Promise<{ readonly sent: number }>;

const MAX_BODY_BYTES = 16_777_216;

export const publish: Command = {
  name: 'publish',
  help: `Usage: headgear publish FILE... [--to HOST:PORT] [--destination NAME] [--login NAME]

Sends each file as one routing event, in the order given, each confirmed by RECEIPT before the next. "-" is standard input.
Stops at the first that is not confirmed.

  --to HOST:PORT       STOMP server: Headgear's intake or ActiveMQ (default 127.0.0.1:61613)
  --destination NAME   default /queue/routinginfo
  --login NAME         or HEADGEAR_LOGIN

The passcode comes from HEADGEAR_PASSCODE: on a command line everybody on this machine could read it.`,
  run: (args, io) => publishFiles(args, io, publishBodies),
};

/** The command with its sender handed in. */
export async function publishFiles(args: readonly string[], io: Io, send: PublishOne): Promise<number> {
  const { values, positionals } = readArguments(
    args,
    {
      to: { type: 'string', default: '127.0.0.1:61613' },
      destination: { type: 'string', default: '/queue/routinginfo' },
      login: { type: 'string' },
      passcode: { type: 'string' },
    },
    true,
  );
  if (values.passcode !== undefined)
    throw new UsageError('give the passcode by the variable HEADGEAR_PASSCODE');
  if (positionals.length === 0) throw new UsageError('name at least one file, or - for standard input');
  if (positionals.filter((file) => file === '-').length > 1)
    throw new UsageError('standard input (-) can be read once');
  const server = hostAndPort(values.to);
  const bodies = await readAll(positionals, io);
  if (bodies === null) return EXIT.failed;

  for (const [n, { file, body }] of bodies.entries()) {
    try {
      await send({
        ...server,
        login: values.login ?? io.env.HEADGEAR_LOGIN,
        passcode: io.env.HEADGEAR_PASSCODE,
        destination: values.destination,
        bodies: [body],
        persistent: true,
      });
    } catch (error) {
      io.err(`${file}: not confirmed: ${explain(error)}`);
      const left = bodies.length - n - 1;
      if (left > 0) io.err(`headgear publish: ${left} not sent`);
      return EXIT.failed;
    }
    io.out(`${file}: confirmed (${body.length} bytes)`);
  }
  return EXIT.ok;
}

/** All bodies before the first is sent: a mistyped name must not leave half of a sequence of events behind. */
async function readAll(
  files: readonly string[],
  io: Io,
): Promise<readonly { readonly file: string; readonly body: Buffer }[] | null> {
  const bodies: { readonly file: string; readonly body: Buffer }[] = [];
  let failed = false;
  for (const file of files) {
    try {
      const body = file === '-' ? await readStdin(io) : await readBody(file);
      if (body.length === 0) throw new Error('is empty');
      bodies.push({ file: file === '-' ? 'standard input' : file, body });
    } catch (error) {
      failed = true;
      io.err(`${file}: ${explain(error)}`);
    }
  }
  if (failed) io.err('headgear publish: nothing was sent');
  return failed ? null : bodies;
}

async function readBody(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size > MAX_BODY_BYTES)
    throw new Error(`is larger than ${MAX_BODY_BYTES} bytes: that is no routing event`);
  return readFile(file);
}

async function readStdin(io: Io): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of io.stdin()) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES)
      throw new Error(`is larger than ${MAX_BODY_BYTES} bytes: that is no routing event`);
  }
  return Buffer.concat(pieces, bytes);
}

/** `host:port`, `[::1]:port`. */
function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new UsageError(`--to wants HOST:PORT, such as 127.0.0.1:61613, not ${JSON.stringify(text)}`);
  }
  return { host, port };
}
