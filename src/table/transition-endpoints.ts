/** add_public_endpoint and remove_public_endpoint: keyed by (address, port), one owner each (domain.md 7). */
import { type AppKey, appKeyOf, type EndpointFacts, type RoutingEvent } from '../spi/events.ts';
import { UNKNOWN_GEAR } from '../spi/names.ts';
import { canonicalAddress, endpointKey, judgeAddress } from './address-policy.ts';
import { maxEndpointCharacters, maxEndpointsPerApp } from './bounds.ts';
import type { Stamp, Transition } from './events.ts';
import { findingOfTakeOver } from './ownership.ts';
import { findEndpoint, pinnedBy } from './pins.ts';
import type { TablePolicy } from './policy.ts';
import type { Application, EndpointKey, EndpointRecord, RoutingState } from './state.ts';
import { refusedBirth } from './tombstones.ts';
import { ensureApp } from './transition-application.ts';
import { changed, rejected, unchanged, withApp } from './transition-result.ts';

type Event<A extends RoutingEvent['action']> = Extract<RoutingEvent, { action: A }>;

/**
 * Adds an endpoint, or updates it in place where the application has it already. Ports are reused between tenants (domain.md
 * 7.1), so an add by another application takes the endpoint from its former owner at once.
 */
export function addEndpoint(
  state: RoutingState,
  event: Event<'add_public_endpoint'>,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const judged = judgeAddress(event.endpoint.address, event.endpoint.port, policy);
  if (!judged.ok) return rejected(state, judged.rejection);
  if (charactersOf(event.endpoint) > maxEndpointCharacters) {
    const reason = `the endpoint's texts exceed ${maxEndpointCharacters} characters`;
    return rejected(state, { code: 'TABLE_ENDPOINT_TOO_LARGE', reason });
  }
  const facts = { ...event.endpoint, address: judged.address };
  const endpoint = endpointKey(facts.address, facts.port);
  const key = appKeyOf(event.app);
  const owner = state.endpointOwners.get(endpoint);
  if (owner === key) return updateEndpoint(state, key, facts, stamp);
  if (owner !== undefined && findEndpoint(state.apps.get(owner), endpoint)?.pin !== undefined) {
    return rejected(state, pinnedBy(endpoint, owner));
  }
  const refused = refusedBirth(state, event.app, stamp, policy);
  if (refused !== null) return rejected(state, refused);
  if ((state.apps.get(key)?.endpoints.length ?? 0) >= maxEndpointsPerApp) {
    const reason = `${key} has ${maxEndpointsPerApp} endpoints already`;
    return rejected(state, { code: 'TABLE_TOO_MANY_ENDPOINTS', reason });
  }
  const freed = owner === undefined ? state : evict(state, owner, endpoint);
  const ensured = ensureApp(freed, event.app, policy);
  const added: Application = {
    ...ensured.app,
    headGearId: lowestGear(ensured.app.headGearId, facts.gearId),
    endpoints: [...ensured.app.endpoints, facts],
  };
  const next = withApp(
    { ...ensured.state, endpointOwners: ensured.state.endpointOwners.set(endpoint, key) },
    added,
  );
  if (owner === undefined) return changed(next, [key], ensured.findings, ensured.buried);
  const findings = [...ensured.findings, findingOfTakeOver(endpoint, owner, key)];
  return changed(next, [key, owner], findings, ensured.buried);
}

/**
 * Removes an endpoint, if the application that asks owns it and the gear is the one that was announced. Unknown endpoint: no
 * change. A former owner's or a former gear's late remove must not hit who has the port now. That a remove with another gear id
 * is ignored keeps a dead endpoint only if two events were lost (the remove of the former gear and the add of the new one),
 * while obeying it would kill a live endpoint as soon as two were swapped; so ignoring is the lesser risk (health ejects the
 * dead one). A remove without a gear id is obeyed, and so is one of an endpoint whose gear nobody knew.
 *
 * A cartridge upgrade removes an endpoint and announces it anew (domain.md 1.3). An add that changed what was there is the second half of
 * that, so a remove that follows within the swap window is the first half, overtaken, and ignored.
 */
