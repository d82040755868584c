/** What an operator does with quarantined messages, in the row of all other work: replay them, or drop them. */
import type { Delivery } from '../stomp/delivery.ts';
import type { QuarantineEntry } from '../store/types.ts';
import type { RoutingState } from '../table/state.ts';
import { type Handled, handleDelivery, nothing, type Tools, told } from './handle-delivery.ts';
import { type CommandResult, stoppedResult, type Work } from './work.ts';

export interface QuarantineTools {
  readonly tools: Tools;
  /** As it is when its turn comes: something before it in the row may have taken it away. */
  readonly entry: (id: number) => QuarantineEntry | null;
  /** Epoch milliseconds. */
  readonly at: number;
}

type Resolve = (result: CommandResult) => void;

/**
 * The message is handled as if it came now. Applied (or with nothing to change), it leaves the quarantine in the same
 * transaction; refused anew, it stays as it is (`code` and `reason` say why). What the table refused is the operator's own
 * doing then, so that no tombstone holds it up; any other is guarded against being late like one from the message bus.
 */
export function replayWork(id: number, quarantine: QuarantineTools, resolve: Resolve): Work {
  return quarantineWork(id, quarantine, resolve, (entry, state) => replayed(entry, state, quarantine));
}

export function dropWork(id: number, quarantine: QuarantineTools, resolve: Resolve): Work {
  return quarantineWork(id, quarantine, resolve, ({ app }, state) => ({
    ...nothing(state),
    released: id,
    told: { ...told('drop_quarantined', app, 'applied'), subject: `#${id}` },
  }));
}

function quarantineWork(
  id: number,
  { entry, at }: QuarantineTools,
  resolve: Resolve,
  handle: (entry: QuarantineEntry, state: RoutingState) => Handled | Promise<Handled>,
): Work {
  return {
    source: `quarantine:${id}`,
    messageId: null,
    receivedAt: at,
    sentAt: null,
    handle(state) {
      const held = entry(id);
      if (held !== null) return handle(held, state);
      const reason = 'there is no such message in quarantine (any more)';
      return refused(state, { code: 'CONTROL_QUARANTINE_GONE', reason }, told(null, null, 'refused'));
    },
    durable: ({ told: { outcome, code, reason, notes } }) => resolve({ outcome, code, reason, notes }),
    dropped: () => resolve(stoppedResult),
  };
}

async function replayed(
  entry: QuarantineEntry,
  state: RoutingState,
  { tools, at }: QuarantineTools,
): Promise<Handled> {
  const { id, app, action, messageId, body } = entry;
  if (entry.bodyBytes > body.length) {
    const reason = 'only the beginning of this message was kept; it can be dropped, not replayed';
    return refused(state, { code: 'CONTROL_QUARANTINE_CUT', reason }, told(action, app, 'refused'));
  }
  const delivery: Delivery = {
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    source: `quarantine:${id}`,
    messageId,
    receivedAt: at,
    sentAt: null,
    ack: () => undefined,
  };
  // Who replays what the table refused has read why. Of any other message nobody knows yet: its application may have been deleted since, and
  // its ports may be another tenant's by now.
  const wasJudged = entry.code.startsWith('TABLE_');
  const handled = await handleDelivery(delivery, state, tools, wasJudged);
  if (handled.quarantine === null) return { ...handled, released: id };
  return refused(state, handled.quarantine, { ...handled.told, outcome: 'refused' });
}

/** Nothing changes, and who asked is told. */
function refused(
  state: RoutingState,
  { code, reason }: { readonly code: string; readonly reason: string },
  about: Handled['told'],
): Handled {
  return { ...nothing(state), told: { ...about, code, reason } };
}
