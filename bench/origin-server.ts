/** An origin in a process of its own: what nginx cannot do (echo WebSocket messages, digest uploads), and everything where nginx is missing. Argument: the port. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { BODIES, ORIGIN_BODY } from './origin-bodies.ts';

const CANNED = new Map<string, Buffer>([['/', Buffer.from(ORIGIN_BODY)], ...BODIES]);
const requestsOf = new WeakMap<object, number>();
let requestsOfAll = 0;

const server = createServer((request, response) => {
  const requests = (requestsOf.get(request.socket) ?? 0) + 1;
  requestsOf.set(request.socket, requests);
  requestsOfAll += 1;
  switch (request.url) {
    case '/echo':
      return answer(response, `${fieldLines(request)}connection-requests: ${requests}\n`);
    case '/requests':
      // As nginx's stub_status has it: accepted, handled, requests.
      return answer(response, ` 0 0 ${requestsOfAll} \n`);
    case '/digest': {
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => hash.update(chunk));
      return void request.on('end', () => answer(response, hash.digest('hex')));
    }
    case '/sink':
      return void request.on('end', () => answer(response, 'ok\n')).resume();
    default:
      return answer(response, CANNED.get(request.url ?? '') ?? ORIGIN_BODY);
  }
});

function answer(response: ServerResponse, body: Buffer | string): void {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  response.end(body);
}

function fieldLines({ rawHeaders }: IncomingMessage): string {
  return rawHeaders.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\n`)).join('');
}

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('message', (message) => socket.send(message, { binary: false }));
  socket.on('error', () => socket.terminate());
});
server.keepAliveTimeout = 3_600_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
