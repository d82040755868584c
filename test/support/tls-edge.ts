/** An edge as far as TLS goes, with a book of certificates of its own, and clients that visit it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { type CertificateBook, createCertificateBook } from '../../src/certificates/certificate-book.ts';
import type { PlatformCertificate } from '../../src/certificates/load-platform.ts';
import type { TicketSecret } from '../../src/certificates/ticket-keys.ts';
import { configSchema } from '../../src/config/schema.ts';
import { acceptTls, type SecureFacts, type TlsAcceptOptions } from '../../src/edge/tls-accept.ts';
import { platformCertificate, publishedCertificate, testCa } from './certificates.ts';
import { type MemoryMetrics, memoryLog, memoryMetrics } from './memory-telemetry.ts';
import { requirePart } from './parts.ts';

export interface TlsEdge {
  readonly port: number;
  readonly book: CertificateBook;
  readonly metrics: MemoryMetrics;
  /** What onSecure and onFailure were told, in order. */
  readonly secured: SecureFacts[];
  readonly failures: string[];
  readonly open: Set<net.Socket>;
}

export const servers = new Set<net.Server>();
export const sockets = new Set<net.Socket>();

/** For `afterEach`: ends every edge, relay and connection that a test has started, or put into these sets. */
export function closeTlsEdges(): void {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  servers.clear();
  sockets.clear();
}

/** A TLS edge that greets with the number of bytes it got, as text, whenever a line is complete. */
export async function startTlsEdge(
  options: Partial<TlsAcceptOptions> & {
    tls?: object;
    platform?: readonly PlatformCertificate[];
    isServed?: (host: string) => boolean;
    ticketSecrets?: readonly TicketSecret[];
    allowHalfOpen?: boolean;
  } = {},
): Promise<TlsEdge> {
  const config = configSchema.parse({
    cloudDomain: 'example.test',
    listeners: {},
    tls: options.tls ?? {},
  }).tls;
  const metrics = memoryMetrics();
  const book = createCertificateBook({
    config,
    platform: options.platform ?? [platformCertificate(publishedCertificate(['*.apps.example.test']))],
    ...(options.isServed === undefined ? {} : { isServed: options.isServed }),
    ...(options.ticketSecrets === undefined ? {} : { ticketSecrets: options.ticketSecrets }),
    log: memoryLog(),
    metrics,
  });
  const secured: SecureFacts[] = [];
  const failures: string[] = [];
  const open = new Set<net.Socket>();
  const server = net.createServer(
    { allowHalfOpen: options.allowHalfOpen ?? true, noDelay: true },
    (socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      acceptTls(
        socket,
        { contextFor: book.contextFor, handshakeTimeoutMs: 5_000, ...options },
        (tlsSocket, facts) => {
          secured.push(facts);
          tlsSocket.on('error', (error: Error & { code?: string }) => failures.push(`after: ${error.code}`));
          tlsSocket.on('data', (chunk: Buffer) => {
            if (chunk.includes('\n')) tlsSocket.write(`hello ${facts.serverName}\n`);
          });
          tlsSocket.on('end', () => tlsSocket.end());
        },
        (code) => failures.push(code),
      );
    },
  );
  servers.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as net.AddressInfo).port, book, metrics, secured, failures, open };
}

export interface Visit {
  readonly names: string;
  readonly fingerprint: string;
  readonly alpn: string | false | null;
  readonly version: string | null;
  readonly reused: boolean;
  readonly session: Buffer | undefined;
  readonly answer: string;
}

/** One connection of a client that trusts the test CA: handshake, a line, its answer, close. */
export async function visit(edge: TlsEdge, options: tls.ConnectionOptions = {}): Promise<Visit> {
  const client = tls.connect({
    host: '127.0.0.1',
    port: edge.port,
    ca: testCa().certificatePem,
    checkServerIdentity: () => undefined,
    ...options,
  });
  sockets.add(client);
  let session: Buffer | undefined;
  client.on('session', (ticket) => {
    session = ticket;
  });
  await once(client, 'secureConnect');
  client.write('ping\n');
  const [answer] = (await once(client, 'data')) as [Buffer];
  const peer = client.getPeerCertificate();
  const result = {
    names: peer.subjectaltname ?? '',
    fingerprint: (peer.fingerprint256 ?? '').replaceAll(':', '').toLowerCase(),
    alpn: client.alpnProtocol,
    version: client.getProtocol(),
    reused: client.isSessionReused(),
    session: session ?? client.getSession(),
    answer: String(answer),
  };
  client.end();
  await once(client, 'close');
  return result;
}

/** Runs `openssl s_client` to the end of one handshake and resolves with everything it printed. */
export async function sClient(edge: TlsEdge, ...args: string[]): Promise<string> {
  const child = spawn(requirePart('openssl'), ['s_client', '-connect', `127.0.0.1:${edge.port}`, ...args]);
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += String(chunk);
    // The edge answers the line only when TLS works both ways; TLS 1.3 tickets have come by then.
    if (printed.includes('\nhello ')) child.stdin.end();
  });
  child.stderr.on('data', (chunk) => {
    printed += String(chunk);
  });
  child.stdin.on('error', () => {});
  child.stdin.write('ping\n');
  await once(child, 'close');
  return printed;
}
