/** What the hops on node:http have in common: both listeners, routes by Host, forwarding fields, the access log. Each brings its way to forward. */
import { openSync, write } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { readNodeServerOptions } from './node-server.ts';
import { HOST } from './target.ts';

const LOG_BATCH_CHARS = 16_384;
const LOG_BATCH_MS = 200;

export interface NodeHop {
  /** Forwards a request whose fields are set; `fail` answers 502. `origin`: `http://address:port`. */
  web(request: IncomingMessage, response: ServerResponse, origin: string, fail: () => void): void;
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, origin: string): void;
}

export function serveNodeHop(hop: NodeHop): void {
  const options = readNodeServerOptions();
  const origin = `127.0.0.1:${options.originPort}`;
  const routes = new Map([[HOST, `http://${origin}`]]);
  const append = openLog(options.accessLog);
  type Scheme = 'http' | 'https';

  function logLine(request: IncomingMessage, startedAt: number, status: number, bytes: unknown): void {
    const { headers } = request;
    const durationMs = performance.timeOrigin + performance.now() - startedAt;
    append(
      `${new Date(startedAt).toISOString()} ${headers['x-client-ip']} ${request.method} ${headers.host} "${request.url}" HTTP/${request.httpVersion} ` +
        `${status} 0 ${bytes ?? 0} ${durationMs.toFixed(3)} - demo/shop ` +
        `${origin} 1 - "${headers['user-agent'] ?? '-'}" "${headers.referer ?? '-'}"\n`,
    );
  }

  function setFields(request: IncomingMessage, scheme: Scheme, port: number, startedAt: number): void {
    const { headers } = request;
    const host = headers.host ?? '';
    const client = request.socket.remoteAddress ?? '';
    headers['x-forwarded-for'] = client;
    headers['x-client-ip'] = client;
    headers['x-forwarded-proto'] = scheme;
    headers['x-forwarded-port'] = String(port);
    headers['x-forwarded-host'] = host;
    headers['x-request-start'] = `t=${Math.round(startedAt * 1_000)}`;
    headers.forwarded = `for=${client};proto=${scheme};host="${host}"`;
    delete headers['x-openshift-host'];
    delete headers['x-forwarded-ssl-client-cert'];
  }

  function handle(scheme: Scheme, port: number, request: IncomingMessage, response: ServerResponse): void {
    const startedAt = performance.timeOrigin + performance.now();
    setFields(request, scheme, port, startedAt);
    response.once('finish', () =>
      logLine(request, startedAt, response.statusCode, response.getHeader('content-length')),
    );
    const target = routes.get(request.headers.host ?? '');
    if (target === undefined) {
      response.writeHead(404).end();
      return;
    }
    hop.web(request, response, target, () => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
  }

  function upgrade(
    scheme: Scheme,
    port: number,
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
  ): void {
    const startedAt = performance.timeOrigin + performance.now();
    setFields(request, scheme, port, startedAt);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => logLine(request, startedAt, 101, socket.bytesWritten));
    const target = routes.get(request.headers.host ?? '');
    if (target === undefined) socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
    else hop.upgrade(request, socket, head, target);
  }

  const servers = [
    { scheme: 'http', port: options.httpPort, server: createServer() },
    { scheme: 'https', port: options.httpsPort, server: createTlsServer(options.tls) },
  ] as const;
  for (const { scheme, port, server } of servers) {
    server.on('request', (request, response) => handle(scheme, port, request, response));
    server.on('upgrade', (request, socket, head) => upgrade(scheme, port, request, socket as Socket, head));
    server.keepAliveTimeout = 65_000;
    server.maxRequestsPerSocket = 0;
  }
  const [plain, secure] = servers;
  plain.server.listen(plain.port, '127.0.0.1', () => secure.server.listen(secure.port, '127.0.0.1'));
}

/** Gathers lines and writes them every 200 ms or 16 KiB. */
function openLog(file: string): (line: string) => void {
  const log = openSync(file, 'a');
  let lines = '';
  const flush = (): void => {
    if (lines === '') return;
    write(log, lines, null, 'latin1', (error) => {
      if (error !== null) throw error;
    });
    lines = '';
  };
  setInterval(flush, LOG_BATCH_MS);
  return (line) => {
    lines += line;
    if (lines.length >= LOG_BATCH_CHARS) flush();
  };
}
