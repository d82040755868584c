/** The process that holds idle connections. Takes an `IdleJob`, answers 'opened' once every connection has had its answers. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ORIGIN_BODY } from './origin-bodies.ts';

export interface IdleJob {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  readonly host: string;
  readonly connections: number;
  /** Each asks so often before it is idle. */
  readonly requests: number;
  /** Else all are closed again. */
  readonly keep: boolean;
}

const AT_A_TIME = 32;

async function open({ scheme, port, host, requests }: IdleJob): Promise<Socket> {
  const socket =
    scheme === 'http'
      ? connect(port, '127.0.0.1')
      : connectTls({ host: '127.0.0.1', port, servername: host, rejectUnauthorized: false });
  let left = requests;
  let waiting = '';
  await new Promise<void>((resolve, reject) => {
    const ask = (): void =>
      void socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: headgear-bench\r\n\r\n`);
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk: Buffer) => {
      waiting += chunk.toString('latin1');
      const end = waiting.indexOf('\r\n\r\n');
      if (end < 0 || waiting.length < end + 4 + ORIGIN_BODY.length) return;
      waiting = '';
      left -= 1;
      if (left > 0) ask();
      else resolve();
    });
    ask();
  });
  return socket;
}

async function run(job: IdleJob): Promise<void> {
  const opened: Socket[] = [];
  const opener = async (): Promise<void> => {
    while (opened.length < job.connections) {
      // The place is taken before waiting, so that no opener goes beyond the number.
      const place = opened.length;
      opened.length += 1;
      opened[place] = await open(job);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, job.connections) }, opener));
  if (opened.some((socket) => socket.destroyed)) throw new Error('some were closed');
  if (!job.keep) for (const socket of opened) socket.destroy();
}

process.on('message', (job: IdleJob) => {
  run(job).then(
    () => process.send?.('opened'),
    (error: unknown) => process.send?.(String(error)),
  );
});
process.on('disconnect', () => process.exit());
