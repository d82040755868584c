/** The least that HTTP/2 costs on this Node: a static answer of 1 KiB by node:http2's core API. Arguments: port, certificate, key, ciphers. */
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { ORIGIN_BODY } from './origin.ts';

const [, , port = '0', certFile = '', keyFile = '', ciphers = ''] = process.argv;
const body = Buffer.from(ORIGIN_BODY);
const server = createSecureServer({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
  ciphers,
});
server.on('stream', (stream) => {
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': body.length });
  stream.end(body);
});
server.on('session', (session) => session.on('error', () => {}));
server.listen(Number(port), '127.0.0.1');
