/** A STOMP server on plain sockets that does what a test tells it, also what no real message bus would. */
import { once } from 'node:events';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { FrameParser } from '../../src/stomp/frame.ts';
import { headersOf } from '../../src/stomp/frame-text.ts';

export interface SeenFrame {
  readonly command: string;
  readonly headers: ReadonlyMap<string, string>;
}

export interface FakeConnection {
  readonly socket: Socket;
  /** What the client sent, in order. */
  readonly frames: SeenFrame[];
  /** Bytes as they are. */
  write(bytes: string | Buffer): void;
  /** A MESSAGE; further headers as raw lines. */
  message(id: string, body: string | Buffer, lines?: readonly string[]): void;
}

export interface FakeBus {
  readonly port: number;
  /** Every connection so far, in order. */
  readonly connections: FakeConnection[];
  stop(): Promise<void>;
}

export interface FakeBusScript {
  /** Before anything was read. */
  onConnection?: (connection: FakeConnection, index: number) => void;
  /** True when the frame was dealt with; else the bus behaves: CONNECTED, RECEIPTs. */
  onFrame?: (frame: SeenFrame, connection: FakeConnection, index: number) => boolean;
  /** Of CONNECTED. Default `0,0`. */
  readonly heartBeat?: string;
  /** With `ca`, clients are asked for a certificate; none is refused, tests look at what came. */
  /** Default: any free port on 127.0.0.1. */
  readonly at?: { readonly host: string; readonly port: number };
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

export async function startFakeBus(script: FakeBusScript = {}): Promise<FakeBus> {
  const connections: FakeConnection[] = [];

  function behave(frame: SeenFrame, connection: FakeConnection): void {
    const receipt = frame.headers.get('receipt');
    if (frame.command === 'CONNECT')
      connection.write(`CONNECTED\nversion:1.2\nheart-beat:${script.heartBeat ?? '0,0'}\n\n\0`);
    else if (receipt !== undefined) connection.write(`RECEIPT\nreceipt-id:${receipt}\n\n\0\n`);
  }

  function accept(socket: Socket): void {
    const parser = new FrameParser({
      maxLineBytes: 65_536,
      maxHeaders: 100,
      maxBodyBytes: 10_000_000,
      excess: 'refuse',
    });
    const connection: FakeConnection = {
      socket,
      frames: [],
      write: (bytes) => void socket.write(bytes),
      message(id, body, lines = []) {
        const head = ['MESSAGE', `message-id:${id}`, `ack:ack-${id}`, 'subscription:headgear', ...lines];
        socket.write(
          Buffer.concat([
            Buffer.from(`${head.join('\n')}\ncontent-length:${Buffer.byteLength(body)}\n\n`),
            Buffer.from(body),
            Buffer.from('\0\n'),
          ]),
        );
      },
    };
    const index = connections.push(connection) - 1;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const raw of parser.feed(chunk).frames) {
        const decoded = headersOf(raw, '1.2');
        if (!decoded.ok) throw new Error(decoded.fault.reason);
        const frame = { command: raw.command, headers: decoded.headers };
        connection.frames.push(frame);
        if (script.onFrame?.(frame, connection, index) !== true) behave(frame, connection);
      }
    });
    script.onConnection?.(connection, index);
  }

  const server =
    script.tls === undefined
      ? createTcpServer(accept)
      : createTlsServer(
          { ...script.tls, requestCert: script.tls.ca !== undefined, rejectUnauthorized: false },
          accept,
        );
  server.listen(script.at?.port ?? 0, script.at?.host ?? '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    connections,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}
