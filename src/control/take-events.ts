/** Events that come by HTTP: the same loop as the message bus's, and their sender learns what became of each. */
import { splitEvents } from '../spi/split-events.ts';
import type { Control } from './create-control.ts';
import type { CommandResult } from './work.ts';

/** More are refused as a whole: one request must not fill the loop. */
export const MAX_EVENTS_A_REQUEST = 1_000;

export interface TakenEvents {
  /**
   * 200: each took effect or changed nothing. 207: some were quarantined. 422: all were. All that is durable. 400: no events, or too many;
   * 503: stopping, and some of it may not hold, so it has to be sent again.
   */
  readonly status: 200 | 207 | 400 | 422 | 503;
  readonly code: string;
  readonly reason: string;
  readonly results: readonly (CommandResult & { readonly event: number })[];
}

/** Resolves once everything is durable. The events keep their order, and no other comes between two of them. */
export async function takeEvents(
  control: Pick<Control, 'take'>,
  text: Buffer,
  source: string,
  at: number,
): Promise<TakenEvents> {
  const split = splitEvents(text, MAX_EVENTS_A_REQUEST);
  if (!split.ok) return { status: 400, ...split.rejection, results: [] };
  const head = { source, messageId: null, receivedAt: at, sentAt: null };
  const results = await Promise.all(
    split.events.map(async ({ body, refused }, event) => {
      const taken = await control.take({ ...head, body, ...(refused === null ? {} : { refused }) });
      return { event, ...taken };
    }),
  );
  const [failed] = results.filter(({ outcome }) => outcome === 'quarantined' || outcome === 'refused');
  if (failed === undefined) return { status: 200, code: '', reason: '', results };
  const { code, reason } = failed;
  const isStopping = results.some((result) => result.code === 'CONTROL_STOPPING');
  const allFailed = results.every(({ outcome }) => outcome === 'quarantined' || outcome === 'refused');
  return { status: isStopping ? 503 : allFailed ? 422 : 207, code, reason, results };
}
