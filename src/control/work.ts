/** What the control loop works through, one after the other: deliveries of the sources, and commands by hand or by the clock. */
import { appKeyOf, type Rejection } from '../spi/events.ts';
import type { Delivery } from '../stomp/delivery.ts';
import type { Stamp, TableEvent } from '../table/events.ts';
import type { RoutingState } from '../table/state.ts';
import { transition } from '../table/transition.ts';
import {
  decisionsOf,
  type Handled,
  handleDelivery,
  nothing,
  type Said,
  subjectOf,
  type Tools,
  told,
} from './handle-delivery.ts';
import type { Outcome, WorkFacts } from './types.ts';

export interface Work extends WorkFacts {
  /** Freezes or thaws what is published: such work is a batch of its own. */
  readonly freeze?: 'freeze' | 'thaw';
  handle(state: RoutingState): Handled | Promise<Handled>;
  /** What it came to is durable. */
  durable(said: Said): void;
  /** The loop stops before its turn came: nothing of it holds. */
  dropped(): void;
}

/** What a command came to. `refused`: `code` and `reason` say why, and nothing changed. */
export interface CommandResult {
  readonly outcome: Outcome;
  readonly code: string;
  readonly reason: string;
  readonly notes: readonly string[];
}

/** Nothing of it holds. */
export const stoppedResult: CommandResult = {
  outcome: 'refused',
  code: 'CONTROL_STOPPING',
  reason: 'Headgear is stopping',
  notes: [],
};

/** Everything but certificates, which have to be judged. */
export type CommandEvent = Exclude<TableEvent, { action: 'add_ssl' | 'refuse_ssl' }>;

export function deliveryWork(delivery: Delivery, tools: Tools): Work {
  const { source, messageId, receivedAt, sentAt } = delivery;
  return {
    source,
    messageId,
    receivedAt,
    sentAt,
    handle: (state) => handleDelivery(delivery, state, tools),
    durable: () => delivery.ack(),
    // Unacked, so it comes again.
    dropped: () => undefined,
  };
}

/** What a delivery looks like whose sender waits for its outcome instead of an ack. */
export type AwaitedEvent = Omit<Delivery, 'ack'>;

/** As a delivery, and whoever brought it learns what became of it once that is durable. */
export function awaitedWork(
  event: AwaitedEvent,
  tools: Tools,
  resolve: (result: CommandResult) => void,
): Work {
  return {
    ...deliveryWork({ ...event, ack: () => undefined }, tools),
    durable: ({ told: { outcome, code, reason, notes } }) => resolve({ outcome, code, reason, notes }),
    dropped: () => resolve(stoppedResult),
  };
}

/** `source` is what provenance says. */
export function commandWork(
  event: CommandEvent,
  source: 'manual' | 'clock',
  at: number,
  tools: Tools,
  resolve: (result: CommandResult) => void,
): Work {
  return {
    source,
    messageId: null,
    receivedAt: at,
    sentAt: null,
    handle: (state) => handleCommand(event, state, { at, sentAt: null, byHand: source === 'manual' }, tools),
    durable: ({ told: { outcome, code, reason, notes } }) => resolve({ outcome, code, reason, notes }),
    dropped: () => resolve(stoppedResult),
  };
}

function handleCommand(event: CommandEvent, state: RoutingState, stamp: Stamp, tools: Tools): Handled {
  const app = appKeyOf(event.app);
  try {
    const next = transition(state, event, tools.policy, stamp);
    const subject = subjectOf(event);
    const notes = next.findings.map(({ message }) => message);
    if (next.rejection !== null) return refused(state, event, next.rejection);
    const outcome = next.state === state ? 'unchanged' : 'applied';
    return {
      ...nothing(next.state),
      touched: next.touched,
      buried: next.buried,
      findings: next.findings,
      deleted: event.action === 'delete_application' ? app : null,
      told: { ...told(event.action, app, outcome), subject, notes, decisions: decisionsOf(next.findings) },
    };
  } catch (error) {
    const name = error instanceof Error ? error.name : typeof error;
    tools.log.error('a command could not be carried out: a fault in this program', {
      code: 'CONTROL_INTERNAL',
      action: event.action,
      error: name,
    });
    return refused(state, event, { code: 'CONTROL_INTERNAL', reason: 'handling failed; the log says where' });
  }
}

/** Not quarantined: who asked is told. */
function refused(state: RoutingState, event: CommandEvent, { code, reason }: Rejection): Handled {
  return {
    ...nothing(state),
    told: { ...told(event.action, appKeyOf(event.app), 'refused'), subject: subjectOf(event), code, reason },
  };
}
