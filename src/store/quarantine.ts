/**
 * The quarantine: what it holds by number, application and bytes, in memory, so that its bounds and a deletion cost
 * what they remove. The entries themselves, with bodies of up to a megabyte, stay on disk.
 */
import type { AppKey } from '../spi/events.ts';
import type { QuarantineEntry } from './types.ts';

export interface QuarantineBounds {
  readonly maxEntries: number;
  /** Bodies as they are kept, all together. */
  readonly maxBytes: number;
  /** Entries older than this go with the next commit. */
  readonly maxAgeMs: number;
}

/** What the index remembers of an entry. */
interface Held {
  readonly id: number;
  readonly app: AppKey | null;
  readonly bytes: number;
  readonly at: number;
}

/** What one batch does to the quarantine. */
export interface QuarantineChange {
  readonly entries: readonly Omit<QuarantineEntry, 'id'>[];
  /** All that is held of these goes. */
  readonly forget: readonly AppKey[];
  readonly drop: readonly number[];
  /** Epoch milliseconds. */
  readonly now: number;
}

/** What becomes of it, worked out before the transaction and taken over after it. */
export interface QuarantinePlan {
  readonly added: readonly QuarantineEntry[];
  readonly removed: readonly number[];
  readonly nextId: number;
  readonly held: readonly Held[];
}

export interface QuarantineIndex {
  readonly held: readonly Held[];
  readonly nextId: number;
}

function heldOf(entry: QuarantineEntry): Held {
  return { id: entry.id, app: entry.app, bytes: entry.body.length, at: entry.at };
}

/**
 * Takes away what is dropped and what was held of the named applications, adds the batch's own entries, and lets the oldest go until
 * the bounds hold. What the batch itself adds is not forgotten by it: its caller knows the order of the two, the store does not.
 * A batch that has nothing to do with the quarantine costs nothing, however much that holds.
 */
export function planQuarantine(
  index: QuarantineIndex,
  { entries, forget, drop, now }: QuarantineChange,
  bounds: QuarantineBounds,
): QuarantinePlan {
  const expired = now - bounds.maxAgeMs;
  const oldest = index.held[0];
  if (entries.length + forget.length + drop.length === 0 && (oldest === undefined || oldest.at >= expired))
    return { added: [], removed: [], nextId: index.nextId, held: index.held };
  const forgotten = new Set(forget);
  const dropped = new Set(drop);
  const kept = index.held.filter(
    ({ id, app, at }) => at >= expired && !dropped.has(id) && (app === null || !forgotten.has(app)),
  );
  let nextId = index.nextId;
  const added = entries.map((entry): QuarantineEntry => {
    const body = entry.body.length > bounds.maxBytes ? entry.body.subarray(0, bounds.maxBytes) : entry.body;
    return { ...entry, body, id: nextId++ };
  });
  const held = [...kept, ...added.map(heldOf)];
  let bytes = held.reduce((sum, entry) => sum + entry.bytes, 0);
  let first = 0;
  for (const entry of held) {
    if (held.length - first <= bounds.maxEntries && bytes <= bounds.maxBytes) break;
    bytes -= entry.bytes;
    first++;
  }
  const rest = held.slice(first);
  const remaining = new Set(rest.map(({ id }) => id));
  return {
    added: added.filter(({ id }) => remaining.has(id)),
    removed: index.held.filter(({ id }) => !remaining.has(id)).map(({ id }) => id),
    nextId,
    held: rest,
  };
}
