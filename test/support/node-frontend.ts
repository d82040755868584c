/**
 * A node frontend for tests, as domain.md 4 describes it: a known Host answers `/health` with the static `1`, an unknown one gets
 * a 302 to `/getting_started.html`, an idle one a 302 to the same URL until it is awake. Other paths of a known Host echo.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface FrontendRequest {
  readonly method: string;
  readonly url: string;
  /** As sent. */
  readonly host: string;
  readonly rawHeaders: readonly string[];
  /** SNI of the connection, or null without TLS or without SNI. */
  readonly servername: string | null;
}

export interface NodeFrontend {
  readonly port: number;
  readonly requests: readonly FrontendRequest[];
  /** Connections open now, and the most that were open at one time. */
  readonly openConnections: number;
  readonly mostConnections: number;
  /** This node has the host (and it is awake). */
  know(host: string): void;
  /** This node no longer has the host. */
  forget(host: string): void;
  /** The host is idle: so many requests get the 302 to the same URL before it is awake. */
  idle(host: string, requestsUntilAwake?: number): void;
  /** Requests are recorded but not answered until `answerAgain`. */
  hang(): void;
  answerAgain(): void;
  stop(): Promise<void>;
}

export interface NodeFrontendOptions {
  readonly known?: readonly string[];
  readonly host?: string;
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Answers instead of the rules above, when it returns true. */
  readonly handler?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export async function startNodeFrontend(options: NodeFrontendOptions = {}): Promise<NodeFrontend> {
  const requests: FrontendRequest[] = [];
  /** Requests still to be answered by "waking"; 0 is awake. */
  const known = new Map<string, number>((options.known ?? []).map((host) => [host, 0]));
  let hanging = false;
  const held: (() => void)[] = [];
  const scheme = options.tls ? 'https' : 'http';

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (options.handler?.(request, response)) return;
    const sentHost = request.headers.host ?? '';
    const host = sentHost.toLowerCase().replace(/:\d+$/, '');
    const url = request.url ?? '/';
    const left = known.get(host);
    if (left === undefined) redirect(response, `${scheme}://${sentHost}/getting_started.html`);
    else if (left > 0) {
      known.set(host, left - 1);
      redirect(response, `${scheme}://${sentHost}${url}`);
    } else if (url === '/health') {
      response.writeHead(200, { 'Content-Type': 'text/html', Connection: 'close' });
      response.end('1\n');
    } else {
      const echo = {
        frontend: true,
        method: request.method,
        url,
        host: sentHost,
        rawHeaders: request.rawHeaders,
      };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(echo));
    }
  };
  const listen = (request: IncomingMessage, response: ServerResponse) => {
    const servername = 'servername' in request.socket ? request.socket.servername : null;
    requests.push({
      method: request.method ?? '',
      url: request.url ?? '',
      host: request.headers.host ?? '',
      rawHeaders: request.rawHeaders,
      servername: typeof servername === 'string' ? servername : null,
    });
    request.resume();
    response.on('error', () => {});
    if (hanging) held.push(() => answer(request, response));
    else answer(request, response);
  };
  const server = options.tls ? createTlsServer(options.tls, listen) : createServer(listen);
  const sockets = new Set<Socket>();
  let most = 0;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    most = Math.max(most, sockets.size);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    get openConnections() {
      return sockets.size;
    },
    get mostConnections() {
      return most;
    },
    know: (host) => void known.set(host, 0),
    forget: (host) => void known.delete(host),
    idle: (host, requestsUntilAwake = 1) => void known.set(host, requestsUntilAwake),
    hang: () => {
      hanging = true;
    },
    answerAgain: () => {
      hanging = false;
      for (const go of held.splice(0)) go();
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

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { Location: location, Connection: 'close' });
  response.end();
}
