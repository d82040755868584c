/** The bare http-proxy hop, in a process of its own. Argument: `HttpProxyOptions` as JSON. */
import { openSync, readFileSync, write } from 'node:fs';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import httpProxy from 'http-proxy';
import type { HttpProxyOptions } from './http-proxy.ts';
import { HOST } from './target.ts';

const LOG_BATCH_CHARS = 16_384;
const LOG_BATCH_MS = 200;

const options = JSON.parse(process.argv[2] ?? '') as HttpProxyOptions;
const originPortText = String(options.originPort);
const routes = new Map([[HOST, `http://127.0.0.1:${originPortText}`]]);
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true, maxFreeSockets: 256 }) });

const log = openSync(options.accessLog, 'a');
let lines = '';
setInterval(writeLines, LOG_BATCH_MS);

function writeLines(): void {
  if (lines === '') return;
  write(log, lines, null, 'latin1', (error) => {
    if (error !== null) throw error;
  });
  lines = '';
}

function handle(scheme: 'http' | 'https', port: number, request: IncomingMessage, response: ServerResponse) {
  const startedAt = performance.timeOrigin + performance.now();
  const { headers } = request;
  const host = headers.host ?? '';
  const client = request.socket.remoteAddress ?? '';
  response.once('finish', () => {
    const durationMs = performance.timeOrigin + performance.now() - startedAt;
    lines +=
      `${new Date(startedAt).toISOString()} ${client} ${request.method} ${host} "${request.url}" HTTP/${request.httpVersion} ` +
      `${response.statusCode} 0 ${response.getHeader('content-length') ?? 0} ${durationMs.toFixed(3)} - demo/shop ` +
      `127.0.0.1:${originPortText} 1 - "${headers['user-agent'] ?? '-'}" "${headers.referer ?? '-'}"\n`;
    if (lines.length >= LOG_BATCH_CHARS) writeLines();
  });
  const target = routes.get(host);
  if (target === undefined) {
    response.writeHead(404).end();
    return;
  }
  headers['x-forwarded-for'] = client;
  headers['x-client-ip'] = client;
  headers['x-forwarded-proto'] = scheme;
  headers['x-forwarded-port'] = String(port);
  headers['x-forwarded-host'] = host;
  headers['x-request-start'] = `t=${Math.round(startedAt * 1_000)}`;
  headers.forwarded = `for=${client};proto=${scheme};host="${host}"`;
  delete headers['x-openshift-host'];
  delete headers['x-forwarded-ssl-client-cert'];
  proxy.web(request, response, { target }, () => {
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
}

const plain = createServer((request, response) => handle('http', options.httpPort, request, response));
const secure = createTlsServer(
  {
    cert: readFileSync(options.certFile),
    key: readFileSync(options.keyFile),
    ciphers: options.ciphers,
    honorCipherOrder: true,
  },
  (request, response) => handle('https', options.httpsPort, request, response),
);
for (const server of [plain, secure]) {
  server.keepAliveTimeout = 65_000;
  server.maxRequestsPerSocket = 0;
}
plain.listen(options.httpPort, '127.0.0.1', () => secure.listen(options.httpsPort, '127.0.0.1'));
