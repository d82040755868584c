/** What operators are told of TLS towards gears: loudly, where nothing is verified, and which endpoint's handshakes fail for what. */
import type { Config } from '../config/schema.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import type { UpstreamFailure } from './failure.ts';

/** One line an endpoint in this time: a busy application would else fill the log with its gear's certificate. */
const LOG_EVERY_MS = 60_000;
/** Endpoints whose last line is remembered. */
const MAX_REMEMBERED = 10_000;

export interface TlsReport {
  /** Takes each failed attempt; only those of TLS are told. `now` of performance.now(). */
  failed(endpoint: PublishedEndpoint, failure: UpstreamFailure, now: number): void;
  /** The endpoint left the table. */
  forget(endpointId: string): void;
}

/** Says at once what is not verified. */
export function createTlsReport(
  config: Pick<Config, 'endpoints' | 'nodeFrontend'>,
  log: Log,
  metrics: Metrics,
): TlsReport {
  const { endpoints, nodeFrontend } = config;
  const off = metrics.gauge(
    'upstream_tls_verification_off',
    'Whether certificates of TLS gears and node frontends are taken without a look',
    ['of'],
  );
  off.set(endpoints.verifyTls ? 0 : 1, { of: 'endpoints' });
  off.set(nodeFrontend.verifyTls ? 0 : 1, { of: 'nodeFrontend' });
  const risk = 'anybody on the way to the node can read and change what passes';
  if (!endpoints.verifyTls) {
    log.warn(`CERTIFICATES OF HTTPS GEARS ARE NOT VERIFIED (endpoints.verifyTls is off): ${risk}`);
  }
  const frontendsInUse = nodeFrontend.aliases || Object.values(nodeFrontend.applications).includes(true);
  if (frontendsInUse && !nodeFrontend.verifyTls) {
    log.warn(`CERTIFICATES OF NODE FRONTENDS ARE NOT VERIFIED (nodeFrontend.verifyTls is off): ${risk}`);
  }
  const failures = metrics.counter(
    'upstream_tls_failures_total',
    'TLS connections to gears and node frontends that failed, by failure code',
    ['code'],
  );
  const loggedAt = new Map<string, number>();
  return {
    failed(endpoint, { code, detail }, now) {
      if (!code.startsWith('CONNECT_TLS')) return;
      failures.inc({ code });
      const last = loggedAt.get(endpoint.id);
      if (last !== undefined && now - last < LOG_EVERY_MS) return;
      if (loggedAt.size >= MAX_REMEMBERED) loggedAt.clear();
      loggedAt.set(endpoint.id, now);
      log.warn('TLS with a gear failed', {
        code,
        reason: detail,
        endpoint: endpoint.id,
        gear: endpoint.gearId,
        verified: endpoint.verifyTls,
      });
    },
    forget: (endpointId) => void loggedAt.delete(endpointId),
  };
}
