/**
 * What admin may ask of the rest of the house: narrow functions that return plain data, handed in by the composition
 * root. Admin never holds the rooms themselves. What changes something says so, and is asked only after authorise.ts.
 */
import type { CertificateView } from '../control/certificate-view.ts';
import type { TakenEvents } from '../control/take-events.ts';
import type { ControlStatus, EventReport } from '../control/types.ts';
import type { CommandResult } from '../control/work.ts';

export interface ControlView {
  status(): ControlStatus;
  /** Of the table; null while it is made. */
  digest(): string | null;
  /** Why this Headgear is not ready yet, or null once the first table serves. */
  notReady(): string | null;
  /** A snapshot of the whole table: it stays the same however slowly it is read. */
  table(): TableView;
  /** `limit` applications from `offset` on; `next` is the offset that follows, or null at the end. */
  tablePage(offset: number, limit: number): TablePageView;
  /** By `namespace/app`; null when there is none. */
  app(key: string): object | null;
  /** By host name in normal form; null when nobody claims it. */
  host(host: string): object | null;
  /** Newest first. */
  quarantined(limit: number): readonly QuarantineView[];
  quarantineEntry(id: number): QuarantineView | null;
  /** Replays or drops quarantined messages, oldest first; null: all of them. Resolves when that is durable. */
  settleQuarantine(verb: 'replay' | 'drop', ids: readonly number[] | null): Promise<readonly SettledView[]>;
  /** What operators should see of the latest events, newest first. */
  findings(): readonly object[];
  /** Every certificate, or those that need a look; never keys. */
  certificates(only: 'all' | 'alerts'): Iterable<CertificateView>;
  /** Hears of each event once it is durable. Returns what ends that. */
  subscribe(listener: (report: EventReport) => void): () => void;
  /** Events of another platform's plugin, JSON or YAML; resolves when all of them are durable. */
  takeEvents(text: Buffer, source: string): Promise<TakenEvents>;
  /** Publishes nothing of what comes until the thaw. */
  setFrozen(verb: 'freeze' | 'thaw'): Promise<WriteAnswer>;
  /** Changes the state by hand (control/manual.ts); resolves when it is durable, with what it came to. */
  manual(request: Readonly<Record<string, unknown>>): Promise<WriteAnswer>;
}

/** 200 done, 400 not understood, 409 refused. */
export interface WriteAnswer extends CommandResult {
  readonly status: 200 | 400 | 409;
}

export interface SettledView extends CommandResult {
  readonly id: number;
}

/** What was, and why something is. */
export interface HistoryView {
  why(host: string): Promise<object>;
  /** Epoch milliseconds, both included; oldest first. */
  changes(
    from: number,
    to: number,
    limit: number,
  ): Promise<{ readonly entries: readonly object[]; readonly cut: boolean }>;
  /** null: the journal does not reach back that far. */
  tableAt(
    at: number,
  ): Promise<{ readonly at: number; readonly total: number; readonly apps: Iterable<object> } | null>;
}

export interface TableView {
  readonly generation: number;
  readonly total: number;
  readonly apps: Iterable<object>;
}

export interface TablePageView {
  readonly apps: readonly object[];
  readonly total: number;
  readonly next: number | null;
}

/** A message that was acked but not applied. The body may hold a private key and is never shown as it is. */
export interface QuarantineView {
  readonly id: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly source: string;
  readonly messageId: string | null;
  readonly code: string;
  readonly reason: string;
  readonly action: string | null;
  readonly app: string | null;
  readonly body: Uint8Array;
  readonly bodyBytes: number;
}

/** The data plane: counters and lists. */
export interface PlaneView {
  status(): object | Promise<object>;
}

/** What a shadow would route otherwise than its incumbent. */
export interface ShadowView {
  status(): object;
  differing(): Iterable<object>;
}

/** Latest answers of the keep-awake probes. */
export interface ProbesView {
  results(): Iterable<object>;
}
