/** The origin where nginx is missing, in a process of its own: bare sockets, one canned answer. Argument: the port. */
import { createServer } from 'node:net';
import { ORIGIN_BODY } from './origin.ts';

const canned = answer(ORIGIN_BODY);

function answer(body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n${body}`,
    'latin1',
  );
}

/** Only ever asked by proxies that have been checked, and without bodies: an empty line ends a request. */
const server = createServer({ noDelay: true }, (socket) => {
  let waiting = '';
  let requests = 0;
  socket.on('data', (chunk) => {
    waiting += chunk.toString('latin1');
    for (let end = waiting.indexOf('\r\n\r\n'); end >= 0; end = waiting.indexOf('\r\n\r\n')) {
      const [line = '', ...fields] = waiting.slice(0, end).split('\r\n');
      waiting = waiting.slice(end + 4);
      requests += 1;
      const echo = line.split(' ')[1] === '/echo';
      socket.write(echo ? answer([...fields, `connection-requests: ${requests}`, ''].join('\n')) : canned);
    }
  });
  socket.on('error', () => socket.destroy());
});
server.listen(Number(process.argv[2]), '127.0.0.1');
