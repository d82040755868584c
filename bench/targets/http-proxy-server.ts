/** The bare http-proxy hop, in a process of its own. */
import { Agent } from 'node:http';
import httpProxy from 'http-proxy';
import { serveNodeHop } from './node-hop.ts';
import { KEPT_TO_ORIGIN } from './target.ts';

const agent = new Agent({ keepAlive: true, maxFreeSockets: KEPT_TO_ORIGIN });
const proxy = httpProxy.createProxyServer({ agent });

serveNodeHop({
  web: (request, response, target, fail) => proxy.web(request, response, { target }, fail),
  upgrade: (request, socket, head, target) =>
    proxy.ws(request, socket, head, { target }, () => socket.destroy()),
});
