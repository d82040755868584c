/**
 * Gears for tests. `startGear` is a well-behaved one on node:http that echoes what it was sent; `startRawGear` answers with
 * exactly the bytes that a test writes, for everything node:http would never send.
 *
 * Paths of the well-behaved gear (any other path: a JSON echo, see `Echo`):
 *   /bytes/N    N bytes of `patternBytes`, with Content-Length
 *   /chunked/N  the same bytes, chunked
 *   /cut/N      declares N bytes, sends half of them, destroys the connection
 *   /slow/MS    the echo, MS milliseconds late
 *   /status/N   status N, a short text
 *   /close      destroys the connection before any answer
 *   /stream     server-sent events until the client leaves; /stream?count=N ends after N
 *   /early      a 103 (Early Hints), then the echo
 *   Upgrade: websocket at any path: echoes each message
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** What a gear saw of one request; body fields and `complete` fill in as the body comes. */
export interface GearRequest {
  readonly method: string;
  readonly url: string;
  /** Flat name, value, name, value ... as sent. */
  readonly rawHeaders: readonly string[];
  readonly upgrade: boolean;
  /** Port of the peer: equal ports mean one upstream connection. */
  readonly peerPort: number;
  bodyLength: number;
  bodySha256: string;
  /** The whole body arrived. */
  complete: boolean;
  /** The connection went before the whole body had arrived. */
  aborted: boolean;
}

/** Body of the default answer. */
export interface Echo {
  readonly gear: string;
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly bodyLength: number;
  readonly bodySha256: string;
}

export interface Gear {
  readonly name: string;
  readonly port: number;
  /** In order of arrival. */
  readonly requests: readonly GearRequest[];
  /** Connections open now, and ever accepted. */
  readonly openConnections: number;
  readonly acceptedConnections: number;
  /** Destroys every open connection; the gear goes on listening. */
  dropConnections(): void;
  stop(): Promise<void>;
}

export interface GearOptions {
  readonly name?: string;
  readonly host?: string;
  /** A fixed port, to come back after `stop()`; default: a free one. */
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** How long an idle connection is kept; default 10 s, as the gear haproxy does (domain.md 5). */
  readonly keepAliveTimeoutMs?: number;
  /** Answers instead of the built-in paths; the request is recorded all the same. */
  readonly handler?: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Byte i is i mod 251: a prime, so that a shifted or lost block never looks right. */
export function patternBytes(length: number, offset = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (offset + i) % 251;
  return bytes;
}

/** Everything that comes from now on, when its orderly end has come. */
export function allOf(source: Readable): Promise<Buffer> {
  const received: Buffer[] = [];
  source.on('data', (chunk: Buffer) => received.push(chunk));
  source.resume();
  return new Promise((resolve) => source.once('end', () => resolve(Buffer.concat(received))));
}

export async function startGear(options: GearOptions = {}): Promise<Gear> {
  const requests: GearRequest[] = [];
  const name = options.name ?? 'gear';
  const listen = (request: IncomingMessage, response: ServerResponse) => {
    const seen = record(requests, request, false);
    watchBody(request, seen, options.handler === undefined);
    response.on('error', () => {});
    if (options.handler) options.handler(request, response);
    else answer(name, request, response, seen);
  };
  const limits = { maxHeaderSize: 131_072, keepAliveTimeout: options.keepAliveTimeoutMs ?? 10_000 };
  const server: Server = options.tls
    ? createTlsServer({ ...limits, ...options.tls, ALPNProtocols: ['http/1.1'] }, listen)
    : createServer(limits, listen);
  server.maxHeadersCount = 0;
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const echoes = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    record(requests, request, true);
    echoes.handleUpgrade(request, socket, head, (client: WebSocket) => {
      client.on('error', () => {});
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    name,
    port: (server.address() as AddressInfo).port,
    requests,
    get openConnections() {
      return sockets.size;
    },
    get acceptedConnections() {
      return accepted;
    },
    dropConnections: drop,
    async stop() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const client of echoes.clients) client.terminate();
      drop();
      await closed;
    },
  };
}

export interface RawGear {
  readonly port: number;
  /** The bytes of each request, whole. */
  readonly requests: readonly Buffer[];
  /** Everything that was received, over all connections, as latin1 text. */
  seen(): string;
  readonly openConnections: number;
  readonly acceptedConnections: number;
  stop(): Promise<void>;
}

/**
 * Calls `script` with each whole request (head, and body by Content-Length or up to the last chunk); the script writes
 * whatever bytes it likes. `onConnection` sees a connection before any byte of it.
 */
