/** One gear of the sample application: a small web server on two loopback ports, its own and its haproxy's. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { listenOn } from './listen-on.ts';
import type { SampleGearPorts } from './sample-events.ts';

export interface SampleGear {
  readonly ports: SampleGearPorts;
  stop(): Promise<void>;
}

/** Listens on `wanted` where these ports are still free, else on others. */
export async function startSampleGear(options: {
  readonly gearId: string;
  readonly name: string;
  readonly wanted: { readonly webPort: number; readonly proxyPort: number } | null;
}): Promise<SampleGear> {
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    answer(options.name, request, response);
  const web = createGearServer(handle);
  const proxy = createGearServer(handle);
  try {
    const webPort = await listenOn(web, options.wanted?.webPort ?? 0);
    const proxyPort = await listenOn(proxy, options.wanted?.proxyPort ?? 0);
    return {
      ports: { gearId: options.gearId, webPort, proxyPort },
      async stop() {
        await Promise.all([closeServer(web), closeServer(proxy)]);
      },
    };
  } catch (error) {
    await Promise.all([closeServer(web), closeServer(proxy)]);
    throw error;
  }
}

function createGearServer(handle: (request: IncomingMessage, response: ServerResponse) => void): Server {
  // As long as the gear haproxy keeps idle connections (domain.md 5).
  const server = createServer({ keepAliveTimeout: 10_000 }, handle);
  server.on('connection', (socket: Socket) => socket.on('error', () => {}));
  return server;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Request fields that a load balancer sets: the page shows what became of them. */
const shown = /^(host|forwarded|x-forwarded-.*|x-client-ip|x-request-start)$/i;

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  response.on('error', () => {});
  request.resume();
  if (request.url?.split('?')[0] === '/events') {
    streamEvents(name, response);
    return;
  }
  const lines = [`Hello from ${name}.`, '', `${request.method} ${request.url}`];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const field = request.rawHeaders[i] ?? '';
    if (shown.test(field)) lines.push(`${field}: ${request.rawHeaders[i + 1]}`);
  }
  const text = `${lines.join('\n')}\n`;
  // text/plain and nosniff: the page repeats what a stranger sent.
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

const EVENT_COUNT = 5;
const EVENT_INTERVAL_MS = 1_000;

function streamEvents(name: string, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let sent = 0;
  const send = () => {
    sent++;
    response.write(`data: event ${sent} of ${EVENT_COUNT} from ${name}\n\n`);
    if (sent < EVENT_COUNT) return;
    clearInterval(timer);
    response.end();
  };
  const timer = setInterval(send, EVENT_INTERVAL_MS);
  response.on('close', () => clearInterval(timer));
  send();
}
