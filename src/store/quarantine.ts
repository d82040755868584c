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
}

/** What the index remembers of an entry. */
interface Held {
  readonly id: number;
  readonly app: AppKey | null;
  readonly bytes: number;
}

/** What one batch does to the quarantine, worked out before the transaction and taken over after it. */
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

export function heldOf(entry: QuarantineEntry): Held {
  return { id: entry.id, app: entry.app, bytes: entry.body.length };
}

/**
 * Forgets what was held of the named applications, adds the batch's own entries, and drops the oldest until the bounds
 * hold. What the batch itself adds is not forgotten by it: its caller knows the order of the two, the store does not.
 */
export function planQuarantine(
  index: QuarantineIndex,
  forget: readonly AppKey[],
  entries: readonly Omit<QuarantineEntry, 'id'>[],
  bounds: QuarantineBounds,
): QuarantinePlan {
  const forgotten = new Set(forget);
  const kept =
    forgotten.size === 0
      ? [...index.held]
      : index.held.filter(({ app }) => app === null || !forgotten.has(app));
  let nextId = index.nextId;
  const added = entries.map((entry): QuarantineEntry => {
    const body = entry.body.length > bounds.maxBytes ? entry.body.subarray(0, bounds.maxBytes) : entry.body;
    return { ...entry, body, id: nextId++ };
  });
  const held = [...kept, ...added.map(heldOf)];
  let bytes = held.reduce((sum, entry) => sum + entry.bytes, 0);
  let drop = 0;
  for (const entry of held) {
    if (held.length - drop <= bounds.maxEntries && bytes <= bounds.maxBytes) break;
    bytes -= entry.bytes;
    drop++;
  }
  const rest = held.slice(drop);
  const remaining = new Set(rest.map(({ id }) => id));
  return {
    added: added.filter(({ id }) => remaining.has(id)),
    removed: index.held.filter(({ id }) => !remaining.has(id)).map(({ id }) => id),
    nextId,
    held: rest,
  };
}
