/** What the control loop takes and gives; create-control.ts builds it. */
import type { Config } from '../config/schema.ts';
import type { KeepAwake } from '../probes/keep-awake.ts';
import type { DeliverySink } from '../stomp/delivery.ts';
import type { QuarantineEntry, Store } from '../store/types.ts';
import type { TablePolicy } from '../table/policy.ts';
import type { RoutingState } from '../table/state.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import type { PlatformFacts } from './certificate-view.ts';
import type { CertificateWatch } from './certificate-watch.ts';
import type { Prepared } from './first-table.ts';
import type { FreezeVerb } from './freeze.ts';
import type { Tools } from './handle-delivery.ts';
import type { Publish } from './publisher.ts';
import type { ReportListener } from './tell.ts';
import type { ControlStatus, FindingReport } from './types.ts';
import type { AwaitedEvent, CommandEvent, CommandResult } from './work.ts';

export interface ControlOptions {
  readonly config: Pick<Config, 'events' | 'certificates'>;
  readonly policy: TablePolicy;
  readonly store: Omit<Store, 'snapshot' | 'close'>;
  /** Resolves when the data plane serves by these changes; a rejection is tried again for ever. */
  readonly publish: Publish;
  readonly keepAwake: Pick<KeepAwake, 'reconcile'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Certificates of the platform as they are now; default: none. */
  readonly platformCertificates?: () => readonly PlatformFacts[];
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly readEvent?: Tools['readEvent'];
  readonly judge?: Tools['judge'];
}

/** What an operator can do with quarantined messages; each resolves when it is durable. */
export interface QuarantineDesk {
  entry(id: number): QuarantineEntry | null;
  /** Oldest first. */
  ids(): readonly number[];
  /** As if the message came now; it stays where it is when it is refused anew. */
  replay(id: number): Promise<CommandResult>;
  drop(id: number): Promise<CommandResult>;
}

export interface Control {
  /**
   * Store -> state -> whole table published and confirmed. Deliveries wait until then, and until keep-awake targets and certificate alerts are
   * known after it. Rejects with the store's error if that cannot be read. `prepared`: what was made of the applications while the store was verified.
   */
  recover(prepared?: Prepared | null): Promise<void>;
  readonly deliver: DeliverySink;
  /** A delivery whose sender waits for its outcome: resolves once that is durable, quarantined ones too. */
  take(event: AwaitedEvent): Promise<CommandResult>;
  /** An event by hand: takes its turn like any other, and resolves when its effect is durable, or with why it was refused. */
  command(event: CommandEvent): Promise<CommandResult>;
  status(): ControlStatus;
  /** Of the table, whatever order it came in; null while the first question makes it. */
  digest(): string | null;
  /** A snapshot: it never changes once handed out. */
  state(): RoutingState;
  /** `listener` hears of each event once it is durable. Returns the function that ends the subscription. */
  subscribe(listener: ReportListener): () => void;
  /** Newest first. */
  quarantined(limit: number): readonly QuarantineEntry[];
  readonly quarantine: QuarantineDesk;
  /** What operators should see of the latest events: conflicts and what came of them, oddities. Newest first, bounded. */
  findings(): readonly FindingReport[];
  readonly certificates: Pick<CertificateWatch, 'all' | 'alerts'>;
  /** Publishes nothing of what comes, until the thaw; both survive restarts. Resolves when it is durable. */
  setFrozen(verb: FreezeVerb): Promise<CommandResult>;
  /** Finishes the batch in hand; what waits stays unacked and comes again. */
  stop(): Promise<void>;
}
