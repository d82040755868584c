/** A hop of node:http towards the client and undici towards the origin, in a process of its own. */
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, upgrade } from 'undici';
import { serveNodeHop } from './node-hop.ts';
import { KEPT_TO_ORIGIN } from './target.ts';

const agent = new Agent({ connections: KEPT_TO_ORIGIN, pipelining: 1 });

serveNodeHop({
  web(request, response, origin, fail) {
    const { method = 'GET', url = '/', headers } = request;
    const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
    agent
      .stream(
        { origin, path: url, method, headers: withoutHopByHop(headers), body: hasBody ? request : null },
        ({ statusCode, headers: answered }) => response.writeHead(statusCode, withoutHopByHop(answered)),
      )
      .catch(fail);
  },
  upgrade(request, socket, head, origin) {
    const { url = '/', headers } = request;
    const protocol = headers.upgrade ?? 'websocket';
    upgrade(`${origin}${url}`, {
      dispatcher: agent,
      method: 'GET',
      headers: withoutHopByHop(headers),
      protocol,
    })
      .then(({ headers: answered, socket: upstream }) => {
        const fields = Object.entries(answered).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('')}\r\n`);
        if (head.length > 0) upstream.write(head);
        upstream.on('error', () => socket.destroy());
        socket.on('error', () => upstream.destroy());
        socket.pipe(upstream).pipe(socket);
      })
      .catch(() => socket.destroy());
  },
});

/** undici refuses these of a request, and an answer's are the connection's own. */
function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const {
    connection: _connection,
    'keep-alive': _keepAlive,
    'transfer-encoding': _transferEncoding,
    upgrade: _upgrade,
    expect: _expect,
    ...rest
  } = headers;
  return rest;
}
