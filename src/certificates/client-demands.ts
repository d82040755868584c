/** Which hosts ask their clients for certificates, and what these are verified against now. */
import { createHash } from 'node:crypto';
import { createHostPatterns } from '../config/host-patterns.ts';
import type { Config } from '../config/schema.ts';
import { type FileWatch, watchFiles } from '../config/watch-files.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { type ClientCertificateRule, type ClientTrust, loadClientTrust } from './client-trust.ts';
import type { PlatformProblem } from './load-platform.ts';

/** What a host demands of its clients. Plain data. */
export interface ClientDemand {
  /** Of mode and trust. No connection or session of one demand is ever taken for one of another. */
  readonly id: string;
  readonly mode: ClientCertificateRule['mode'];
  readonly trust: ClientTrust;
  readonly forward: ClientCertificateRule['forward'];
  readonly sslClientCert: boolean;
}

/** A demand with the names that have it. */
export interface LoadedClientRule {
  readonly names: readonly string[];
  readonly demand: ClientDemand;
}

export interface ClientDemands {
  /** Of a host in normal form; null: it asks for no certificate. */
  of(host: string | null): ClientDemand | null;
  /** Puts these rules in the place of the former ones; returns the ids of the demands that no longer hold. */
  replace(rules: readonly LoadedClientRule[]): ReadonlySet<string>;
}

export function createClientDemands(first: readonly LoadedClientRule[]): ClientDemands {
  let rules = first;
  let find = patternsOf(first);
  return {
    of: (host) => (host === null ? null : find(host)),
    replace(next) {
      const gone = new Set(rules.map(({ demand }) => demand.id));
      for (const { demand } of next) gone.delete(demand.id);
      rules = next;
      find = patternsOf(next);
      return gone;
    },
  };
}

function patternsOf(rules: readonly LoadedClientRule[]): (host: string) => ClientDemand | null {
  return createHostPatterns(
    rules.flatMap(({ names, demand }) => names.map((name) => [name, demand] as const)),
  );
}

/** Reads every rule's files; all problems at once, with the path of the key at fault. Never throws. */
export function loadClientRules(config: Config['clientCertificates']): {
  readonly rules: readonly LoadedClientRule[];
  readonly problems: readonly PlatformProblem[];
} {
  const rules: LoadedClientRule[] = [];
  const problems: PlatformProblem[] = [];
  for (const [n, rule] of config.rules.entries()) {
    const loaded = loadClientTrust(rule);
    if (loaded.ok) rules.push({ names: rule.names, demand: demandOf(rule, loaded.trust) });
    else {
      const { key, code, reason } = loaded;
      problems.push({ path: `clientCertificates.rules[${n}].${key}`, code, reason });
    }
  }
  return { rules, problems };
}

/** Hands over all rules after a change of their files, if all can be used. Else everything stays as it was, loudly. */
export function watchClientRules(options: {
  readonly config: Config['clientCertificates'];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly publish: (rules: readonly LoadedClientRule[]) => void;
}): FileWatch {
  const { config, log, metrics, publish } = options;
  const failures = metrics.counter(
    'tls_client_ca_reload_failures_total',
    'Changes of the CAs and revocation lists for client certificates that could not be used',
  );
  const files = config.rules.flatMap(({ caFile, crlFile }) =>
    crlFile === undefined ? [caFile] : [caFile, crlFile],
  );
  return watchFiles(files, () => {
    const { rules, problems } = loadClientRules(config);
    if (problems.length === 0) {
      publish(rules);
      log.info('CAs and revocation lists for client certificates read', { rules: rules.length });
      return;
    }
    failures.inc();
    for (const { path, code, reason } of problems)
      log.error('the CAs for client certificates stay as they were', { path, code, reason });
  });
}

function demandOf(rule: ClientCertificateRule, trust: ClientTrust): ClientDemand {
  const { mode, forward, sslClientCert } = rule;
  const id = createHash('sha256').update(`${mode} ${trust.id}`).digest('hex').slice(0, 32);
  return { id, mode, trust, forward, sslClientCert };
}
