/**
 * pin_* and unpin_*: an operator holds an endpoint or an alias where it is, whatever events say, until it is unpinned. Events go on being
 * noted (`announced`), so that unpinning ends with what they say by then. A pinned port is no other application's to take: its add is
 * refused and waits in quarantine.
 */
import { appKeyOf } from '../spi/events.ts';
import { canonicalAddress, endpointKey, judgeAddress } from './address-policy.ts';
import type { Stamp, TableEvent, Transition } from './events.ts';
import { claimAlias, claimsOf, releaseAlias } from './name-claims.ts';
import { findingOfTakeOver, findingsOfClaim, findingsOfRelease } from './ownership.ts';
import { findEndpoint, pinnedBy, pinnedClaims } from './pins.ts';
import type { TablePolicy } from './policy.ts';
import type { AliasRecord, EndpointRecord, RoutingState } from './state.ts';
import { aliasesAreFull, findAlias, heldRecord, tooManyAliases, withoutAlias } from './transition-aliases.ts';
import { ensureApp, withoutGhost } from './transition-application.ts';
import { evict, withoutEndpoint } from './transition-endpoints.ts';
import { changed, rejected, unchanged, withApp } from './transition-result.ts';

type Event<A extends TableEvent['action']> = Extract<TableEvent, { action: A }>;

export function pinEndpoint(
  state: RoutingState,
  event: Event<'pin_endpoint'>,
  policy: TablePolicy,
  { at }: Stamp,
): Transition {
  const judged = judgeAddress(event.endpoint.address, event.endpoint.port, policy);
  if (!judged.ok) return rejected(state, judged.rejection);
  const key = appKeyOf(event.app);
  const endpoint = endpointKey(judged.address, event.endpoint.port);
  const owner = state.endpointOwners.get(endpoint);
  if (owner !== undefined && owner !== key && findEndpoint(state.apps.get(owner), endpoint)?.pin) {
    return rejected(state, pinnedBy(endpoint, owner));
  }
  const taken = owner !== undefined && owner !== key;
  const ensured = ensureApp(taken ? evict(state, owner, endpoint) : state, event.app, policy);
  const held = findEndpoint(ensured.app, endpoint);
  if (held?.pin !== undefined) return unchanged(state);
  const record: EndpointRecord = {
    ...(held ?? { ...event.endpoint, address: judged.address }),
    pin: { at, announced: held !== undefined },
  };
  const endpoints =
    held === undefined
      ? [...ensured.app.endpoints, record]
      : ensured.app.endpoints.map((one) => (one === held ? record : one));
  const next = withApp(
    { ...ensured.state, endpointOwners: ensured.state.endpointOwners.set(endpoint, key) },
    { ...ensured.app, endpoints },
  );
  const findings = taken ? [findingOfTakeOver(endpoint, owner, key)] : [];
  return changed(next, taken ? [key, owner] : [key], [...ensured.findings, ...findings], ensured.buried);
}

export function unpinEndpoint(
  state: RoutingState,
  event: Event<'unpin_endpoint'>,
  policy: TablePolicy,
): Transition {
  const app = state.apps.get(appKeyOf(event.app));
  const endpoint = endpointKey(canonicalAddress(event.address), event.port);
  const held = findEndpoint(app, endpoint);
  if (app === undefined || held?.pin === undefined) {
    return rejected(state, notPinned(`${endpoint} is not pinned to ${appKeyOf(event.app)}`));
  }
  if (!held.pin.announced) {
    return changed(withoutGhost(withoutEndpoint(state, app, endpoint), app.key, policy), [app.key]);
  }
  const { pin: _, ...record } = held;
  const endpoints = app.endpoints.map((one) => (one === held ? record : one));
  return changed(withApp(state, { ...app, endpoints }), [app.key]);
}

export function pinAlias(
  state: RoutingState,
  event: Event<'pin_alias'>,
  policy: TablePolicy,
  { at }: Stamp,
): Transition {
  const key = appKeyOf(event.app);
  const { alias } = event;
  const claims = claimsOf(state.names, alias);
  const implied = claims.plain ?? claims.ha;
  if (implied !== null && implied !== key) {
    const reason = `${alias} is the own name of ${implied}: an alias never has it, pinned or not`;
    return rejected(state, { code: 'TABLE_PIN_SHADOWED', reason });
  }
  const held = findAlias(state.apps.get(key), alias);
  if (held?.pin !== undefined) return unchanged(state);
  if (held === undefined && aliasesAreFull(state, key)) return tooManyAliases(state, event.app);
  const ensured = ensureApp(state, event.app, policy);
  const record: AliasRecord = {
    ...(held ?? heldRecord(alias)),
    announced: true,
    claim: pinnedClaims + state.nextClaim,
    pin: { at, announced: held?.announced ?? false, claim: held?.announced ? held.claim : state.nextClaim },
  };
  const next: RoutingState = {
    ...withApp(ensured.state, {
      ...ensured.app,
      aliases: [...withoutAlias(ensured.app, alias), record],
    }),
    names: claimAlias(releaseAlias(ensured.state.names, alias, key), alias, key, record.claim),
    nextClaim: state.nextClaim + 1,
  };
  const findings = findingsOfClaim(alias, claimsOf(next.names, alias), key);
  return changed(next, [key], [...ensured.findings, ...findings], ensured.buried);
}

export function unpinAlias(
  state: RoutingState,
  event: Event<'unpin_alias'>,
  policy: TablePolicy,
): Transition {
  const app = state.apps.get(appKeyOf(event.app));
  const held = findAlias(app, event.alias);
  if (app === undefined || held?.pin === undefined) {
    return rejected(state, notPinned(`${event.alias} is not pinned to ${appKeyOf(event.app)}`));
  }
  const { pin, ...record } = held;
  const released = releaseAlias(state.names, held.alias, app.key);
  const names = pin.announced ? claimAlias(released, held.alias, app.key, pin.claim) : released;
  const aliases = pin.announced
    ? app.aliases.map((one) => (one === held ? { ...record, claim: pin.claim } : one))
    : withoutAlias(app, held.alias);
  const next = withoutGhost(withApp({ ...state, names }, { ...app, aliases }), app.key, policy);
  const before = claimsOf(state.names, held.alias);
  return changed(
    next,
    [app.key],
    findingsOfRelease(held.alias, before, claimsOf(names, held.alias), app.key),
  );
}

function notPinned(reason: string): { readonly code: string; readonly reason: string } {
  return { code: 'TABLE_NOT_PINNED', reason };
}
