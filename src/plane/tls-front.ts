/** What the HTTPS listeners do with a connection: pass it on undecrypted, or decrypt it, judge its client, and hand it to who speaks HTTP. */
import type { Socket } from 'node:net';
import type { CertificateBook } from '../certificates/certificate-book.ts';
import type { ClientDemands } from '../certificates/client-demands.ts';
import type { Config } from '../config/schema.ts';
import { createClientJudge } from '../edge/client-certificate.ts';
import type { ConnectionFacts } from '../edge/connection-facts.ts';
import type { ConnectionHandler } from '../edge/connection-handler.ts';
import { createPassThrough } from '../edge/pass-through.ts';
import type { Serving } from '../edge/serving.ts';
import { acceptTls, alpnList } from '../edge/tls-accept.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { Log, Metrics } from '../telemetry/types.ts';

export function createTlsFront(options: {
  readonly config: Config;
  readonly serving: Serving;
  readonly handler: ConnectionHandler;
  readonly certificates: Pick<CertificateBook, 'contextFor'>;
  readonly demands: Pick<ClientDemands, 'of'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** A connection that was not decrypted is over. */
  recordConnection(context: RequestContext, durationUs: number): void;
}): (socket: Socket, facts: ConnectionFacts) => void {
  const { config, serving, handler, demands, log, metrics } = options;
  const handshakeFailures = metrics.counter('tls_handshake_failures_total', 'TLS handshakes that failed', [
    'code',
  ]);
  const passThrough = createPassThrough({
    config,
    serving,
    metrics,
    asksForCertificate: (host) => demands.of(host) !== null,
    record: options.recordConnection,
  });
  const clientJudge = createClientJudge({ log, metrics });
  const tlsOptions = {
    contextFor: options.certificates.contextFor,
    handshakeTimeoutMs: config.tls.handshakeTimeoutMs,
    alpnProtocols: alpnList(handler.alpnProtocols),
  };
  return (socket, facts) => {
    acceptTls(
      socket,
      { ...tlsOptions, passThrough: (serverName) => passThrough(serverName, facts) },
      (secured, { alpnProtocol, serverName, demand }) => {
        const client =
          demand === null ? null : clientJudge.judge(secured, demand, facts.peerAddress, serverName);
        const known = { ...facts, serverName, client };
        if (alpnProtocol === 'h2') handler.handleHttp2(secured, known);
        else handler.handle(secured, known);
      },
      (code, _reason, serverName) => {
        handshakeFailures.inc({ code });
        if (code === 'EDGE_TLS_NO_CLIENT_CERTIFICATE') clientJudge.noteMissing(facts.peerAddress, serverName);
      },
    );
  };
}
