/** What is said of a batch once it is durable: numbers, reports to whoever listens, log lines, and the latest findings. */
import type { Log } from '../telemetry/types.ts';
import type { ControlMetrics } from './control-metrics.ts';
import type { Said } from './handle-delivery.ts';
import { wordsOf } from './pause.ts';
import { logFindings, type Reporter } from './tell.ts';
import type { EventReport, FindingReport } from './types.ts';
import type { Work } from './work.ts';

/** Findings that are kept to be shown. */
const maxFindings = 1_000;

export interface Account {
  /** Never throws. `at`: epoch milliseconds at which the batch became durable. */
  give(works: readonly Work[], said: readonly Said[], generation: number, at: number): void;
  /** Newest first. */
  findings(): readonly FindingReport[];
}

/** Reports are made for those who listen, and of what is quarantined: in a flood of events most are for nobody. */
export function createAccount(reporter: Reporter, measured: ControlMetrics, log: Log): Account {
  const latest: FindingReport[] = [];
  let eventNumber = 0;

  function give(works: readonly Work[], said: readonly Said[], generation: number, at: number): void {
    const reports: EventReport[] = [];
    const found: FindingReport[] = [];
    const isHeard = reporter.isHeard();
    for (const [i, { told, findings }] of said.entries()) {
      const work = works[i];
      if (work === undefined) continue;
      eventNumber += 1;
      // Clocks differ: an event from the future has no lag.
      const lagMs = Math.max(0, at - (work.sentAt ?? work.receivedAt));
      measured.event(told, lagMs);
      if (isHeard || told.outcome === 'quarantined') {
        const { source, messageId } = work;
        reports.push({ ...told, number: eventNumber, at, source, messageId, generation, lagMs });
      }
      for (const finding of findings) {
        measured.finding(finding);
        found.push({ ...finding, at, event: eventNumber });
      }
    }
    measured.batch(works.length);
    reporter.tell(reports);
    logFindings(found, log);
    latest.push(...found);
    latest.splice(0, latest.length - maxFindings);
  }

  return {
    give(works, said, generation, at) {
      try {
        give(works, said, generation, at);
      } catch (error) {
        log.error('events could not be reported', {
          code: 'CONTROL_REPORT_FAILED',
          reason: wordsOf(error),
        });
      }
    },
    findings: () => latest.toReversed(),
  };
}
