/** The two servers that tls-handshake.ts compares, each in a process of its own: it says its port, and its CPU in microseconds when asked. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { createCertificateBook } from '../src/certificates/certificate-book.ts';
import { DEFAULT_CIPHERS, SECURE_OPTIONS } from '../src/certificates/tls-settings.ts';
import { configSchema } from '../src/config/schema.ts';
import { acceptTls } from '../src/edge/tls-accept.ts';
import { judgeCertificate } from '../src/pem/judge.ts';
import type { ClearPublishedCertificate } from '../src/table/routing-table.ts';
import { pemFixture } from '../test/support/certificates.ts';
import { memoryLog, memoryMetrics } from '../test/support/memory-telemetry.ts';
import { NAMES, nameOf } from './tls-handshake-names.ts';

const [, , which = '', kind = ''] = process.argv;
const certificate = load(kind);
const server = which === 'ours' ? oursWith(certificate) : plainWith(certificate);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.on('disconnect', () => process.exit());
process.send?.((server.address() as net.AddressInfo).port);

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

/** One of many names' own context, chosen by the hello; its own ticket keys. */
function oursWith(certificate: ClearPublishedCertificate): net.Server {
  const config = configSchema.parse({ cloudDomain: 'example.test', listeners: {} }).tls;
  const book = createCertificateBook({ config, platform: [], log: memoryLog(), metrics: memoryMetrics() });
  book.apply(Array.from({ length: NAMES }, (_, n) => [nameOf(n), certificate] as const));
  const options = { contextFor: book.contextFor, handshakeTimeoutMs: 10_000 };
  return net.createServer({ noDelay: true }, (socket) => {
    acceptTls(socket, options, answer, (code) => console.log(code));
  });
}

/** One context for all, with the same settings: versions, ciphers, ALPN, tickets (under keys of Node's own). */
function plainWith({ chainPem, keyPem }: ClearPublishedCertificate): net.Server {
  return tls.createServer(
    {
      cert: chainPem,
      key: keyPem,
      ca: [],
      ciphers: DEFAULT_CIPHERS,
      secureOptions: SECURE_OPTIONS,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    },
    answer,
  );
}

/** The client waits for a byte, so that no server gets away with half a handshake. */
function answer(socket: tls.TLSSocket): void {
  socket.on('error', () => {});
  socket.end('.');
  socket.resume();
}
