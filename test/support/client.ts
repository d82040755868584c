/** A raw HTTP/1.1 client for tests: sends exactly the bytes it is given and reads answers strictly, one after the other. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';

export interface RawResponse {
  readonly status: number;
  readonly statusLine: string;
  /** Flat name, value, name, value ... as received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
  /** 1xx answers before this one (101 is an answer of its own). */
  readonly interim: readonly { readonly status: number; readonly rawHeaders: readonly string[] }[];
}

export interface ClientTls {
  readonly servername?: string;
  /** PEM. Without it the server's certificate is not verified. */
  readonly ca?: string;
  readonly alpn?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly session?: Buffer;
}

export interface RawClient {
  readonly socket: Socket | TLSSocket;
  /** Resolves when the bytes are handed to the kernel. */
  send(bytes: string | Uint8Array): Promise<void>;
  /** The next answer; calls may overlap (pipelining), they are answered in order. `method: 'HEAD'` expects no body. */
  readResponse(options?: { readonly method?: string }): Promise<RawResponse>;
  /** Exactly so many further bytes, after a 101 for instance. */
  readBytes(length: number): Promise<Buffer>;
  /** Everything up to and with this text. */
  readUntil(text: string): Promise<Buffer>;
  /** Bytes that came and were not read yet. */
  pending(): Buffer;
  /** Resolves once the connection is closed (our side ends by itself when the peer's does, unless more than 64 KiB are unread); `error` says how when it was not orderly. */
  readonly closed: Promise<{ readonly error: Error | null }>;
  /** The peer has ended its side. */
  readonly ended: boolean;
  /** Ends our side, the other stays open. */
  end(): void;
  destroy(): void;
}

/** Resolves when connected (with TLS: when the handshake is done). Waits at most `timeoutMs` (default 10 s) for anything. */
export async function connectRaw(options: {
  readonly port: number;
  readonly host?: string;
  readonly tls?: ClientTls;
  /** Bytes before TLS starts: a PROXY header. */
  readonly preface?: Uint8Array;
  /** The address to come from; default: any. */
  readonly localAddress?: string;
  readonly timeoutMs?: number;
}): Promise<RawClient> {
  const { host = '127.0.0.1', port, localAddress } = options;
  const bare = options.tls === undefined || options.preface !== undefined || localAddress !== undefined;
  const plain = bare
    ? connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) })
    : null;
  if (options.preface !== undefined) plain?.write(options.preface);
  const socket = options.tls
    ? tlsConnect({
        ...tlsOptions(host, options.port, options.tls),
        ...(plain === null ? {} : { socket: plain }),
      })
    : (plain as Socket);
  socket.setNoDelay(true);
  await once(socket, options.tls ? 'secureConnect' : 'connect');
  return wrap(socket, options.timeoutMs ?? 10_000);
}

export interface RequestOptions {
  readonly port: number;
  readonly address?: string;
  readonly tls?: ClientTls;
  readonly method?: string;
  readonly target?: string;
  /** The Host field; `null` sends none. */
  readonly host?: string | null;
  readonly headers?: readonly (readonly [string, string])[] | Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs?: number;
}

/** One request on a connection of its own, with `Connection: close`. */
export async function request(options: RequestOptions): Promise<RawResponse> {
  const client = await connectRaw({
    port: options.port,
    ...(options.address === undefined ? {} : { host: options.address }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  try {
    const method = options.method ?? 'GET';
    const lines = [`${method} ${options.target ?? '/'} HTTP/1.1`];
    if (options.host !== null) lines.push(`Host: ${options.host ?? 'localhost'}`);
    const given = options.headers ?? [];
    const headers = isPairs(given) ? given : Object.entries(given);
    for (const [name, value] of headers) lines.push(`${name}: ${value}`);
    const body = options.body === undefined ? null : Buffer.from(options.body);
    if (body && !headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name)))
      lines.push(`Content-Length: ${body.length}`);
    if (!headers.some(([name]) => /^connection$/i.test(name))) lines.push('Connection: close');
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    void client.send(body ? Buffer.concat([head, body]) : head).catch(() => {});
    return await client.readResponse({ method });
  } finally {
    client.destroy();
  }
}

/** First value of a field, or undefined; the name in any case. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  return headersOf(rawHeaders, name)[0];
}

/** Every value of a field, in order. */
export function headersOf(rawHeaders: readonly string[], name: string): string[] {
  const wanted = name.toLowerCase();
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === wanted);
}

function isPairs(
  headers: NonNullable<RequestOptions['headers']>,
): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers);
}

function tlsOptions(host: string, port: number, tls: ClientTls) {
  return {
    host,
    port,
    // An empty servername sends no SNI at all.
    servername: tls.servername ?? '',
    rejectUnauthorized: tls.ca !== undefined,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...(tls.session === undefined ? {} : { session: tls.session }),
  };
}

/** More than this unread, and the client stops reading. */
const UNREAD_LIMIT_BYTES = 65_536;

