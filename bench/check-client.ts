/** Clients that look closely at one answer at a time, over HTTP/1.1 and HTTP/2. */
import { readFileSync } from 'node:fs';
import http, { type OutgoingHttpHeaders } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { HOST } from './targets/target.ts';

const WITHIN_MS = 10_000;

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly tls: { readonly version: string | null; readonly cipher: string } | null;
}

export interface AskOptions {
  readonly host?: string;
  readonly fields?: OutgoingHttpHeaders;
  /** Sent as POST. */
  readonly upload?: Buffer;
}

export type Ask = (path: string, options?: AskOptions) => Promise<Answer>;

export interface CheckClient {
  readonly ask: Ask;
  close(): void;
}

/** One connection, kept alive. */
export function http1Client(scheme: 'http' | 'https', port: number, caFile: string): CheckClient {
  const keep = { keepAlive: true, maxSockets: 1 };
  const agent =
    scheme === 'http'
      ? new http.Agent(keep)
      : new https.Agent({
          ...keep,
          ca: readFileSync(caFile),
          servername: HOST,
          checkServerIdentity: () => undefined,
        });
  const ask: Ask = (path, { host = HOST, fields, upload } = {}) =>
    new Promise((resolve, reject) => {
      const asked = (scheme === 'http' ? http : https).request(
        {
          host: '127.0.0.1',
          port,
          path,
          method: upload === undefined ? 'GET' : 'POST',
          headers: { Host: host, 'User-Agent': 'headgear-bench', ...fields, ...lengthOf(upload) },
          agent,
          timeout: WITHIN_MS,
        },
        (response) => {
          const tls = scheme === 'https' ? tlsOf(response.socket as TLSSocket) : null;
          resolve(buffer(response).then((body) => ({ status: response.statusCode ?? 0, body, tls })));
        },
      );
      asked.once('timeout', () => asked.destroy(new Error(`no answer to ${path} within 10 s`)));
      asked.once('error', reject);
      asked.end(upload);
    });
  return { ask, close: () => agent.destroy() };
}

/** One session. */
export function http2Client(port: number, caFile: string): CheckClient {
  const session = http2.connect(`https://127.0.0.1:${port}`, {
    ca: readFileSync(caFile),
    servername: HOST,
    checkServerIdentity: () => undefined,
  });
  // Requests under way fail with it.
  session.on('error', () => undefined);
  const ask: Ask = (path, { host = HOST, fields, upload } = {}) =>
    new Promise((resolve, reject) => {
      const stream = session.request({
        ':authority': host,
        ':path': path,
        ':method': upload === undefined ? 'GET' : 'POST',
        'user-agent': 'headgear-bench',
        ...fields,
        ...lengthOf(upload),
      });
      stream.setTimeout(WITHIN_MS, () => stream.destroy(new Error(`no answer to ${path} within 10 s`)));
      stream.once('error', reject);
      stream.once('response', (headers) => {
        const tls = tlsOf(session.socket as TLSSocket);
        resolve(buffer(stream).then((body) => ({ status: headers[':status'] ?? 0, body, tls })));
      });
      stream.end(upload);
    });
  return { ask, close: () => session.destroy() };
}

function tlsOf(socket: TLSSocket): Answer['tls'] {
  return { version: socket.getProtocol(), cipher: socket.getCipher().name };
}

function lengthOf(upload: Buffer | undefined): OutgoingHttpHeaders {
  return upload === undefined ? {} : { 'Content-Length': upload.length };
}
