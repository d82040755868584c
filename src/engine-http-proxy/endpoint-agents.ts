/** Keep-alive connections to gears, by Node's agents, kept apart by endpoint: a port that got a new owner never sees a connection of the old one. */
import { type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import { upstreamTlsContext } from '../upstream/tls-policy.ts';

/** Request options as http-proxy hands them through from its `ssl` option. */
interface MarkedOptions extends ClientRequestArgs {
  readonly endpointId?: string;
  readonly servername?: string;
}

export interface EndpointAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
  /** The endpoint is gone: its idle connections end, those with a request on them when that is over. */
  retire(endpointId: string): void;
  destroy(): void;
}

export function createEndpointAgents(upstream: Config['upstream']): EndpointAgents {
  const options = {
    keepAlive: true,
    // Idle connections only; one with a request on it has that request's own time-out.
    timeout: upstream.idleTimeoutMs,
    maxFreeSockets: upstream.maxIdlePerEndpoint,
    maxTotalSockets: Number.POSITIVE_INFINITY,
    scheduling: 'lifo' as const,
  };
  const nameOf = (marked: MarkedOptions | undefined) =>
    `${marked?.endpointId ?? ''}\n${marked?.servername ?? ''}`;
  const retired = new WeakSet<object>();
  const http = new HttpAgent(options);
  http.getName = nameOf;
  const https = new HttpsAgent({ ...options, ...upstreamTlsContext(upstream.tls) });
  https.getName = nameOf;
  for (const agent of [http, https]) {
    const keep = agent.keepSocketAlive.bind(agent);
    agent.keepSocketAlive = (socket) => !retired.has(socket) && keep(socket);
  }
  const socketsOf = (list: Readonly<NodeJS.Dict<Socket[]>>, endpointId: string): Socket[] =>
    Object.entries(list).flatMap(([name, sockets]) =>
      name.startsWith(`${endpointId}\n`) ? (sockets ?? []) : [],
    );
  return {
    http,
    https,
    retire(endpointId) {
      for (const agent of [http, https]) {
        for (const socket of socketsOf(agent.sockets, endpointId)) retired.add(socket);
        for (const socket of socketsOf(agent.freeSockets, endpointId)) socket.destroy();
      }
    },
    destroy() {
      http.destroy();
      https.destroy();
    },
  };
}
