/** Sends a difference to the running Headgear, as events over admin. */
import { isDeepStrictEqual } from 'node:util';
import type { Difference } from '../sources/difference.ts';
import { eventFields, eventText } from '../sources/event-bodies.ts';
import { type OwnApp, readOwnApp } from '../sources/headgear-table.ts';
import { appKeyOf, type RoutingEvent } from '../spi/events.ts';
import { askAdmin } from './admin-client.ts';
import type { Io } from './command.ts';
import { plain } from './event-line.ts';
import { showProgress } from './progress.ts';

export interface ApplyOptions {
  readonly admin: URL;
  readonly token: string;
  /** The table that the difference was made from. */
  readonly own: ReadonlyMap<string, OwnApp>;
  readonly difference: Difference;
}

/** Below admin's bounds of one request, certificates included. */
const MAX_EVENTS = 200;
const MAX_BYTES = 2 * 1_048_576;

/**
 * True when everything was applied. Additions go before deletions, so that what moves between applications is never without an owner. An
 * application that changed since it was compared is left out: an event that came meanwhile knows better than the picture.
 */
export async function applyDifference(
  { admin, token, own, difference }: ApplyOptions,
  io: Io,
): Promise<boolean> {
  const events = [...difference.additions, ...difference.deletions];
  const overtaken = await changedSince(admin, own, events);
  for (const key of overtaken) io.out(`left out: ${plain(key)} changed meanwhile; run reconcile again`);
  const wanted = events.filter(({ app }) => !overtaken.has(appKeyOf(app)));
  const progress = showProgress(io, 'applying', wanted.length);
  const failed: string[] = [];
  let [done, changed] = [0, 0];
  try {
    for (const chunk of chunksOf(wanted)) {
      const { status, text } = await askAdmin(admin, {
        method: 'POST',
        path: '/events',
        body: chunk.map(eventFields),
        token,
      });
      if (![200, 207, 422].includes(status))
        throw new Error(
          `${status}: ${plain(text.trim().slice(0, 500))} (${done} of ${wanted.length} were sent)`,
        );
      const { results } = JSON.parse(text) as {
        results: { outcome: string; code: string; reason: string }[];
      };
      for (const [n, { outcome, code, reason }] of results.entries()) {
        const event = chunk[n];
        if (outcome === 'applied') changed += 1;
        else if (outcome !== 'unchanged' && event !== undefined)
          failed.push(`not applied: ${eventText(event)}: ${reason} (${code})`);
      }
      done += chunk.length;
      progress.at(done);
    }
  } finally {
    progress.end();
  }
  for (const line of failed) io.out(plain(line));
  io.out(
    `applied ${changed} of ${events.length}${failed.length > 0 ? `, ${failed.length} were refused` : ''}`,
  );
  return failed.length === 0 && overtaken.size === 0;
}

async function changedSince(
  admin: URL,
  own: ReadonlyMap<string, OwnApp>,
  events: readonly RoutingEvent[],
): Promise<ReadonlySet<string>> {
  const changed = new Set<string>();
  for (const key of new Set(events.map(({ app }) => appKeyOf(app)))) {
    const [was, is] = [own.get(key), await readOwnApp(admin, key)];
    const same = isDeepStrictEqual(compared(was ?? null), compared(is));
    if (!same) changed.add(key);
  }
  return changed;
}

function compared(app: OwnApp | null): object | null {
  return app === null ? null : { endpoints: app.endpoints, aliases: app.aliases };
}

function* chunksOf(events: readonly RoutingEvent[]): Generator<readonly RoutingEvent[]> {
  let chunk: RoutingEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(eventFields(event)));
    if (chunk.length >= MAX_EVENTS || (chunk.length > 0 && bytes + size > MAX_BYTES)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(event);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
