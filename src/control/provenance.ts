/** Why something is as it is, what changed between two times, and what the table was: read from the journal, in turns with the traffic. */
import { setImmediate } from 'node:timers/promises';
import type { AppKey } from '../spi/events.ts';
import {
  aliasSubject,
  applicationSubject,
  certificateSubject,
  endpointSubject,
} from '../store/journal-subjects.ts';
import type { JournalEntry, Origin, Store } from '../store/types.ts';
import { endpointKey } from '../table/address-policy.ts';
import { describeHost, type HostView } from '../table/describe.ts';
import { impliedNames } from '../table/names.ts';
import type { TablePolicy } from '../table/policy.ts';
import { type RecordChange, undoChange } from '../table/record-changes.ts';
import { type ShownApplication, shownApplication } from '../table/shown-alias.ts';
import type { Application, RoutingState } from '../table/state.ts';

export interface Provenance {
  /** What a host leads to and which events made it so; for a host that leads nowhere, the last event that spoke of it. */
  why(host: string): Promise<Why>;
  /** Journal entries from `from` to `to` (epoch milliseconds, both included), oldest first, at most `limit` of the latest. */
  changes(from: number, to: number, limit: number): Promise<Changes>;
  /** Every application as it was at a time, or null where the journal does not reach back that far. */
  tableAt(at: number): Promise<PastTable | null>;
}

export interface Why {
  readonly host: string;
  readonly now: HostView | null;
  /** What the route is made of, each with its event; null: from before the journal's beginning. */
  readonly because: readonly { readonly what: string; readonly event: Origin | null }[];
  /** The latest event that spoke of the host; only where it leads nowhere. */
  readonly lastMention: JournalEntry | null;
}

export interface Changes {
  readonly entries: readonly JournalEntry[];
  /** There were more than `limit`, older ones. */
  readonly cut: boolean;
}

export interface PastTable {
  readonly at: number;
  readonly total: number;
  readonly apps: Iterable<ShownApplication>;
}

/** Entries that are read in one turn of the event loop: about 5 ms. */
const pageSize = 200;

export function createProvenance(
  store: Pick<Store, 'journalPage' | 'originsOf'>,
  state: () => RoutingState,
  policy: TablePolicy,
): Provenance {
  async function* backwards(): AsyncGenerator<JournalEntry> {
    let before: number | null = null;
    for (;;) {
      const page: readonly JournalEntry[] = store.journalPage(before, pageSize);
      for (const entry of page) yield entry;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      before = last.number;
      await setImmediate();
    }
  }

  return {
    async why(host) {
      const now = describeHost(state(), host, policy);
      const app = now === null ? undefined : state().apps.get(now.route.app);
      if (now !== null && app !== undefined) {
        const because = reasonsOf(host, now, app, store.originsOf(app.key));
        return { host, now, because, lastMention: null };
      }
      for await (const entry of backwards()) {
        if (entry.changes.some((change) => speaksOf(change, host, policy)))
          return { host, now, because: [], lastMention: entry };
      }
      return { host, now, because: [], lastMention: null };
    },

    async changes(from, to, limit) {
      const entries: JournalEntry[] = [];
      for await (const entry of backwards()) {
        if (entry.at < from) break;
        if (entry.at > to) continue;
        if (entries.length === limit) return { entries: entries.reverse(), cut: true };
        entries.push(entry);
      }
      return { entries: entries.reverse(), cut: false };
    },

    async tableAt(at) {
      const today = state();
      const past = new Map<AppKey, Application | null>();
      // What comes while this is read belongs to no state that was taken before.
      const [latest] = store.journalPage(null, 1);
      let reached = latest === undefined || latest.at <= at;
      let oldest = latest?.number ?? 1;
      for await (const entry of backwards()) {
        if (latest === undefined || entry.number > latest.number) continue;
        oldest = entry.number;
        if (entry.at <= at) {
          reached = true;
          break;
        }
        for (const change of entry.changes.toReversed()) {
          const known = past.get(change.app);
          const record = known === undefined ? (today.apps.get(change.app) ?? null) : known;
          past.set(change.app, undoChange(record, change));
        }
      }
      // The first entry of all undone is the table before there was a journal.
      if (!reached && oldest > 1) return null;
      let total = today.apps.size;
      for (const [key, app] of past) total += Number(app !== null) - Number(today.apps.has(key));
      return { at, total, apps: pastApps(today, past) };
    },
  };
}

/** The present records but for those that were others. */
function* pastApps(
  today: RoutingState,
  past: ReadonlyMap<AppKey, Application | null>,
): Generator<ShownApplication> {
  for (const [key, app] of today.apps) if (!past.has(key)) yield shownApplication(app);
  for (const app of past.values()) if (app !== null) yield shownApplication(app);
}

function reasonsOf(
  host: string,
  { route, certificateId }: HostView,
  app: Application,
  origins: ReadonlyMap<string, Origin>,
): Why['because'] {
  const reason = (what: string, subject: string) => ({ what, event: origins.get(subject) ?? null });
  return [
    reason(`application ${app.key}`, applicationSubject),
    ...(route.kind === 'alias' ? [reason(`alias ${host}`, aliasSubject(host))] : []),
    ...(certificateId === null ? [] : [reason(`certificate of ${host}`, certificateSubject(host))]),
    ...app.endpoints.map(({ address, port }) =>
      reason(`endpoint ${endpointKey(address, port)}`, endpointSubject(endpointKey(address, port))),
    ),
  ];
}

function speaksOf(change: RecordChange, host: string, policy: TablePolicy): boolean {
  if (change.kind === 'alias') return change.alias === host;
  if (change.kind !== 'application') return false;
  const head = change.after ?? change.before;
  if (head === null) return false;
  const { plain, ha } = impliedNames(head, policy);
  return plain === host || ha === host;
}
