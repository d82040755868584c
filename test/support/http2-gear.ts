/** Gears that speak HTTP/2: a well-behaved one on node:http2, and one that sends exactly the frames that a test wants. */
import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import { answerTrailers } from '../../src/upstream/http2-trailers.ts';
import { FLAG, FRAME, type Frame, frame, settings } from './http2-frames.ts';

export interface Http2GearRequest {
  /** Flat, as received, pseudo-fields included. */
  readonly raw: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly session: ServerHttp2Session;
  body: Buffer;
  trailers: IncomingHttpHeaders;
  complete: boolean;
  /** Code of the stream's end. */
  rstCode: number | null;
}

export interface Http2Gear {
  readonly port: number;
  readonly requests: readonly Http2GearRequest[];
  /** Open now, and ever opened. */
  readonly openSessions: number;
  readonly acceptedSessions: number;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Server names of the TLS connections, in order. */
  readonly servernames: readonly (string | false)[];
  stop(): Promise<void>;
}

export interface Http2GearOptions {
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** TLS clients that do not offer h2 are served too. */
  readonly allowHttp1?: boolean;
  readonly settings?: Settings;
  /** Default: an echo of method, path and body with trailers `grpc-status: 0` and `x-end: yes`. */
  readonly handler?: (stream: ServerHttp2Stream, seen: Http2GearRequest) => void;
}

/** Starts one: h2c by prior knowledge, or h2 over TLS. */
export async function startHttp2Gear(options: Http2GearOptions = {}): Promise<Http2Gear> {
  const requests: Http2GearRequest[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const servernames: (string | false)[] = [];
  let accepted = 0;
  const more = options.settings === undefined ? {} : { settings: options.settings };
  const server = options.tls
    ? createSecureServer(
        { ...options.tls, ...more, allowHTTP1: options.allowHttp1 ?? false },
        (_request, response) => {
          if (response.stream === undefined) response.end('by HTTP/1.1');
        },
      )
    : createServer(more);
  server.on('sessionError', () => {});
  server.on('session', (session) => {
    accepted++;
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket) => servernames.push(socket.servername ?? false));
  server.on('stream', (stream, headers, _flags, raw?: string[]) => {
    // Always one of ours, whatever the types say.
    const session = stream.session as ServerHttp2Session | undefined;
    if (session === undefined) return;
    const seen: Http2GearRequest = {
      raw: raw ?? [],
      headers,
      session,
      body: Buffer.alloc(0),
      trailers: {},
      complete: false,
      rstCode: null,
    };
    requests.push(seen);
    stream.on('error', () => {});
    stream.on('trailers', (fields) => {
      seen.trailers = fields;
    });
    stream.on('close', () => {
      seen.rstCode = stream.rstCode ?? 0;
    });
    stream.on('end', () => {
      seen.complete = true;
    });
    if (options.handler !== undefined) {
      options.handler(stream, seen);
      return;
    }
    stream.on('data', (chunk: Buffer) => {
      seen.body = Buffer.concat([seen.body, chunk]);
    });
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      answerTrailers(stream, () => ({ 'grpc-status': '0', 'x-end': 'yes' }));
      stream.end(`${headers[':method']} ${headers[':path']} ${seen.body.length}`);
    });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    sessions,
    servernames,
    get openSessions() {
      return sessions.size;
    },
    get acceptedSessions() {
      return accepted;
    },
    async stop() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export interface RawHttp2Gear {
  readonly port: number;
  /** Every frame of every connection, in order. */
  readonly frames: readonly Frame[];
  readonly openConnections: number;
  readonly acceptedConnections: number;
  stop(): Promise<void>;
}

const PREFACE_BYTES = 24;

/**
 * Calls `script` for each frame behind the preface, `connection` counting from 1; it writes whatever it likes. `first`: what is sent as soon
 * as a connection is open (default: empty SETTINGS). SETTINGS are acked, PINGs are not.
 */
export async function startRawHttp2Gear(
  script: (
    send: (...out: readonly Buffer[]) => void,
    seen: Frame,
    connection: number,
    socket: Socket,
  ) => void,
  first: Buffer = settings(),
): Promise<RawHttp2Gear> {
  const frames: Frame[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createNetServer((socket) => {
    const connection = ++accepted;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let pending: Buffer = Buffer.alloc(0);
    let preface = PREFACE_BYTES;
    const send = (...out: readonly Buffer[]): void => {
      if (!socket.destroyed && socket.writable) socket.write(Buffer.concat(out));
    };
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      if (pending.length < preface) return;
      pending = pending.subarray(preface);
      preface = 0;
      while (pending.length >= 9 && pending.length >= 9 + pending.readUIntBE(0, 3)) {
        const end = 9 + pending.readUIntBE(0, 3);
        const [, , , type = 0, flags = 0] = pending;
        const seen = { type, flags, stream: pending.readUInt32BE(5), payload: pending.subarray(9, end) };
        pending = pending.subarray(end);
        frames.push(seen);
        if (type === FRAME.settings && (flags & FLAG.ack) === 0) send(frame(FRAME.settings, FLAG.ack, 0));
        script(send, seen, connection, socket);
      }
    });
    send(first);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    frames,
    get openConnections() {
      return sockets.size;
    },
    get acceptedConnections() {
      return accepted;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
