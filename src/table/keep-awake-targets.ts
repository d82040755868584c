/** Which gears the keep-awake probes visit, and under which names (domain.md 0 and 6). */
import type { AppKey } from '../spi/events.ts';
import { UNKNOWN_GEAR } from '../spi/names.ts';
import type { KeepAwakeTarget } from './keep-awake-target.ts';
import { gearName, impliedNames } from './names.ts';
import type { TablePolicy } from './policy.ts';
import { type PassableEndpoint, passable, routable } from './routable.ts';
import type { RoutingState } from './state.ts';

/**
 * One target for each proxy gear: a gear with a routable `load_balancer` endpoint, whatever further types are routable. While a
 * gear moves it has endpoints on two nodes; the one announced last is where it is going. An application without a publishable name
 * has no target: there is no Host to ask for. Gear ids come from outside, so one that is no host label gets the application's name,
 * and so does each endpoint whose gear is not known.
 */
export function keepAwakeTargets(
  state: RoutingState,
  key: AppKey,
  policy: TablePolicy,
): readonly KeepAwakeTarget[] {
  const app = state.apps.get(key);
  if (app === undefined) return [];
  const { plain } = impliedNames(app, policy);
  if (plain === null) return [];
  const byGear = new Map<string, PassableEndpoint>();
  for (const facts of app.endpoints) {
    const endpoint = facts.types.includes('load_balancer')
      ? (routable(facts, policy) ?? passable(facts, policy))
      : null;
    if (endpoint === null) continue;
    byGear.set(facts.gearId === UNKNOWN_GEAR ? `${UNKNOWN_GEAR} ${facts.address}` : facts.gearId, endpoint);
  }
  return [...byGear].map(([gearId, { dial }]) => {
    const head = gearId === app.headGearId;
    const host = head ? plain : (gearName(gearId, app, policy) ?? plain);
    return { app: key, gearId, address: dial, host, fallbackHost: plain, head };
  });
}