export function removeEndpoint(
  state: RoutingState,
  event: Event<'remove_public_endpoint'>,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const key = appKeyOf(event.app);
  const endpoint = endpointKey(canonicalAddress(event.address), event.port);
  const owner = state.endpointOwners.get(endpoint);
  const app = state.apps.get(key);
  if (owner === undefined) return unchanged(state);
  if (owner !== key || app === undefined) {
    const message = `${endpoint} belongs to ${owner}: the remove by ${key} is ignored`;
    return unchanged(state, { code: 'TABLE_NOT_OWNER', app: key, message });
  }
  const held = findEndpoint(app, endpoint);
  const isKnown = held !== undefined && held.gearId !== UNKNOWN_GEAR && event.gearId !== '';
  if (isKnown && held.gearId !== event.gearId) {
    const message = `${endpoint} is gear ${held.gearId}'s now: the remove of gear ${event.gearId} is ignored`;
    return unchanged(state, { code: 'TABLE_GEAR_MISMATCH', app: key, message });
  }
  if (held?.pin !== undefined) {
    const { code, reason } = pinnedBy(endpoint, key);
    if (stamp.byHand) return rejected(state, { code, reason });
    if (!held.pin.announced) return unchanged(state);
    const message = `${endpoint} stays: it is pinned to ${key} by hand`;
    return changed(withApp(state, noteEndpoint(app, held, false)), [key], [{ code, app: key, message }]);
  }
  if (!stamp.byHand && wasJustReplaced(held, stamp, policy)) {
    const message = `${endpoint} was announced anew just before: its remove is taken for an earlier one, overtaken`;
    return unchanged(state, { code: 'TABLE_REMOVE_OVERTAKEN', app: key, message });
  }
  return changed(withoutEndpoint(state, app, endpoint), [key]);
}

/** True within the swap window after an add that replaced what was there without a remove before it. */
export function wasJustReplaced(
  record: { readonly replacedAt?: number } | undefined,
  { at }: Stamp,
  policy: TablePolicy,
): boolean {
  if (record?.replacedAt === undefined) return false;
  const elapsedMs = at - record.replacedAt;
  return elapsedMs >= 0 && elapsedMs < policy.windows.swapMs;
}

function updateEndpoint(state: RoutingState, key: AppKey, facts: EndpointFacts, stamp: Stamp): Transition {
  const app = state.apps.get(key);
  if (app === undefined) return unchanged(state);
  const at = app.endpoints.findIndex((held) => held.address === facts.address && held.port === facts.port);
  const held = app.endpoints[at];
  if (held?.pin?.announced === false) return changed(withApp(state, noteEndpoint(app, held, true)), [key]);
  // What is pinned stays as it was pinned.
  if (held === undefined || held.pin !== undefined || sameFacts(held, facts)) return unchanged(state);
  // Who does not even know the gear has nothing to correct.
  if (facts.gearId === UNKNOWN_GEAR && held.gearId !== UNKNOWN_GEAR) return unchanged(state);
  const headGearId = lowestGear(app.headGearId, facts.gearId);
  // Another gear at the same port is no upgrade of this one; its remove is told apart by the gear id.
  const record: EndpointRecord = held.gearId === facts.gearId ? { ...facts, replacedAt: stamp.at } : facts;
  return changed(withApp(state, { ...app, headGearId, endpoints: app.endpoints.with(at, record) }), [key]);
}

/** The application with what events say now of its pinned endpoint. */
function noteEndpoint(app: Application, held: EndpointRecord, announced: boolean): Application {
  const noted: EndpointRecord = { ...held, pin: { at: held.pin?.at ?? 0, announced } };
  return { ...app, endpoints: app.endpoints.map((one) => (one === held ? noted : one)) };
}

export function evict(state: RoutingState, owner: AppKey, endpoint: EndpointKey): RoutingState {
  const former = state.apps.get(owner);
  return former === undefined ? state : withoutEndpoint(state, former, endpoint);
}

export function withoutEndpoint(state: RoutingState, app: Application, endpoint: EndpointKey): RoutingState {
  const endpoints = app.endpoints.filter((facts) => endpointKey(facts.address, facts.port) !== endpoint);
  return withApp({ ...state, endpointOwners: state.endpointOwners.delete(endpoint) }, { ...app, endpoints });
}

/** The head gear has the lowest id of all, seen or not yet seen (domain.md 3); ids are hex of one length, so text order is theirs. */
function lowestGear(known: string | null, seen: string): string | null {
  if (seen === '' || seen === UNKNOWN_GEAR) return known;
  return known === null || seen < known ? seen : known;
}

function sameFacts(a: EndpointFacts, b: EndpointFacts): boolean {
  return (
    a.gearId === b.gearId &&
    a.cartridge === b.cartridge &&
    sameTexts(a.protocols, b.protocols) &&
    sameTexts(a.types, b.types) &&
    a.mappings.length === b.mappings.length &&
    a.mappings.every((m, i) => m.frontend === b.mappings[i]?.frontend && m.backend === b.mappings[i]?.backend)
  );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function charactersOf(facts: EndpointFacts): number {
  let sum = facts.gearId.length + facts.cartridge.length + facts.address.length;
  for (const text of facts.protocols) sum += text.length + 1;
  for (const text of facts.types) sum += text.length + 1;
  for (const mapping of facts.mappings) sum += mapping.frontend.length + mapping.backend.length + 1;
  return sum;
}