function wrap(socket: Socket | TLSSocket, timeoutMs: number): RawClient {
  let buffer: Buffer = Buffer.alloc(0);
  /** Came after `buffer`; joined to it only when somebody looks. */
  let fresh: Buffer[] = [];
  let length = 0;
  let reading = false;
  let ended = false;
  let failure: Error | null = null;
  let wake = () => {};
  let turn: Promise<unknown> = Promise.resolve();
  const closed = new Promise<{ error: Error | null }>((resolve) => {
    socket.on('close', () => {
      ended = true;
      wake();
      resolve({ error: failure });
    });
  });
  socket.on('data', (chunk: Buffer) => {
    fresh.push(chunk);
    length += chunk.length;
    // A client that nobody reads from does not read: back-pressure reaches the server.
    if (!reading && length > UNREAD_LIMIT_BYTES) socket.pause();
    wake();
  });
  socket.on('end', () => {
    ended = true;
    wake();
  });
  socket.on('error', (error: Error) => {
    failure = error;
  });

  function all(): Buffer {
    if (fresh.length > 0) buffer = Buffer.concat([buffer, ...fresh]);
    fresh = [];
    return buffer;
  }
  /** Waits for more bytes; false when there will be none. */
  async function more(): Promise<boolean> {
    const had = length;
    reading = true;
    socket.resume();
    try {
      while (length === had && !ended) {
        let timer: NodeJS.Timeout | undefined;
        const late = await Promise.race([
          new Promise<boolean>((resolve) => {
            wake = () => resolve(false);
          }),
          new Promise<boolean>((resolve) => {
            timer = setTimeout(() => resolve(true), timeoutMs);
          }),
        ]);
        clearTimeout(timer);
        if (late) throw new Error(`nothing came for ${timeoutMs} ms; unread: ${show(all())}`);
      }
    } finally {
      reading = false;
    }
    return length > had;
  }
  function take(size: number): Buffer {
    const taken = all().subarray(0, size);
    buffer = buffer.subarray(size);
    length -= taken.length;
    return taken;
  }
  async function exactly(size: number): Promise<Buffer> {
    while (length < size) if (!(await more())) throw short(`wanted ${size} bytes, got ${length}`);
    return take(size);
  }
  async function until(text: string): Promise<Buffer> {
    for (;;) {
      const at = all().indexOf(text);
      if (at >= 0) return take(at + text.length);
      if (!(await more())) throw short(`wanted ${JSON.stringify(text)}, unread: ${show(buffer)}`);
    }
  }
  function short(detail: string): Error {
    return new Error(`the connection ended too soon: ${detail}${failure ? ` (${failure.message})` : ''}`);
  }
  async function response(method: string): Promise<RawResponse> {
    const interim: { status: number; rawHeaders: string[] }[] = [];
    for (;;) {
      const [statusLine = '', ...lines] = (await until('\r\n\r\n'))
        .toString('latin1')
        .slice(0, -4)
        .split('\r\n');
      const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1]);
      if (!status) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
      const rawHeaders = fields(lines);
      if (status < 200 && status !== 101) {
        interim.push({ status, rawHeaders });
        continue;
      }
      const { body, trailers } = await bodyOf(method, status, rawHeaders);
      return { status, statusLine, rawHeaders, body, trailers, interim };
    }
  }
  async function bodyOf(method: string, status: number, rawHeaders: readonly string[]) {
    const none = { body: Buffer.alloc(0), trailers: [] as string[] };
    if (method === 'HEAD' || status === 101 || status === 204 || status === 304) return none;
    const coding = headerOf(rawHeaders, 'transfer-encoding');
    const lengths = headersOf(rawHeaders, 'content-length');
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked' || lengths.length > 0)
        throw new Error(`odd framing: ${JSON.stringify(rawHeaders)}`);
      return chunks();
    }
    if (lengths.length > 1) throw new Error('repeated Content-Length');
    if (lengths.length === 1) return { ...none, body: await exactly(Number(lengths[0])) };
    while (await more());
    return { ...none, body: take(length) };
  }
  async function chunks() {
    const parts: Buffer[] = [];
    for (;;) {
      const line = (await until('\r\n')).toString('latin1').slice(0, -2);
      if (!/^[0-9a-f]+(;.*)?$/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      const size = Number.parseInt(line, 16);
      if (size === 0) break;
      parts.push(await exactly(size));
      if ((await exactly(2)).toString('latin1') !== '\r\n') throw new Error('a chunk is longer than it said');
    }
    const trailers: string[] = [];
    for (;;) {
      const line = (await until('\r\n')).toString('latin1').slice(0, -2);
      if (line === '') return { body: Buffer.concat(parts), trailers: fields(trailers) };
      trailers.push(line);
    }
  }
  function inTurn<T>(read: () => Promise<T>): Promise<T> {
    const mine = turn.then(read);
    turn = mine.catch(() => {});
    return mine;
  }
  return {
    socket,
    send: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    readResponse: (options) => inTurn(() => response(options?.method ?? 'GET')),
    readBytes: (size) => inTurn(() => exactly(size)),
    readUntil: (text) => inTurn(() => until(text)),
    pending: all,
    closed,
    get ended() {
      return ended;
    },
    end: () => {
      socket.end();
    },
    destroy: () => {
      socket.destroy();
    },
  };
}

function fields(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(':');
    if (colon <= 0) throw new Error(`not a field line: ${JSON.stringify(line)}`);
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

function show(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 200));
}
