/** A real ActiveMQ on a loopback port, with its journal in a folder of its own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activemqXml, LOG4J_PROPERTIES } from './activemq-config.ts';
import { type BusTls, writeKeyStores } from './activemq-tls.ts';
import { type Child, startChild } from './child.ts';
import { ACTIVEMQ_JAR, requirePart } from './parts.ts';
import { freePort } from './ports.ts';

export interface ActiveMq {
  readonly port: number;
  /** Over TLS, from clients with a certificate alone; 0 unless asked for. */
  readonly tlsPort: number;
  /** Its console so far. */
  output(): string;
  /** Ends it as a crash would; resolves when the process has gone. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and journal; resolves when STOMP answers. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT: a machine that hangs. The kernel goes on taking connections for it. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;

/** True when a CONNECT on the port is answered. */
function stompAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('end', () => finish(false));
    socket.on('connect', () => socket.write('CONNECT\naccept-version:1.2\nhost:localhost\n\n\0'));
    socket.on('data', (chunk) => finish(chunk.toString('latin1').startsWith('CONNECTED')));
  });
}

function command(
  base: string,
  ports: { readonly port: number; readonly tlsPort: number },
  heapMiB: number,
): string[] {
  const opens = ['lang', 'util', 'net'].flatMap((name) => [
    '--add-opens',
    `java.base/java.${name}=ALL-UNNAMED`,
  ]);
  return [
    '-Xms64m',
    `-Xmx${heapMiB}m`,
    `-Djava.io.tmpdir=${join(base, 'tmp')}`,
    `-Dstomp.port=${ports.port}`,
    `-Dstomp.tls.port=${ports.tlsPort}`,
    `-Dlog4j.configuration=file:${join(base, 'conf', 'log4j.properties')}`,
    '-Djava.security.egd=file:/dev/urandom',
    ...opens,
    `-Dactivemq.classpath=${join(base, 'conf')}`,
    '-Dactivemq.home=/usr/share/activemq',
    `-Dactivemq.base=${base}`,
    `-Dactivemq.conf=${join(base, 'conf')}`,
    `-Dactivemq.data=${join(base, 'data')}`,
    '-jar',
    ACTIVEMQ_JAR,
    'start',
    `xbean:file:${join(base, 'conf', 'activemq.xml')}`,
  ];
}

/**
 * Starts ActiveMQ; resolves when STOMP answers. Ask `skipWithout('activemq')` first, for `tls` also for openssl.
 * @param tls its own certificate and the CA that certificates of clients have to be under.
 * @param heapMiB its copies of one message have to fit in, several at a time.
 */
export async function startActiveMq(tls?: BusTls, heapMiB = 384): Promise<ActiveMq> {
  const java = requirePart('activemq');
  const base = mkdtempSync(join(tmpdir(), 'headgear-activemq-'));
  for (const folder of ['conf', 'data', 'tmp']) mkdirSync(join(base, folder));
  writeFileSync(join(base, 'conf', 'activemq.xml'), activemqXml(tls !== undefined));
  if (tls !== undefined) writeKeyStores(join(base, 'conf'), tls, java);
  writeFileSync(join(base, 'conf', 'log4j.properties'), LOG4J_PROPERTIES);
  const port = await freePort();
  const tlsPort = tls === undefined ? 0 : await freePort();
  let child: Child | null = null;
  /** Of former processes. */
  let formerOutput = '';
  const output = () => formerOutput + (child === null ? '' : child.stdout() + child.stderr());

  async function end(signal: NodeJS.Signals): Promise<void> {
    await child?.end(signal);
    formerOutput = output();
    child = null;
  }

  async function start(): Promise<void> {
    const started = await startChild(java, command(base, { port, tlsPort }, heapMiB), { cwd: base });
    child = started;
    const giveUpAt = Date.now() + START_TIMEOUT_MS;
    while (!(await stompAnswers(port))) {
      if (!started.running || Date.now() > giveUpAt) {
        await end('SIGKILL');
        throw new Error(`ActiveMQ did not start:\n${output()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  function signal(name: NodeJS.Signals): void {
    if (child?.running) process.kill(child.pid, name);
  }

  await start();
  return {
    port,
    tlsPort,
    output,
    kill9: () => end('SIGKILL'),
    restart: start,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async stop() {
      await end('SIGKILL');
      rmSync(base, { recursive: true, force: true });
    },
  };
}
