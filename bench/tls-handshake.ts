/**
 * Full TLS 1.3 handshakes: our way (ClientHello read first, one of 500 names' own context, or of BENCH_NAMES) against a plain tls.createServer with one
 * certificate and the same settings. Both servers are loaded at the same time on one processor, each by a client of its own on another:
 * what slows the machine for a while slows both. (Loaded one after the other, five runs of the same code gave ratios from 1.00 to 1.32.)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { onCpu } from './cpu.ts';
import { spreadOf } from './rounds.ts';
import { NAMES, nameOf } from './tls-handshake-names.ts';

const CLIENT = 'tls-handshake-client';
const SLICES = 40;
const HANDSHAKES_A_SLICE = 150;
/** Makes the contexts, and has the compiler done with. */
const WARM_UP = 3 * Math.max(NAMES, 500);
const IN_FLIGHT = 8;

interface Job {
  readonly port: number;
  readonly handshakes: number;
}

interface Side {
  readonly server: ChildProcess;
  readonly client: ChildProcess;
  readonly port: number;
}

/** Prints CPU a handshake and its ratio, for an ECDSA P-256 and an RSA-2048 certificate. */
export async function run(): Promise<void> {
  for (const kind of ['ec-prime256v1', 'rsa']) await compare(kind);
}

async function compare(kind: string): Promise<void> {
  const sides: Side[] = [];
  try {
    for (const which of ['ours', 'plain']) sides.push(await start(which, kind));
    const slice = (handshakes: number): Promise<number[]> =>
      Promise.all(sides.map((side) => measure(side, handshakes)));
    await slice(WARM_UP);
    const slices: number[][] = [];
    for (let n = 0; n < SLICES; n += 1) slices.push(await slice(HANDSHAKES_A_SLICE));
    const [ours = [], plain = []] = [0, 1].map((side) => slices.map((slice) => slice[side] ?? 0));
    const { ratio, error } = ratioOf(ours, plain);
    console.log(
      `tls handshake ${kind}: ours ${middle(ours)} us CPU, plain tls.createServer ${middle(plain)} us CPU, ` +
        `ratio ${ratio.toFixed(3)} (standard error ${error.toFixed(3)}, ${SLICES} slices of ${HANDSHAKES_A_SLICE})`,
    );
  } finally {
    for (const { server, client } of sides) for (const child of [server, client]) child.kill();
  }
}

function middle(values: readonly number[]): string {
  return (spreadOf(values)?.median ?? 0).toFixed(0);
}

/** Of the sums, since a slice may or may not have a collection of garbage in it; the error by the slices' distance from it. */
function ratioOf(ours: readonly number[], plain: readonly number[]): { ratio: number; error: number } {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const ratio = sum(ours) / sum(plain);
  const squares = sum(ours.map((value, n) => (value - ratio * (plain[n] ?? 0)) ** 2));
  const count = ours.length;
  return { ratio, error: (Math.sqrt(squares / (count - 1)) * Math.sqrt(count)) / sum(plain) };
}

async function start(which: string, kind: string): Promise<Side> {
  const program = fileURLToPath(new URL('./tls-handshake-server.js', import.meta.url));
  const server = child('proxy', [program, which, kind]);
  const [port] = (await once(server, 'message')) as [number];
  const client = child('rest', [fileURLToPath(import.meta.url), CLIENT]);
  await once(client, 'message');
  return { server, client, port };
}

function child(where: 'proxy' | 'rest', args: readonly string[]): ChildProcess {
  const line = onCpu(where, process.execPath, args);
  return spawn(line.command, line.args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** The server's CPU a handshake, in microseconds. */
async function measure({ server, client, port }: Side, handshakes: number): Promise<number> {
  const before = await cpuOf(server);
  client.send({ port, handshakes } satisfies Job);
  await once(client, 'message');
  return ((await cpuOf(server)) - before) / handshakes;
}

async function cpuOf(server: ChildProcess): Promise<number> {
  server.send('cpu');
  const [microseconds] = (await once(server, 'message')) as [number];
  return microseconds;
}

/** Goes on from slice to slice, so that all names come to be asked for. */
let next = 0;

async function runClient({ port, handshakes }: Job): Promise<void> {
  const secureContext = tls.createSecureContext({ ca: [] });
  const end = next + handshakes;
  const worker = async (): Promise<void> => {
    while (next < end) {
      const servername = nameOf(next++);
      const socket = tls.connect({
        host: '127.0.0.1',
        port,
        servername,
        secureContext,
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: false,
      });
      await once(socket, 'data');
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

if (process.argv[2] === CLIENT) {
  process.on('message', (job: Job) => {
    runClient(job).then(
      () => process.send?.('done'),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}
