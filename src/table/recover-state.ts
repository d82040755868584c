/** Stored applications -> routing state. The indexes are derived, never stored, so they cannot disagree with the records. */
import type { AppKey } from '../spi/events.ts';
import { endpointKey } from './address-policy.ts';
import { LayeredMap } from './layered-map.ts';
import { claimAlias, claimImplied } from './name-claims.ts';
import { impliedNames } from './names.ts';
import { OrderedMap } from './persistent.ts';
import { ordinaryClaim } from './pins.ts';
import type { TablePolicy } from './policy.ts';
import type {
  Application,
  EndpointKey,
  EndpointRecord,
  NameClaims,
  RoutingState,
  Tombstone,
} from './state.ts';

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
    const app = withFreeEndpoints(stored, endpointOwners);
    apps.set(app.key, app);
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

/** The application without endpoints that another has, which become its own in `owners`. */
function withFreeEndpoints(stored: Application, owners: Map<EndpointKey, AppKey>): Application {
  let endpoints: EndpointRecord[] | null = null;
  for (const [index, facts] of stored.endpoints.entries()) {
    const key = endpointKey(facts.address, facts.port);
    if (owners.has(key)) endpoints ??= stored.endpoints.slice(0, index);
    else {
      owners.set(key, stored.key);
      endpoints?.push(facts);
    }
  }
  // As it is stored, in nearly every case: no list of its own.
  return endpoints === null ? stored : { ...stored, endpoints };
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
