/** What the state machine takes: routing events whose certificates were already judged. Time comes only inside events. */
import type { AppKey, Rejection, RoutingEvent } from '../spi/events.ts';
import type { CertificateRef, CertificateRefusal, RoutingState } from './state.ts';

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
    };

/** Something an operator should see although the event was applied: an eviction, a displaced alias. `TABLE_...` codes. */
export interface Finding {
  readonly code: string;
  readonly app: AppKey;
  readonly message: string;
}

/** The same `state` reference back means that nothing changed. `rejection`: the event as a whole was refused (quarantine it). */
export interface Transition {
  readonly state: RoutingState;
  /** Applications whose record changed, appeared or went. */
  readonly touched: readonly AppKey[];
  readonly findings: readonly Finding[];
  readonly rejection: Rejection | null;
}
