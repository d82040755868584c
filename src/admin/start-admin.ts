/** The admin listener: node:http on loopback. Whoever reaches it may read; who changes something shows the token (authorise.ts). */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { answerText } from './answer.ts';
import { openAuthoriser } from './authorise.ts';
import { createEventStream } from './event-stream.ts';
import { allowedHosts, guard, type Refusal } from './guard.ts';
import { createRoutes, type Sources } from './routes.ts';
import { createWriteRoutes } from './write-routes.ts';

export interface AdminOptions extends Sources {
  readonly config: Config['admin'];
  /** Holds the token of those who may write. */
  readonly stateDir: string;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface Admin {
  /** Where it really listens. */
  address(): { readonly host: string; readonly port: number };
  /** Ends open answers and streams at once: readers of admin can ask again. */
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 128;
/** A reader that takes nothing for this long is cut off; streams of events say something every 15 s. */
const SILENCE_MS = 60_000;

/** Listens on `config.host` and `config.port`. Rejects with the system's error (`EADDRINUSE`, ...) where that fails. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { config } = options;
  const log = options.log.child('admin');
  const refusals = options.metrics.counter('admin_refused_total', 'Admin requests that were refused', [
    'code',
  ]);
  const readers = options.metrics.gauge('admin_event_readers', 'Open streams of events');
  const events = createEventStream(options.control.subscribe);
  const routes = createRoutes(options, events);
  const writers = createWriteRoutes(options.control);
  const authoriser = openAuthoriser(options.stateDir, log);
  options.metrics.onCollect(() => readers.set(events.readers()));
  let allowed: ReadonlySet<string> = new Set();

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', rawHeaders } = request;
    const judged = guard({ method, url, rawHeaders }, allowed);
    // A body that is not read to its end would be taken for the next request.
    if (
      request.headers['content-length'] !== undefined ||
      request.headers['transfer-encoding'] !== undefined
    ) {
      response.shouldKeepAlive = false;
    }
    const refuse = ({ status, code, reason }: Refusal, more: Readonly<Record<string, string>> = {}): void => {
      refusals.inc({ code });
      answerText(response, status, `${code}: ${reason}\n`, { Connection: 'close', ...more });
    };
    if (!judged.ok) {
      const { refusal } = judged;
      return refuse(refusal, refusal.status === 405 ? { Allow: 'GET, HEAD, POST' } : {});
    }
    if (method === 'POST') return write(judged.path, request, response, refuse);
    const handler = routes(judged.path);
    if (handler === null && writers(judged.path) !== null) {
      const reason = 'Only POST, with the token.';
      return refuse({ status: 405, code: 'ADMIN_METHOD_NOT_ALLOWED', reason }, { Allow: 'POST' });
    }
    if (handler === null)
      return answerText(response, 404, 'There is nothing here. See / for what there is.\n');
    if (method === 'HEAD' && judged.path === '/events') return answerText(response, 200, '');
    await handler(response, judged.query);
  };

  const write = async (
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    refuse: (refusal: Refusal, more?: Readonly<Record<string, string>>) => void,
  ): Promise<void> => {
    const writer = writers(path);
    if (writer === null) {
      const exists = routes(path) !== null;
      if (!exists) return answerText(response, 404, 'There is nothing here. See / for what there is.\n');
      const reason = 'Only GET and HEAD: nothing can be changed here.';
      return refuse({ status: 405, code: 'ADMIN_METHOD_NOT_ALLOWED', reason }, { Allow: 'GET, HEAD' });
    }
    const unauthorised = authoriser.judge(request.rawHeaders);
    if (unauthorised !== null) return refuse(unauthorised, { 'WWW-Authenticate': 'Bearer' });
    const refusal = await writer(request, response);
    if (refusal !== null) refuse(refusal);
  };

  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: 10_000,
      requestTimeout: 10_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 5_000,
    },
    (request, response) => {
      response.on('error', () => undefined);
      handle(request, response).catch((error: unknown) => {
        log.error('an admin request failed', { path: request.url?.slice(0, 200), error });
        // Nothing of the error goes out: it may speak of anything.
        if (response.headersSent) response.destroy();
        else answerText(response, 500, 'This request failed; the log says why.\n', { Connection: 'close' });
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(SILENCE_MS, (socket: Socket) => socket.destroy());
  server.on('clientError', onClientError);
  await listen(server, config.host, config.port);
  server.on('error', (error) => log.error('the admin listener has trouble', { error }));

  const { address, port } = server.address() as AddressInfo;
  allowed = allowedHosts(config.host, port, [address, ...config.allowedHosts]);
  return {
    address: () => ({ host: address, port }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        events.stop();
        server.closeAllConnections();
      }),
  };
}

function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
