/** The least that HTTP/2 costs on this Node: static answers by node:http2's core API. Its argument is `NodeServerOptions` as JSON. */
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { BODIES, ORIGIN_BODY } from '../origin-bodies.ts';
import { readNodeServerOptions } from './node-server.ts';

const { httpsPort, tls } = readNodeServerOptions();
const small = Buffer.from(ORIGIN_BODY);

const server = createSecureServer(tls);
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  const body = BODIES.get(headers[':path'] ?? '') ?? small;
  // An upload is read to its end first, as the origin does.
  if (headers[':method'] === 'POST') stream.once('end', () => answer(stream, body)).resume();
  else answer(stream, body);
});

function answer(stream: ServerHttp2Stream, body: Buffer): void {
  // A client that ends in the middle of an upload takes its streams with it.
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': body.length });
  stream.end(body);
}

server.on('session', (session) => session.on('error', () => {}));
server.listen(httpsPort, '127.0.0.1');
