/** What the control loop says of itself: reports an event, and status; admin and `headgear listen` show them. */
import type { AppKey } from '../spi/events.ts';
import type { Delivery } from '../stomp/delivery.ts';
import type { Decision, Finding } from '../table/events.ts';

/** Where work of the control loop came from, and when. */
export type WorkFacts = Pick<Delivery, 'source' | 'messageId' | 'receivedAt' | 'sentAt'>;

/** `refused`: a command that could not be carried out; who asked was told. */
export type Outcome = 'applied' | 'unchanged' | 'ignored' | 'quarantined' | 'refused';

/** What became of one delivery. Never holds key material. */
export interface EventReport {
  /** Rising number since start. */
  readonly number: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly source: string;
  readonly messageId: string | null;
  readonly action: string | null;
  readonly app: AppKey | null;
  /** What the event spoke of, for people: `172.16.4.200:50847`, an alias, or ''. */
  readonly subject: string;
  readonly outcome: Outcome;
  readonly code: string;
  readonly reason: string;
  /** Notes of the decoder and findings of the table, as sentences. */
  readonly notes: readonly string[];
  /** What a policy of ownership decided: who won, who was displaced, and why. */
  readonly decisions: readonly Decision[];
  readonly generation: number;
  /** Milliseconds from the message bus's time stamp (or arrival) to durable. */
  readonly lagMs: number;
}

/** A finding of the table, when and of which event. */
export interface FindingReport extends Finding {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Number of the event's report. */
  readonly event: number;
}

export interface ControlStatus {
  readonly generation: number;
  /** Generation that the data plane confirmed. */
  readonly confirmedGeneration: number;
  readonly applications: number;
  readonly endpoints: number;
  readonly names: number;
  readonly certificates: number;
  /** Certificates that were removed and are served on for their grace time. */
  readonly retiring: number;
  readonly quarantined: number;
  /** Deliveries waiting for the loop. */
  readonly waiting: number;
  /** Set while the store refuses to commit: deliveries wait unacked, traffic goes on. */
  readonly storeTrouble: string | null;
  /** Set when this start found the store damaged and went back to a snapshot; `lost`: events that were acked after it could not be brought back. */
  readonly storeRestored: {
    readonly snapshotAt: number;
    readonly reason: string;
    readonly lost: boolean;
  } | null;
  /** Epoch milliseconds of the last verified snapshot, or null. */
  readonly snapshotAt: number | null;
  /** Why the last snapshot failed, or null. */
  readonly snapshotTrouble: string | null;
  readonly lastEventAt: number | null;
  /** Set while a bound of `table` is reached: nothing new is taken then. */
  readonly full: 'applications' | 'names' | null;
  /** Epoch milliseconds since when events are taken and nothing is published; null: not frozen. */
  readonly frozenSince: number | null;
}
