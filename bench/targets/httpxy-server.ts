/** The bare httpxy hop, in a process of its own. */
import { Agent } from 'node:http';
import { createProxyServer } from 'httpxy';
import { serveNodeHop } from './node-hop.ts';
import { KEPT_TO_ORIGIN } from './target.ts';

const agent = new Agent({ keepAlive: true, maxFreeSockets: KEPT_TO_ORIGIN });
const proxy = createProxyServer({ agent });

serveNodeHop({
  web: (request, response, target, fail) => void proxy.web(request, response, { target }).catch(fail),
  upgrade: (request, socket, head, target) =>
    void proxy.ws(request, socket, { target }, head).catch(() => socket.destroy()),
});
