/** Two ends of one connection, for tests of what writes to sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { issueCertificate, makeDevelopmentCa } from '../../src/pem/development.ts';
import type { TurnWriter } from '../../src/upstream/turn-writer.ts';
import { eventually } from './eventually.ts';

const NAME = 'shop.example.test';
let ca: ReturnType<typeof makeDevelopmentCa> | undefined;

export interface SocketPair {
  readonly socket: Socket;
  /** The other end, which reads nothing yet. */
  readonly peer: Socket;
  close(): void;
}

/** The listener's end is the peer. */
export async function socketPair({ allowHalfOpen = true } = {}): Promise<SocketPair> {
  const listener = net.createServer({ allowHalfOpen, pauseOnConnect: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen });
  const [peer] = (await once(listener, 'connection')) as [Socket];
  for (const end of [socket, peer]) end.on('error', () => {});
  await eventually(() => !socket.connecting, 'the socket is open');
  return {
    socket,
    peer,
    close() {
      socket.destroy();
      peer.destroy();
      listener.close();
    },
  };
}

export interface TlsPair {
  readonly client: TLSSocket;
  readonly server: TLSSocket;
  /** The client's TCP socket below, and the server's. */
  readonly clientBelow: Socket;
  readonly serverBelow: Socket;
  close(): void;
}

/** The same under TLS, both ends of ours and through their handshake. */
export async function tlsSocketPair({ allowHalfOpen = true } = {}): Promise<TlsPair> {
  const { socket: clientBelow, peer: serverBelow, close } = await socketPair({ allowHalfOpen });
  ca ??= makeDevelopmentCa();
  const { chainPem, privateKeyPem } = issueCertificate({ ca, names: [NAME] });
  const secureContext = tls.createSecureContext({ cert: chainPem, key: privateKeyPem });
  const server = new tls.TLSSocket(serverBelow, { isServer: true, secureContext });
  const client = tls.connect({ socket: clientBelow, servername: NAME, ca: ca.certificatePem });
  for (const end of [client, server]) end.on('error', () => {});
  await Promise.all([once(client, 'secureConnect'), once(server, 'secure')]);
  return {
    ...{ client, server, clientBelow, serverBelow },
    close() {
      client.destroy();
      server.destroy();
      close();
    },
  };
}

/** Everything that comes until the end, or until `bytes`, as latin1. */
export async function received(peer: Socket, bytes = Number.POSITIVE_INFINITY): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  peer.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
  });
  peer.resume();
  await eventually(() => peer.readableEnded || length >= bytes, 'all was received', 20_000);
  return Buffer.concat(chunks).toString('latin1');
}

/** Writes pieces of all sizes, alone and several in a turn, ends, and finds that all of them come in that order behind `before`. */
export async function assertOrder(
  writer: TurnWriter,
  peer: Socket,
  before: string,
  turnsAfter: (round: number) => number,
): Promise<void> {
  let expected = before;
  for (let round = 0; round < 300; round++) {
    const sizes = [1, 40, 17_000, 70_000].slice(round % 4).concat(round % 3 === 0 ? [5] : []);
    // What one read after the other brings of a large body.
    if (round % 10 === 0) sizes.push(...Array<number>(round % 60 === 0 ? 9 : 3).fill(16_384));
    for (const [index, size] of sizes.entries()) {
      const text = String.fromCharCode(0x61 + ((round + index) % 26)).repeat(size);
      expected += text;
      if ((round + index) % 5 === 0) writer.writeText(text);
      else writer.writeParts([text.slice(0, 1), Buffer.from(text.slice(1))]);
    }
    for (let turns = turnsAfter(round); turns > 0; turns--) await new Promise(setImmediate);
  }
  writer.end();
  const text = await received(peer);
  assert.equal(text.length, expected.length);
  assert.ok(text === expected);
}
