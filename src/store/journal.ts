/**
 * The journal of events and the origin of each thing in the records, written in the batch's own transaction: what is routed and what is
 * said of it cannot differ. Bounded by age and size; the origin of what still exists is kept beyond that.
 *
 * Origins are a table of their own because a search through the journal for each question would cost what the journal holds.
 */
import type { AppKey } from '../spi/events.ts';
import type { RecordChange } from '../table/record-changes.ts';
import { aliasSubject, applicationSubject, certificateSubject, endpointSubject } from './journal-subjects.ts';
import type { Tables } from './tables.ts';
import type { JournalEntry, NewJournalEntry, Origin } from './types.ts';

export interface JournalBounds {
  readonly maxAgeMs: number;
  /** Of the entries as JSON, together. */
  readonly maxBytes: number;
}

/** Where the journal stands; kept in `meta`. */
export interface JournalPlace {
  readonly first: number;
  readonly next: number;
  readonly bytes: number;
  /** Epoch milliseconds of the latest entry. */
  readonly at: number;
}

/** Old entries that one batch may clear away: what has aged over a quiet month must not hold up the next event. */
const MAX_CLEARED = 256;
/** Above every alias and endpoint in the keys of `origins`; both are ASCII. */
const AFTER_EVERYTHING = '\uffff';

export function readPlace({ meta }: Tables): JournalPlace {
  return {
    first: meta.get('journalFirst') ?? 1,
    next: meta.get('journalNext') ?? 1,
    bytes: meta.get('journalBytes') ?? 0,
    at: meta.get('journalAt') ?? 0,
  };
}

/**
 * Runs inside the transaction. `now` is epoch milliseconds; times in the journal never fall, so that what happened between two of them is
 * one piece of it whatever the clock did.
 */
export function writeJournal(
  tables: Tables,
  place: JournalPlace,
  entries: readonly NewJournalEntry[],
  bounds: JournalBounds,
  now: number,
): JournalPlace {
  const at = Math.max(place.at, now);
  let { first, next, bytes } = place;
  for (const entry of entries) {
    const number = next++;
    const record: JournalEntry = { ...entry, number, at };
    bytes += tables.journal.put(number, record);
    // One object for all: it is turned into bytes once (tables.ts).
    const origin = originOf(record);
    for (const change of entry.changes) writeOrigin(tables, change, origin);
  }
  const oldestAt = at - bounds.maxAgeMs;
  for (let cleared = 0; cleared < entries.length + MAX_CLEARED && first < next; cleared += 1) {
    // Only its age has to be read, and only where its size alone does not decide.
    if (bytes <= bounds.maxBytes && (tables.journal.get(first)?.at ?? 0) >= oldestAt) break;
    bytes = Math.max(0, bytes - tables.journal.size(first));
    tables.journal.remove(first);
    first += 1;
  }
  const { meta } = tables;
  meta.put('journalFirst', first);
  meta.put('journalNext', next);
  meta.put('journalBytes', bytes);
  meta.put('journalAt', at);
  return { first, next, bytes, at };
}

/** Up to `limit` entries below number `before` (null: the latest), newest first. */
export function journalPage(tables: Tables, before: number | null, limit: number): readonly JournalEntry[] {
  if (before !== null && before <= 1) return [];
  // The start of a reverse range is its upper end, and included.
  const start = before === null ? {} : { start: before - 1 };
  return tables.journal.values({ reverse: true, limit, ...start });
}

/** By subject (journal-subjects.ts), for everything that the application has. */
export function originsOf(tables: Tables, app: AppKey): ReadonlyMap<string, Origin> {
  const range = { start: [app, ''], end: [app, AFTER_EVERYTHING] };
  return new Map(tables.origins.entries(range).map(([[, subject], origin]) => [subject, origin]));
}

function writeOrigin({ origins }: Tables, change: RecordChange, origin: Origin): void {
  const put = (subject: string, isThere: boolean): void => {
    if (isThere) origins.put([change.app, subject], origin);
    else origins.remove([change.app, subject]);
  };
  switch (change.kind) {
    case 'application':
      // A change of its flags does not make it what it is, its first event does.
      if (change.before === null || change.after === null) put(applicationSubject, change.after !== null);
      return;
    case 'endpoint':
      put(endpointSubject(change.endpoint), change.after !== null);
      return;
    case 'alias': {
      const { before, after } = change;
      if ((before?.announced ?? false) !== (after?.announced ?? false))
        put(aliasSubject(change.alias), after?.announced === true);
      if (before?.certificate?.id !== after?.certificate?.id)
        put(certificateSubject(change.alias), (after?.certificate ?? null) !== null);
    }
  }
}

function originOf({ changes: _, notes: __, decisions: ___, ...origin }: JournalEntry): Origin {
  return origin;
}
