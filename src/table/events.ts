/** What the state machine takes: routing events whose certificates were already judged. Time comes only inside events. */
import type { AppKey, EndpointFacts, Rejection, RoutingEvent } from '../spi/events.ts';
import type { CertificateRef } from './certificate-ref.ts';
import type { CertificateRefusal, RoutingState } from './state.ts';

type AddSsl = Extract<RoutingEvent, { action: 'add_ssl' }>;

export type TableEvent =
  | Exclude<RoutingEvent, AddSsl>
  | {
      readonly action: 'add_ssl';
      readonly app: AddSsl['app'];
      readonly alias: string;
      readonly certificate: CertificateRef;
    }
  /** A certificate that was refused: remembered at the alias, the former certificate stays. */
  | {
      readonly action: 'refuse_ssl';
      readonly app: AddSsl['app'];
      readonly alias: string;
      readonly refusal: CertificateRefusal;
    }
  | ClockEvent
  | PinEvent;

/** An operator's holding of an endpoint or alias, and its end. */
export type PinEvent =
  | { readonly action: 'pin_endpoint'; readonly app: AddSsl['app']; readonly endpoint: EndpointFacts }
  | {
      readonly action: 'unpin_endpoint';
      readonly app: AddSsl['app'];
      readonly address: string;
      readonly port: number;
    }
  | { readonly action: 'pin_alias'; readonly app: AddSsl['app']; readonly alias: string }
  | { readonly action: 'unpin_alias'; readonly app: AddSsl['app']; readonly alias: string };

/** What the clock brings about, one transition each, so that the journal and the reports say so. */
export type ClockEvent = {
  /** The grace time of a removed certificate is over; `retiresAt` says of which removal, so a late one does nothing. */
  readonly action: 'retire_ssl';
  readonly app: AddSsl['app'];
  readonly alias: string;
  readonly retiresAt: number;
};

/** When an event came, and how: the only clock that the table has. */
export interface Stamp {
  /** Epoch milliseconds of its arrival here. */
  readonly at: number;
  /** Epoch milliseconds at which the message bus took it, where it says so. */
  readonly sentAt: number | null;
  /** An operator's own doing: not guarded against being late. */
  readonly byHand?: boolean;
}

/** The policies of ownership.ts, by name. */
export type OwnershipPolicy =
  /** An application's own name is nobody else's to have, whoever was first (domain.md 10, 36). */
  | 'implied-name-wins'
  /** Of two own names that are one text, the plain one. */
  | 'plain-name-wins'
  /** Of several applications with one alias, the one that added it last (domain.md 10, 37). */
  | 'last-add-wins'
  /** Who had the name gave it up: the latest claim that is left has it. */
  | 'former-claim-returns'
  /** A port belongs to whom it was announced for last: ports are reused between tenants (domain.md 7.1). */
  | 'last-announcement-wins'
  /** What an operator pinned stays where it was pinned. */
  | 'pinned-wins';

/** What a policy came to. */
export interface Decision {
  readonly policy: OwnershipPolicy;
  /** A host name, or an endpoint's `address:port`. */
  readonly subject: string;
  readonly winner: AppKey;
  /** Who claims it, or had it, in vain; null: nobody. */
  readonly displaced: AppKey | null;
  readonly why: string;
}

/** Something an operator should see although the event was applied: an eviction, a displaced alias. `TABLE_...` codes. */
export interface Finding {
  readonly code: string;
  readonly app: AppKey;
  readonly message: string;
  /** Where a policy of ownership decided something. */
  readonly decision?: Decision;
}

/** The same `state` reference back means that nothing changed. `rejection`: the event as a whole was refused (quarantine it). */
export interface Transition {
  readonly state: RoutingState;
  /** Applications whose record changed, appeared or went. */
  readonly touched: readonly AppKey[];
  /** Applications whose tombstone came or went. */
  readonly buried: readonly AppKey[];
  readonly findings: readonly Finding[];
  readonly rejection: Rejection | null;
}
