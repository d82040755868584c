/** What the store keeps and how the control loop speaks to it. `open-store.ts` builds it on lmdb. */
import type { AppKey } from '../spi/events.ts';
import type { PublishedCertificate } from '../table/routing-table.ts';
import type { Application, Tombstone } from '../table/state.ts';

/** A message that was acked but not applied. */
export interface QuarantineEntry {
  /** Rising number, given by the store at commit. */
  readonly id: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly source: string;
  readonly messageId: string | null;
  readonly code: string;
  readonly reason: string;
  readonly action: string | null;
  /** Known only where the body could be read that far; entries go with `delete_application`. */
  readonly app: AppKey | null;
  /** The body, whole up to the body limit, else its beginning. May hold a private key: admin shows it redacted. */
  readonly body: Uint8Array;
  /** Length of the body as it came, as far as that is known; above `body.length` where it is not whole. */
  readonly bodyBytes: number;
}

/** One transaction. */
export interface StoreBatch {
  /** `null` deletes. */
  readonly apps: readonly (readonly [AppKey, Application | null])[];
  /** Of deleted applications; `null` deletes. */
  readonly tombstones: readonly (readonly [AppKey, Tombstone | null])[];
  /** By (application, alias); `null` deletes certificate and key. */
  readonly certificates: readonly {
    readonly app: AppKey;
    readonly alias: string;
    readonly certificate: PublishedCertificate | null;
  }[];
  readonly quarantine: readonly Omit<QuarantineEntry, 'id'>[];
  /** Quarantine entries of these applications go. */
  readonly forgetQuarantineOf: readonly AppKey[];
  /** Entries that go: replayed, or dropped by an operator. */
  readonly dropQuarantine: readonly number[];
  readonly nextClaim: number;
  readonly generation: number;
}

export interface Recovered {
  readonly apps: readonly Application[];
  readonly tombstones: readonly (readonly [AppKey, Tombstone])[];
  readonly nextClaim: number;
  readonly generation: number;
}

export interface StoreHealth {
  /** Set when this start found the store damaged and went back to a snapshot. Epoch milliseconds. */
  readonly restored: { readonly snapshotAt: number; readonly reason: string } | null;
  /** Epoch milliseconds of the last verified snapshot. */
  readonly snapshotAt: number | null;
  readonly snapshotTrouble: string | null;
}

export interface Store {
  /** Everything that was committed before; read once at start. */
  recover(): Recovered;
  /** The stored PEM and key of an alias, or null. Synchronous: a memory-mapped read. */
  certificate(app: AppKey, alias: string): PublishedCertificate | null;
  /** Resolves when the batch is synced to disk as one transaction; rejects (never crashes) when it could not be: nothing of it holds then. */
  commit(batch: StoreBatch): Promise<void>;
  /** Newest first. */
  quarantined(limit: number): readonly QuarantineEntry[];
  /** One entry, or null where there is none of this number (any more). */
  quarantineEntry(id: number): QuarantineEntry | null;
  /** Their numbers, oldest first. */
  quarantineIds(): readonly number[];
  quarantineSize(): number;
  health(): StoreHealth;
  /** Takes a verified snapshot now; resolves when it is in its place, or when it failed (`health` says why). */
  snapshot(): Promise<void>;
  close(): Promise<void>;
}
