/** A process that makes TLS connections for a bench, each with one small request, so that a server's CPU is its own alone. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';

const CLIENT = 'handshake-client';
const IN_FLIGHT = 8;

interface Job {
  readonly port: number;
  readonly names: readonly string[];
  readonly connections: number;
  /** Resume the session that a former connection to the same port and name got. */
  readonly resume: boolean;
}

interface Done {
  readonly failed: number;
  readonly resumed: number;
}

export interface HandshakeClient {
  run(job: Job): Promise<Done>;
  stop(): void;
}

export async function startHandshakeClient(): Promise<HandshakeClient> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [CLIENT]);
  await once(child, 'message');
  return {
    async run(job) {
      child.send(job);
      const [done] = (await once(child, 'message')) as [Done];
      return done;
    },
    stop: () => void child.kill(),
  };
}

const secureContext = tls.createSecureContext({ ca: [] });
const sessions = new Map<string, Buffer>();

async function run({ port, names, connections, resume }: Job): Promise<Done> {
  let next = 0;
  const done = { failed: 0, resumed: 0 };
  const worker = async (): Promise<void> => {
    while (next < connections) {
      const name = names[next++ % names.length] ?? '';
      const key = `${port} ${name}`;
      const session = resume ? sessions.get(key) : undefined;
      const reused = await visit(port, name, session, (ticket) => sessions.set(key, ticket));
      if (reused === null) done.failed += 1;
      else if (reused) done.resumed += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return done;
}

/** Whether the session was resumed; null where there was no connection. */
function visit(
  port: number,
  servername: string,
  session: Buffer | undefined,
  onSession: (ticket: Buffer) => void,
): Promise<boolean | null> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port, servername, secureContext, rejectUnauthorized: false },
      ...(session === undefined ? {} : { session }),
    });
    let answered = false;
    let reused = false;
    socket.on('session', onSession);
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused();
      socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', () => {
      answered = true;
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(answered ? reused : null));
  });
}

if (process.argv[2] === CLIENT) {
  process.on('message', (job: Job) => void run(job).then((done) => process.send?.(done)));
  process.send?.('ready');
}