export async function startRawGear(
  script: (socket: Socket, requestBytes: Buffer) => void,
  options: {
    readonly host?: string;
    readonly port?: number;
    readonly onConnection?: (socket: Socket) => void;
  } = {},
): Promise<RawGear> {
  const requests: Buffer[] = [];
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('end', () => socket.end());
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      pending = Buffer.concat([pending, chunk]);
      for (let length = requestLength(pending); length > 0; length = requestLength(pending)) {
        const whole = pending.subarray(0, length);
        pending = pending.subarray(length);
        requests.push(whole);
        script(socket, whole);
      }
    });
    options.onConnection?.(socket);
  });
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    seen: () => Buffer.concat(received).toString('latin1'),
    get openConnections() {
      return sockets.size;
    },
    get acceptedConnections() {
      return accepted;
    },
    async stop() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function record(requests: GearRequest[], request: IncomingMessage, upgrade: boolean): GearRequest {
  const seen: GearRequest = {
    method: request.method ?? '',
    url: request.url ?? '',
    rawHeaders: request.rawHeaders,
    upgrade,
    peerPort: request.socket.remotePort ?? 0,
    bodyLength: 0,
    bodySha256: '',
    complete: upgrade,
    aborted: false,
  };
  requests.push(seen);
  return seen;
}

/** A custom handler may want to leave the body unread (back-pressure), so only the built-in paths make it flow. */
function watchBody(request: IncomingMessage, seen: GearRequest, flow: boolean): void {
  const hash = createHash('sha256');
  const count = (chunk: Buffer) => {
    seen.bodyLength += chunk.length;
    hash.update(chunk);
  };
  if (flow) request.on('data', count);
  else request.on('newListener', (event) => event === 'data' && request.prependListener('data', count));
  request.on('end', () => {
    seen.complete = true;
    seen.bodySha256 = hash.digest('hex');
  });
  request.on('error', () => {});
  request.on('close', () => {
    if (!seen.complete) seen.aborted = true;
  });
}

function answer(name: string, request: IncomingMessage, response: ServerResponse, seen: GearRequest): void {
  const url = new URL(request.url ?? '/', 'http://gear');
  const [, word = '', argument = ''] = url.pathname.split('/');
  const number = Number(argument) || 0;
  const echo = () =>
    whenComplete(request, seen, () => {
      const body: Echo = {
        gear: name,
        method: seen.method,
        url: seen.url,
        rawHeaders: seen.rawHeaders,
        bodyLength: seen.bodyLength,
        bodySha256: seen.bodySha256,
      };
      const text = JSON.stringify(body);
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      });
      response.end(text);
    });
  if (word === 'bytes') {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': number });
    pump(response, number);
  } else if (word === 'chunked') {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    pump(response, number);
  } else if (word === 'cut') {
    response.writeHead(200, { 'Content-Length': number });
    response.write(patternBytes(Math.floor(number / 2)), () => request.socket.destroy());
  } else if (word === 'slow') {
    const timer = setTimeout(echo, number);
    request.socket.on('close', () => clearTimeout(timer));
  } else if (word === 'status') {
    whenComplete(request, seen, () => {
      response.statusCode = number;
      response.end(number === 204 || number === 304 ? undefined : `status ${number}\n`);
    });
  } else if (word === 'close') request.socket.destroy();
  else if (word === 'stream') stream(response, Number(url.searchParams.get('count') ?? 0));
  else if (word === 'early') {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' }, echo);
  } else echo();
}

function whenComplete(request: IncomingMessage, seen: GearRequest, act: () => void): void {
  if (seen.complete) act();
  else request.on('end', act);
}

function pump(response: ServerResponse, length: number, offset = 0): void {
  let at = offset;
  while (at < length) {
    const size = Math.min(65_536, length - at);
    const room = response.write(patternBytes(size, at));
    at += size;
    if (!room && at < length) {
      response.once('drain', () => pump(response, length, at));
      return;
    }
  }
  response.end();
}

function stream(response: ServerResponse, count: number): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  let sent = 0;
  const timer = setInterval(() => {
    sent++;
    response.write(`data: ${sent}\n\n`);
    if (sent !== count) return;
    clearInterval(timer);
    response.end();
  }, 10);
  response.on('close', () => clearInterval(timer));
}

/** Length of the first whole request in these bytes, or 0 while it is not whole. */
function requestLength(bytes: Buffer): number {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return 0;
  const head = bytes.toString('latin1', 0, end + 2);
  const bodyAt = end + 4;
  if (/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) {
    const last = bytes.indexOf('\r\n0\r\n\r\n', bodyAt - 2);
    if (last >= 0) return last + 7;
    return bytes.subarray(bodyAt, bodyAt + 5).equals(Buffer.from('0\r\n\r\n')) ? bodyAt + 5 : 0;
  }
  const declared = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head)?.[1];
  const length = bodyAt + Number(declared ?? 0);
  return bytes.length >= length ? length : 0;
}
