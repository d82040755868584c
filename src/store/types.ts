/** What the store keeps and how the control loop speaks to it. `open-store.ts` builds it on lmdb. */

import type { KeyRing, MasterKey } from '../seal/key-ring.ts';
import type { Pem } from '../seal/packed-pem.ts';
import type { AppKey } from '../spi/events.ts';
import type { Decision } from '../table/events.ts';
import type { RecordChange } from '../table/record-changes.ts';
import type { Application, Tombstone } from '../table/state.ts';

/** Chain and private key under the master key, bound to application, alias and id. */
export interface SealedCertificate {
  /** The certificate's own (CertificateFacts). */
  readonly id: string;
  readonly sealed: Uint8Array;
}

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

/** Which event it was, when, and from where. */
export interface Origin {
  /** Rising number, given by the store at commit. */
  readonly number: number;
  /** Epoch milliseconds at which it took effect; never falls from one to the next. */
  readonly at: number;
  /** `bus:host:port`, `intake:address`, `manual`, `clock`, `quarantine:7` ... */
  readonly source: string;
  readonly messageId: string | null;
  /** Epoch milliseconds at which the message bus took it, where it said so. */
  readonly sentAt: number | null;
  /** Epoch milliseconds at which it arrived here. */
  readonly receivedAt: number;
  readonly action: string | null;
  readonly app: AppKey | null;
  readonly subject: string;
  /** Generation of the table that it led to. */
  readonly generation: number;
}

/** An event that changed something. Never holds keys or pass phrases: records know certificates by fingerprint. */
export interface JournalEntry extends Origin {
  readonly notes: readonly string[];
  readonly decisions: readonly Decision[];
  readonly changes: readonly RecordChange[];
}

export type NewJournalEntry = Omit<JournalEntry, 'number' | 'at'>;

/** What a freeze keeps of what is published (control/freeze.ts). */
export interface FrozenParts {
  /** Records as they are published; null: there is none. */
  readonly apps: readonly (readonly [AppKey, Application | null])[];
  readonly certificates: readonly {
    readonly app: AppKey;
    readonly alias: string;
    readonly certificate: SealedCertificate;
  }[];
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
    readonly certificate: SealedCertificate | null;
  }[];
  readonly quarantine: readonly Omit<QuarantineEntry, 'id'>[];
  /** Quarantine entries of these applications go. */
  readonly forgetQuarantineOf: readonly AppKey[];
  /** Entries that go: replayed, or dropped by an operator. */
  readonly dropQuarantine: readonly number[];
  /** In order. */
  readonly journal: readonly NewJournalEntry[];
  /** Begins a freeze (epoch milliseconds), or ends it with all that was kept for it. */
  readonly freeze?: { readonly since: number } | 'thaw';
  readonly frozen?: FrozenParts;
  readonly nextClaim: number;
  readonly generation: number;
}

export type HeldCertificate = readonly [app: AppKey, alias: string, certificate: SealedCertificate];

export interface Recovered {
  readonly apps: readonly Application[];
  readonly tombstones: readonly (readonly [AppKey, Tombstone])[];
  /** Only within a freeze. */
  readonly frozen?: { readonly since: number; readonly apps: FrozenParts['apps'] };
  readonly nextClaim: number;
  readonly generation: number;
}

export interface StoreHealth {
  /** Set when this start found the store damaged and went back to a snapshot. Epoch milliseconds. */
  readonly restored: { readonly snapshotAt: number; readonly reason: string; readonly lost: boolean } | null;
  /** Epoch milliseconds of the last verified snapshot. */
  readonly snapshotAt: number | null;
  readonly snapshotTrouble: string | null;
}

/** What one step of a rotation came to. */
export interface ResealStep {
  readonly resealed: number;
  /** Changed on disk: under no key will they ever open. They stay as they are. */
  readonly broken: number;
  /** Everything is under the current key, and the store has forgotten the former ones. */
  readonly done: boolean;
}

export interface Store {
  /** Everything that was committed before; read once at start. */
  recover(): Recovered;
  /** Encrypts chain and key, for `commit` and for the data plane: in the clear they go no further than their judge. */
  seal(app: AppKey, alias: string, certificate: Pem & { readonly id: string }): SealedCertificate;
  /** What is stored for an alias, or null. Synchronous: a memory-mapped read. */
  certificate(app: AppKey, alias: string): SealedCertificate | null;
  /** All of them in the order of application and alias, read for a start: their bytes lie together. */
  allCertificates(): Iterable<HeldCertificate>;
  /** What was read for a start is wanted no more. */
  forgetRead(): void;
  /** What a freeze keeps for an alias whose certificate was removed or replaced within it. */
  frozenCertificate(app: AppKey, alias: string): SealedCertificate | null;
  /** Resolves when the batch is synced to disk as one transaction; rejects (never crashes) when it could not be: nothing of it holds then. */
  commit(batch: StoreBatch): Promise<void>;
  /** Up to `limit` journal entries below number `before` (null: the latest), newest first. */
  journalPage(before: number | null, limit: number): readonly JournalEntry[];
  /** Which event made each thing that the application has, by subject (journal.ts). */
  originsOf(app: AppKey): ReadonlyMap<string, Origin>;
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
  /** Opens what `seal` and `certificate` give. */
  readonly keys: KeyRing;
  /** Ids of the master keys that records may be under. */
  keysInUse(): readonly string[];
  /** Takes these keys, the first for whatever is sealed from now on. */
  adoptKeys(keys: readonly [MasterKey, ...MasterKey[]]): Promise<void>;
  /** One bounded step towards everything being under the current key; to be called until it is done. */
  reseal(): Promise<ResealStep>;
  close(): Promise<void>;
}
