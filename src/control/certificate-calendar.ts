/**
 * Which applications hold certificates that end on which day, and which hold any that an operator should look at: so that alerts and
 * metrics cost what they show, with 100,000 certificates or a hundred.
 */
import type { AppKey } from '../spi/events.ts';
import { certificateEnd, certificateWarnings } from '../table/certificate-ref.ts';
import type { AliasRecord, Application } from '../table/state.ts';
import { DAY_MS } from './certificate-view.ts';

export interface CertificateCalendar {
  /** An application's record is another one, appeared or went. Costs what its aliases are. */
  changed(was: Application | undefined, is: Application | undefined): void;
  /** Number of certificates by the day of their end (days since the epoch), in no order. */
  days(): Iterable<readonly [day: number, certificates: number]>;
  /** Applications with certificates that end up to and with this day, the soonest first. */
  endingUntil(day: number): Iterable<AppKey>;
  /** Applications with refusals, or with certificates that were odd when they came; some may be fine by now. */
  odd(): Iterable<AppKey>;
  readonly refused: number;
  readonly mismatched: number;
}

type Count = Map<AppKey, number>;

export function createCertificateCalendar(): CertificateCalendar {
  const days = new Map<number, { total: number; readonly apps: Count }>();
  const odd: Count = new Map();
  let refused = 0;
  let mismatched = 0;

  function count(app: AppKey, { certificate, refusal }: AliasRecord, by: 1 | -1): void {
    if (refusal !== null) refused += by;
    const warnings = certificate === null ? [] : certificateWarnings(certificate);
    if (warnings.includes('CERT_NAME_MISMATCH')) mismatched += by;
    if (refusal !== null || warnings.length > 0) add(odd, app, by);
    if (certificate === null) return;
    const day = Math.floor(certificateEnd(certificate) / DAY_MS);
    const entry = days.get(day) ?? { total: 0, apps: new Map() };
    entry.total += by;
    add(entry.apps, app, by);
    if (entry.total === 0) days.delete(day);
    else days.set(day, entry);
  }

  return {
    changed(was, is) {
      if (was?.aliases === is?.aliases) return;
      if (was === undefined) {
        for (const record of is?.aliases ?? []) if (is !== undefined) count(is.key, record, 1);
        return;
      }
      const kept = new Set(was.aliases);
      for (const record of is?.aliases ?? []) {
        if (is !== undefined && !kept.delete(record)) count(is.key, record, 1);
      }
      for (const record of kept) count(was.key, record, -1);
    },
    *days() {
      for (const [day, { total }] of days) yield [day, total];
    },
    *endingUntil(last) {
      const sooner = [...days.keys()].filter((day) => day <= last).sort((a, b) => a - b);
      for (const day of sooner) yield* days.get(day)?.apps.keys() ?? [];
    },
    odd: () => odd.keys(),
    get refused() {
      return refused;
    },
    get mismatched() {
      return mismatched;
    },
  };
}

function add(counts: Count, app: AppKey, by: 1 | -1): void {
  const count = (counts.get(app) ?? 0) + by;
  if (count === 0) counts.delete(app);
  else counts.set(app, count);
}
