/** What an idle connection costs Node itself: sockets that answered once and wait. Its argument is `NodeServerOptions` as JSON. */
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ORIGIN_BODY } from '../origin-bodies.ts';
import { readNodeServerOptions } from './node-server.ts';

const { httpPort, httpsPort, tls } = readNodeServerOptions();
const canned = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${ORIGIN_BODY.length}\r\n\r\n${ORIGIN_BODY}`,
);

// Functions that all share: nothing here is a connection's own.
function answer(this: Socket): void {
  this.write(canned);
}

function giveUp(this: Socket): void {
  this.destroy();
}

function serve(socket: Socket): void {
  socket.on('data', answer);
  socket.on('error', giveUp);
}

const plain = createServer({ noDelay: true }, serve);
const secure = createTlsServer(tls, serve);
plain.listen(httpPort, '127.0.0.1', () => secure.listen(httpsPort, '127.0.0.1'));
