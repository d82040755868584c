/**
 * Full TLS 1.3 handshakes: our way (ClientHello read first, one of 1,000 names' own context) against a plain tls.createServer with one
 * certificate and the same settings. Same run, interleaved rounds, clients in a process of their own so that CPU is the server's alone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createCertificateBook } from '../src/certificates/certificate-book.ts';
import { DEFAULT_CIPHERS, SECURE_OPTIONS } from '../src/certificates/tls-settings.ts';
import { configSchema } from '../src/config/schema.ts';
import { acceptTls } from '../src/edge/tls-accept.ts';
import { judgeCertificate } from '../src/pem/judge.ts';
import type { ClearPublishedCertificate } from '../src/table/routing-table.ts';
import { pemFixture } from '../test/support/certificates.ts';
import { memoryLog, memoryMetrics } from '../test/support/memory-telemetry.ts';

const CLIENT = 'tls-handshake-client';
const ROUNDS = 5;
const HANDSHAKES = 600;
const IN_FLIGHT = 8;
const NAMES = 1_000;

interface Job {
  readonly port: number;
  readonly handshakes: number;
}

interface Measured {
  readonly perSecond: number;
  readonly cpuUs: number;
}

/** Prints medians of five rounds and their ratio, for an ECDSA P-256 and an RSA-2048 certificate. */
export async function run(): Promise<void> {
  const clients = fork(fileURLToPath(import.meta.url), [CLIENT]);
  try {
    await once(clients, 'message');
    for (const kind of ['ec-prime256v1', 'rsa']) await compare(kind, clients);
  } finally {
    clients.kill();
  }
}

async function compare(kind: string, clients: ChildProcess): Promise<void> {
  const certificate = load(kind);
  const ours = await listen(oursWith(certificate));
  const plain = await listen(
    tls.createServer(
      {
        cert: certificate.chainPem,
        key: certificate.keyPem,
        ca: [],
        ciphers: DEFAULT_CIPHERS,
        secureOptions: SECURE_OPTIONS,
        ALPNProtocols: ['http/1.1'],
      },
      answer,
    ),
  );
  const rounds: { ours: Measured; plain: Measured }[] = [];
  // The first two rounds make contexts and warm the compiler up.
  for (let round = -2; round < ROUNDS; round += 1) {
    const pair = { ours: await measure(ours, clients), plain: await measure(plain, clients) };
    if (round >= 0) rounds.push(pair);
  }
  ours.close();
  plain.close();
  const oursCpu = median(rounds.map((round) => round.ours.cpuUs));
  const plainCpu = median(rounds.map((round) => round.plain.cpuUs));
  const oursRate = median(rounds.map((round) => round.ours.perSecond));
  const plainRate = median(rounds.map((round) => round.plain.perSecond));
  console.log(
    `tls handshake ${kind}: ours ${oursRate.toFixed(0)}/s ${oursCpu.toFixed(0)} us CPU, ` +
      `plain tls.createServer ${plainRate.toFixed(0)}/s ${plainCpu.toFixed(0)} us CPU, CPU ratio ${(oursCpu / plainCpu).toFixed(2)}`,
  );
}

function load(kind: string): ClearPublishedCertificate {
  const judged = judgeCertificate({
    certificatePem: pemFixture(`${kind}.crt`),
    privateKeyPem: pemFixture(`${kind}.key`),
    passPhrase: null,
    alias: null,
    now: Date.now(),
  });
  if (!judged.ok) throw new Error(judged.code);
  return { id: judged.facts.id, chainPem: judged.chainPem, keyPem: judged.keyPem };
}

function oursWith(certificate: ClearPublishedCertificate): net.Server {
  const config = configSchema.parse({ cloudDomain: 'example.test', listeners: {} }).tls;
  const book = createCertificateBook({ config, platform: [], log: memoryLog(), metrics: memoryMetrics() });
  book.apply(Array.from({ length: NAMES }, (_, n) => [nameOf(n), certificate] as const));
  const options = { contextFor: book.contextFor, handshakeTimeoutMs: 10_000 };
  return net.createServer({ noDelay: true }, (socket) => {
    acceptTls(socket, options, answer, (code) => console.log(code));
  });
}

/** The client waits for a byte, so that no server gets away with half a handshake. */
function answer(socket: tls.TLSSocket): void {
  socket.on('error', () => {});
  socket.end('.');
  socket.resume();
}

function nameOf(n: number): string {
  return `shop-${n % NAMES}.example.org`;
}

async function listen(server: net.Server): Promise<net.Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function measure(server: net.Server, clients: ChildProcess): Promise<Measured> {
  const { port } = server.address() as net.AddressInfo;
  const cpu = process.cpuUsage();
  const start = performance.now();
  clients.send({ port, handshakes: HANDSHAKES } satisfies Job);
  await once(clients, 'message');
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - start) / 1_000;
  return { perSecond: HANDSHAKES / seconds, cpuUs: (user + system) / HANDSHAKES };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function runClients({ port, handshakes }: Job): Promise<void> {
  const secureContext = tls.createSecureContext({ ca: [] });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < handshakes) {
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
    runClients(job).then(
      () => process.send?.('done'),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.send?.('ready');
}
