/** What the control loop says of a batch: reports to whoever listens, and a bounded number of log lines. */
import type { Finding } from '../table/events.ts';
import type { Log } from '../telemetry/types.ts';
import { wordsOf } from './pause.ts';
import type { EventReport } from './types.ts';

export type ReportListener = (report: EventReport) => void;

export interface Reporter {
  /** Returns the function that ends the subscription. */
  subscribe(listener: ReportListener): () => void;
  /** False: reports of what went well are for nobody. */
  isHeard(): boolean;
  tell(reports: readonly EventReport[]): void;
}

/** Lines a batch and kind, at most: ten thousand poison messages must not become ten thousand lines. */
const maxLines = 5;

export function createReporter(log: Log): Reporter {
  const listeners = new Set<ReportListener>();
  return {
    subscribe(listener) {
      // A wrapper of its own, so that one function may listen twice and leave once.
      const entry: ReportListener = (report) => listener(report);
      listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },
    isHeard: () => listeners.size > 0,
    tell(reports) {
      for (const report of reports) {
        for (const listener of listeners) {
          try {
            listener(report);
          } catch (error) {
            log.warn('a listener to events failed', {
              code: 'CONTROL_LISTENER_FAILED',
              reason: wordsOf(error),
            });
          }
        }
      }
      logQuarantined(reports, log);
    },
  };
}

/** Evictions, displaced aliases and the like: applied, yet an operator should see them. */
export function logFindings(findings: readonly Finding[], log: Log): void {
  for (const { message, code, app, decision } of findings.slice(0, maxLines)) {
    const decided =
      decision === undefined
        ? {}
        : { policy: decision.policy, winner: decision.winner, displaced: decision.displaced };
    log.warn(message, { code, app, ...decided });
  }
  if (findings.length > maxLines) {
    log.warn(`${findings.length - maxLines} more findings of this kind in one batch`);
  }
}

function logQuarantined(reports: readonly EventReport[], log: Log): void {
  const quarantined = reports.filter(({ outcome }) => outcome === 'quarantined');
  for (const { source, messageId, action, app, subject, code, reason } of quarantined.slice(0, maxLines)) {
    log.warn('an event was quarantined', { code, reason, action, app, subject, source, messageId });
  }
  if (quarantined.length > maxLines) {
    log.warn(`${quarantined.length - maxLines} more events of one batch were quarantined`);
  }
}
