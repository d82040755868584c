/** Numbers of the control plane. Labels are closed sets: neither applications nor what strangers wrote. */
import type { Finding } from '../table/events.ts';
import type { Metrics } from '../telemetry/types.ts';
import type { ControlStatus, EventReport } from './types.ts';

/** Actions of the SPI; anything else an event claims to be is counted as `other`. */
const knownActions: ReadonlySet<string> = new Set([
  'create_application',
  'delete_application',
  'add_public_endpoint',
  'remove_public_endpoint',
  'add_alias',
  'remove_alias',
  'add_ssl',
  'remove_ssl',
  'retire_ssl',
  'pin_endpoint',
  'unpin_endpoint',
  'pin_alias',
  'unpin_alias',
]);

const lagBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 7.5, 10, 15, 20, 30, 45,
  60, 120, 300,
];
const batchBuckets = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000];
const commitBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export interface ControlMetrics {
  event(told: Pick<EventReport, 'action' | 'outcome' | 'code' | 'notes'>, lagMs: number): void;
  batch(size: number): void;
  /** Seconds. */
  committed(seconds: number): void;
  commitFailed(): void;
  finding(finding: Finding): void;
}

export function createControlMetrics(metrics: Metrics, status: () => ControlStatus): ControlMetrics {
  const events = metrics.counter('events_total', 'Routing events, by action and outcome', [
    'action',
    'outcome',
  ]);
  const refused = metrics.counter('events_quarantined_total', 'Quarantined events, by reason code', ['code']);
  const notes = metrics.counter('event_notes_total', 'Oddities of events that were applied all the same');
  const findings = metrics.counter('findings_total', 'What an operator should see of events, by code', [
    'code',
  ]);
  const decisions = metrics.counter('ownership_decisions_total', 'Claims that met, by policy', ['policy']);
  const lag = metrics.histogram(
    'event_lag_seconds',
    'From the message bus (or arrival) to durable',
    lagBuckets,
  );
  const sizes = metrics.histogram('event_batch_size', 'Events made durable by one transaction', batchBuckets);
  const commits = metrics.histogram(
    'store_commit_seconds',
    'Synced transactions of the store',
    commitBuckets,
  );
  const failures = metrics.counter(
    'store_commit_failures_total',
    'Transactions the store refused; tried again',
  );
  const gauges = {
    generation: metrics.gauge('table_generation', 'Generation of the routing table'),
    confirmedGeneration: metrics.gauge('table_confirmed_generation', 'Generation that the data plane serves'),
    applications: metrics.gauge('applications', 'Applications known'),
    endpoints: metrics.gauge('endpoints', 'Endpoints known, routable or not'),
    names: metrics.gauge('host_names', 'Host names claimed'),
    certificates: metrics.gauge('alias_certificates', 'Certificates of aliases'),
    retiring: metrics.gauge('alias_certificates_retiring', 'Removed certificates in their grace time'),
    quarantined: metrics.gauge('quarantined_events', 'Events kept in quarantine'),
    waiting: metrics.gauge('events_waiting', 'Events that wait for the control loop'),
  };
  const restored = metrics.gauge(
    'store_restored',
    '1: this start found the store damaged and went back to its last verified snapshot',
  );
  const snapshot = metrics.gauge(
    'store_snapshot_timestamp_seconds',
    'When the last verified snapshot of the store was taken; 0: never',
  );
  metrics.onCollect(() => {
    const now = status();
    restored.set(now.storeRestored === null ? 0 : 1);
    snapshot.set((now.snapshotAt ?? 0) / 1000);
    for (const [name, gauge] of Object.entries(gauges)) gauge.set(now[name as keyof typeof gauges]);
  });
  return {
    event(told, lagMs) {
      const action = told.action === null ? 'none' : knownActions.has(told.action) ? told.action : 'other';
      events.inc({ action, outcome: told.outcome });
      if (told.outcome === 'quarantined') refused.inc({ code: told.code });
      if (told.notes.length > 0) notes.inc({}, told.notes.length);
      lag.observe(lagMs / 1000);
    },
    batch: (size) => sizes.observe(size),
    committed: (seconds) => commits.observe(seconds),
    commitFailed: () => failures.inc(),
    finding({ code, decision }) {
      findings.inc({ code });
      if (decision !== undefined) decisions.inc({ policy: decision.policy });
    },
  };
}
