/** Stored applications -> routing state. The indexes are derived, never stored, so they cannot disagree with the records. */
import type { AppKey } from '../spi/events.ts';
import { endpointKey } from './address-policy.ts';
import { LayeredMap } from './layered-map.ts';
import { claimAlias, claimImplied } from './name-claims.ts';
import { impliedNames } from './names.ts';
import { OrderedMap } from './persistent.ts';
import { ordinaryClaim } from './pins.ts';
import type { TablePolicy } from './policy.ts';
import type { Application, EndpointKey, NameClaims, RoutingState, Tombstone } from './state.ts';

/**
 * The state that these records make, in whatever order they come. Names follow the policy of today: another prefix or domain
 * than yesterday's takes effect here. An endpoint that two records hold (a damaged store) stays with the first alone.
 */
export function recoverState(
  applications: Iterable<Application>,
  nextClaim: number,
  policy: TablePolicy,
  tombstones: Iterable<readonly [AppKey, Tombstone]> = [],
): RoutingState {
  return completeState(indexApplications(applications, policy), nextClaim, tombstones);
}

/** The state of these records without what is known besides them. */
export function indexApplications(applications: Iterable<Application>, policy: TablePolicy): RoutingState {
  const apps = new Map<AppKey, Application>();
  const endpointOwners = new Map<EndpointKey, AppKey>();
  const names = new Map<string, NameClaims>();
  let highestClaim = 0;
  for (const stored of applications) {
    const endpoints = stored.endpoints.filter((facts) => {
      const key = endpointKey(facts.address, facts.port);
      if (endpointOwners.has(key)) return false;
      endpointOwners.set(key, stored.key);
      return true;
    });
    apps.set(stored.key, endpoints.length === stored.endpoints.length ? stored : { ...stored, endpoints });
    claimImplied(names, impliedNames(stored, policy), stored.key);
    for (const record of stored.aliases) {
      if (!record.announced) continue;
      claimAlias(names, record.alias, stored.key, record.claim);
      highestClaim = Math.max(highestClaim, ordinaryClaim(record));
    }
  }
  return {
    apps: LayeredMap.over(apps),
    endpointOwners: LayeredMap.over(endpointOwners),
    names: LayeredMap.over(names),
    nextClaim: highestClaim + 1,
    tombstones: OrderedMap<AppKey, Tombstone>(),
  };
}

/** The same with what is known besides the records. */
export function completeState(
  state: RoutingState,
  nextClaim: number,
  tombstones: Iterable<readonly [AppKey, Tombstone]>,
): RoutingState {
  return {
    ...state,
    nextClaim: Math.max(nextClaim, state.nextClaim),
    tombstones: OrderedMap<AppKey, Tombstone>(
      [...tombstones].sort(([, a], [, b]) => a.at - b.at).map(([key, one]) => [key, one]),
    ),
  };
}
