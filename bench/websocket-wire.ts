/** The client's side of a WebSocket (RFC 6455) as bytes: enough for one text message at a time, as cheap as can be. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Bytes of a message's payload; below 126, so that its length is one byte. */
export const MESSAGE_BYTES = 64;
const SERVER_FRAME_BYTES = 2 + MESSAGE_BYTES;
const PAYLOAD = Buffer.alloc(MESSAGE_BYTES, 'hat ');
const MASK = Buffer.from([0x5a, 0x13, 0xc4, 0x77]);

/** One masked text frame (section 5.2). */
const CLIENT_FRAME = Buffer.concat([
  Buffer.from([0x81, 0x80 | MESSAGE_BYTES]),
  MASK,
  PAYLOAD.map((byte, at) => byte ^ (MASK[at % MASK.length] ?? 0)),
]);
/** The same from the server, which never masks. */
const SERVER_FRAME = Buffer.concat([Buffer.from([0x81, MESSAGE_BYTES]), PAYLOAD]);

export interface WebSocketOptions {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  readonly host: string;
  readonly path: string;
  /** Each echo that came back whole and right. */
  onEcho(): void;
}

export interface EchoClient {
  send(): void;
  end(): void;
  /** Settles when the connection is over, with what went wrong unless `end` was called. */
  readonly over: Promise<string | null>;
}

/** Resolves once the server switched protocols; rejects when it does not. */
export function openWebSocket(options: WebSocketOptions): Promise<EchoClient> {
  const { scheme, port, host, path, onEcho } = options;
  const socket: Socket =
    scheme === 'http'
      ? connect({ host: '127.0.0.1', port })
      : // The checks before have looked at the certificate.
        connectTls({ host: '127.0.0.1', port, servername: host, rejectUnauthorized: false });
  socket.setNoDelay(true);
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: headgear-bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: SGVhZGdlYXJCZW5jaC0tLQ==\r\n\r\n',
  );
  return new Promise((resolve, reject) => {
    let ended = false;
    let waiting: Buffer = Buffer.alloc(0);
    let opened = false;
    let wrong: string | null = null;
    const over = new Promise<string | null>((settle) => {
      socket.once('close', () => {
        const reason = ended ? null : (wrong ?? 'the connection was closed');
        settle(reason);
        reject(new Error(reason ?? 'ended'));
      });
    });
    const client: EchoClient = {
      send: () => void socket.write(CLIENT_FRAME),
      end: () => {
        ended = true;
        socket.destroy();
      },
      over,
    };
    const fail = (reason: string): void => {
      wrong = reason;
      socket.destroy();
    };
    socket.on('error', (error) => {
      wrong ??= error.message;
    });
    socket.on('data', (chunk: Buffer) => {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      if (!opened) {
        const end = waiting.indexOf('\r\n\r\n');
        if (end < 0) return;
        const [line = ''] = waiting.toString('latin1', 0, end).split('\r\n');
        if (!line.startsWith('HTTP/1.1 101 ')) return fail(`the server said: ${line}`);
        waiting = waiting.subarray(end + 4);
        opened = true;
        resolve(client);
      }
      while (waiting.length >= SERVER_FRAME_BYTES) {
        if (waiting.compare(SERVER_FRAME, 0, SERVER_FRAME_BYTES, 0, SERVER_FRAME_BYTES) !== 0)
          return fail('an echo that is not what was sent');
        waiting = waiting.subarray(SERVER_FRAME_BYTES);
        onEcho();
      }
    });
  });
}
