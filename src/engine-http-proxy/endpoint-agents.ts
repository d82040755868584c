/** Keep-alive connections to gears, by Node's agents, kept apart by endpoint: a port that got a new owner never sees a connection of the old one. */
import { type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Config } from '../config/schema.ts';

/** Request options as http-proxy hands them through from its `ssl` option. */
interface MarkedOptions extends ClientRequestArgs {
  readonly endpointId?: string;
  readonly servername?: string;
}

export interface EndpointAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
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
    `${marked?.endpointId ?? ''} ${marked?.servername ?? ''}`;
  const http = new HttpAgent(options);
  http.getName = nameOf;
  const https = new HttpsAgent(options);
  https.getName = nameOf;
  return {
    http,
    https,
    destroy() {
      http.destroy();
      https.destroy();
    },
  };
}
