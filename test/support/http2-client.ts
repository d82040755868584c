/** A well-behaved HTTP/2 client for tests, on node:http2. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type Settings,
} from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { HOST } from './data-plane.ts';
import { eventually } from './eventually.ts';

export interface Http2Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
  /** Statuses of 1xx answers before this one. */
  readonly interim: readonly number[];
  /** Code of the RST_STREAM that ended the stream; 0 for none. */
  readonly rstCode: number;
}

export interface Http2Client {
  readonly session: ClientHttp2Session;
  /** One request; resolves when its stream is closed, however it ended. */
  request(
    headers?: OutgoingHttpHeaders,
    body?: string | Uint8Array,
    options?: { readonly trailers?: OutgoingHttpHeaders },
  ): Promise<Http2Response>;
  /** A stream of one's own; errors on it are swallowed. */
  open(headers?: OutgoingHttpHeaders, endStream?: boolean): ClientHttp2Stream;
  readonly closed: boolean;
  readonly goaway: number | null;
  destroy(): void;
}

/** Connects to 127.0.0.1 with this server name; resolves when the server's settings are here. */
export async function connectHttp2(
  port: number,
  options: {
    readonly servername?: string;
    readonly settings?: Settings;
    /** The client's own, PEM. */
    readonly cert?: string;
    readonly key?: string;
  } = {},
): Promise<Http2Client> {
  const { servername = HOST, cert, key } = options;
  const session = connect(`https://${servername === '' ? 'localhost' : servername}`, {
    createConnection: () =>
      tlsConnect({
        host: '127.0.0.1',
        port,
        servername,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  let goaway: number | null = null;
  let settled = false;
  session.on('error', () => {});
  session.on('goaway', (code: number) => {
    goaway = code;
  });
  session.on('remoteSettings', () => {
    settled = true;
  });
  await eventually(() => settled || session.closed, 'an HTTP/2 connection');
  const open = (headers: OutgoingHttpHeaders = {}, endStream = true): ClientHttp2Stream => {
    const stream = session.request({ ':authority': HOST, ...headers }, { endStream });
    stream.on('error', () => {});
    return stream;
  };
  return {
    session,
    open,
    async request(headers = {}, body, more = {}) {
      const stream = session.request(
        { ':authority': HOST, ...headers },
        { endStream: body === undefined, waitForTrailers: more.trailers !== undefined },
      );
      stream.on('error', () => {});
      stream.on('wantTrailers', () => stream.sendTrailers(more.trailers ?? {}));
      if (body !== undefined) stream.end(body);
      return await responseOf(stream);
    },
    get closed() {
      return session.closed || session.destroyed;
    },
    get goaway() {
      return goaway;
    },
    destroy: () => session.destroy(),
  };
}

/** Everything that comes on a stream, when it is closed. */
export function responseOf(stream: ClientHttp2Stream): Promise<Http2Response> {
  const parts: Buffer[] = [];
  const interim: number[] = [];
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('headers', (fields: IncomingHttpHeaders) => void interim.push(Number(fields[':status'])));
  stream.on('response', (fields) => {
    headers = fields;
  });
  stream.on('trailers', (fields) => {
    trailers = fields;
  });
  stream.on('data', (chunk: Buffer) => void parts.push(chunk));
  return new Promise((resolve) => {
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status'] ?? 0),
        headers,
        body: Buffer.concat(parts),
        trailers,
        interim,
        rstCode: stream.rstCode ?? 0,
      }),
    );
  });
}
