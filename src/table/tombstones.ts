/**
 * What is remembered of deleted applications, for a while: an add that comes after the deletion (a redelivery, or a gear move that was
 * published outside of the application's lock, domain.md 1.4) must not bring back a name whose ports may be another tenant's by now.
 */
import type { OrderedMap } from 'immutable';
import type { AppKey, AppRef, Rejection } from '../spi/events.ts';
import { appKeyOf } from '../spi/events.ts';
import type { Stamp } from './events.ts';
import type { TablePolicy } from './policy.ts';
import type { RoutingState, Tombstone } from './state.ts';

export type Tombstones = OrderedMap<AppKey, Tombstone>;

export interface Buried {
  readonly tombstones: Tombstones;
  /** Keys whose tombstone came or went. */
  readonly buried: readonly AppKey[];
}

/** Tombstones that one deletion may clear away, so that a jump of the clock costs no event more than this. */
const maxClearedAtOnce = 64;

/** Remembers a deletion; the oldest go where there are too many, and those whose time is over. */
export function bury(tombstones: Tombstones, key: AppKey, stamp: Stamp, policy: TablePolicy): Buried {
  const { tombstoneMs, maxTombstones } = policy.windows;
  if (tombstoneMs === 0 || maxTombstones === 0) return { tombstones, buried: [] };
  const buried: AppKey[] = [key];
  // Deleted first: the order is that of the burials.
  const next = tombstones.withMutations((all) => {
    all.delete(key).set(key, { at: stamp.at, sentAt: stamp.sentAt });
    while (buried.length <= maxClearedAtOnce) {
      const oldest = all.keySeq().first();
      if (oldest === undefined || oldest === key) break;
      if (all.size <= maxTombstones && isFresh(all.get(oldest), stamp, tombstoneMs)) break;
      all.delete(oldest);
      buried.push(oldest);
    }
  });
  return { tombstones: next, buried };
}

/**
 * Why an application may not come into being by this add (`TABLE_LATE_ADD`, `TABLE_TOO_MANY_APPLICATIONS`), or null. A
 * create_application is not asked for tombstones: the broker sends it first for a real new one. A time stamp after the deletion's proves
 * nothing, because a move may be published late; so whatever is refused here waits in quarantine, to be replayed by hand.
 */
export function refusedBirth(
  state: RoutingState,
  ref: AppRef,
  stamp: Stamp,
  policy: TablePolicy,
): Rejection | null {
  const key = appKeyOf(ref);
  const known = state.apps.get(key);
  if (known !== undefined && known.ghost !== true) return null;
  const tombstone = state.tombstones.get(key);
  if (!stamp.byHand && isFresh(tombstone, stamp, policy.windows.tombstoneMs)) {
    const reason = `${key} was deleted${sinceWhen(tombstone, stamp)}: only create_application brings it back`;
    return { code: 'TABLE_LATE_ADD', reason };
  }
  return known === undefined ? tooManyApplications(state, policy) : null;
}

/** Why there is no room for one more application, or null. Nothing is ever evicted for a new one. */
export function tooManyApplications(state: RoutingState, policy: TablePolicy): Rejection | null {
  const { maxApplications } = policy.limits;
  if (state.apps.size < maxApplications) return null;
  const reason = `there are ${state.apps.size} applications already: raise table.maxApplications if they are real`;
  return { code: 'TABLE_TOO_MANY_APPLICATIONS', reason };
}

/** A clock that was set back makes a tombstone last longer, never shorter. */
function isFresh(
  tombstone: Tombstone | undefined,
  stamp: Stamp,
  tombstoneMs: number,
): tombstone is Tombstone {
  return tombstone !== undefined && stamp.at - tombstone.at < tombstoneMs;
}

function sinceWhen(tombstone: Tombstone, { at, sentAt }: Stamp): string {
  if (sentAt !== null && tombstone.sentAt !== null && sentAt <= tombstone.sentAt) {
    return ' after this event was sent';
  }
  return ` ${Math.max(0, Math.round((at - tombstone.at) / 1000))} s ago`;
}
