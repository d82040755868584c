/** The node frontend of the sample: answers keep-awake probes as a node does (domain.md 4), and nothing else. */
import { createServer } from 'node:http';
import { listenOn } from './listen-on.ts';

export interface SampleNodeFrontend {
  readonly port: number;
  stop(): Promise<void>;
}

/** `hosts` are the names that this node has; any other gets the redirect to getting_started. */
export async function startSampleNodeFrontend(options: {
  readonly hosts: readonly string[];
  readonly wantedPort: number;
}): Promise<SampleNodeFrontend> {
  const known = new Set(options.hosts);
  const server = createServer((request, response) => {
    response.on('error', () => {});
    request.resume();
    const host = (request.headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
    if (!known.has(host)) {
      response.writeHead(302, { Location: '/getting_started.html', Connection: 'close' });
      response.end();
      return;
    }
    const health = request.url === '/health';
    response.writeHead(200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(health ? '1\n' : `The sample node frontend has ${host}.\n`);
  });
  const port = await listenOn(server, options.wantedPort);
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
