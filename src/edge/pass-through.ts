/** Pass-through as the listener sees it: what takes a connection over undecrypted, if its name is one of those; and the counters. */
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { Metrics } from '../telemetry/types.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { PassThroughConnection, type PassThroughMeans } from './pass-through-connection.ts';
import { createPassThroughTargets } from './pass-through-target.ts';
import type { Serving } from './serving.ts';

/** Null: the connection is to be decrypted here. */
export type PassThrough = (
  serverName: string,
  facts: ConnectionFacts,
) => ((socket: Socket, hello: Buffer) => void) | null;

export function createPassThrough(options: {
  readonly config: Config;
  readonly serving: Serving;
  readonly metrics: Metrics;
  asksForCertificate(host: string): boolean;
  record(context: RequestContext, durationUs: number): void;
}): PassThrough {
  const { config, serving, metrics } = options;
  const targetOf = createPassThroughTargets(config.passThrough, serving.route, options.asksForCertificate);
  const connections = metrics.counter(
    'pass_through_connections_total',
    'TLS connections that were not decrypted, by failure code',
    ['failure'],
  );
  const bytes = metrics.counter('pass_through_bytes_total', 'Their bytes by direction', ['direction']);
  const means: PassThroughMeans = {
    serving,
    idleTimeoutMs: config.passThrough.idleTimeoutMs,
    handshakeTimeoutMs: config.tls.handshakeTimeoutMs,
    responseTimeoutMs: config.upstream.responseTimeoutMs,
    record(context, durationUs) {
      // Without what is behind the colon: details are for the log.
      const [failure = ''] = context.failure.split(':');
      connections.inc({ failure: failure === '' ? 'none' : failure });
      bytes.inc({ direction: 'in' }, context.bytesIn);
      bytes.inc({ direction: 'out' }, context.bytesOut);
      options.record(context, durationUs);
    },
  };
  return (serverName, facts) => {
    const target = targetOf(serverName);
    if (target === null) return null;
    return (socket, hello) => void new PassThroughConnection(socket, hello, serverName, facts, target, means);
  };
}
