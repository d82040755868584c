/** create_application, delete_application, and the creation that any add_* implies (domain.md 10, 9). */
import { type AppKey, type AppRef, appKeyOf, type RoutingEvent } from '../spi/events.ts';
import { endpointKey } from './address-policy.ts';
import type { Finding, Stamp, Transition } from './events.ts';
import { claimImplied, claimsOf, type Names, releaseAlias, releaseImplied } from './name-claims.ts';
import { impliedNames } from './names.ts';
import { findingsOfClaim, findingsOfRelease } from './ownership.ts';
import { hasPins, pinnedBy } from './pins.ts';
import type { TablePolicy } from './policy.ts';
import type { AliasRecord, Application, EndpointRecord, RoutingState } from './state.ts';
import { bury, tooManyApplications } from './tombstones.ts';
import { changed, rejected, unchanged, withApp } from './transition-result.ts';

type Event<A extends RoutingEvent['action']> = Extract<RoutingEvent, { action: A }>;

/** The application with its names claimed; made where there is none. */
export interface Ensured {
  readonly state: RoutingState;
  readonly app: Application;
  readonly findings: readonly Finding[];
  readonly buried: readonly AppKey[];
}

/** Whether it may come into being is asked before (tombstones.ts). It ends a tombstone. */
export function ensureApp(state: RoutingState, ref: AppRef, policy: TablePolicy): Ensured {
  const key = appKeyOf(ref);
  const known = state.apps.get(key);
  if (known !== undefined) return revived(state, known);
  const app: Application = {
    key,
    appName: ref.appName,
    namespace: ref.namespace,
    scalable: null,
    ha: null,
    headGearId: null,
    endpoints: [],
    aliases: [],
  };
  const implied = impliedNames(ref, policy);
  const buried = state.tombstones.has(key) ? [key] : [];
  const tombstones = state.tombstones.delete(key);
  const next = withApp({ ...state, names: claimImplied(state.names, implied, key), tombstones }, app);
  return { state: next, app, findings: findingsOfNames(next, app, policy), buried };
}

/** A ghost whose application is there again is none any more. */
function revived(state: RoutingState, known: Application): Ensured {
  if (known.ghost !== true) return { state, app: known, findings: [], buried: [] };
  const { ghost: _, ...app } = known;
  const buried = state.tombstones.has(app.key) ? [app.key] : [];
  const next = withApp({ ...state, tombstones: state.tombstones.delete(app.key) }, app);
  return { state: next, app, findings: [], buried };
}

export function createApplication(
  state: RoutingState,
  event: Event<'create_application'>,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const known = state.apps.has(appKeyOf(event.app));
  const full = known ? null : tooManyApplications(state, policy);
  if (full !== null) return rejected(state, full);
  const { state: ensured, app, buried, ...made } = ensureApp(state, event.app, policy);
  const findings = [...made.findings, ...findingsOfBirth(state, app.key, stamp)];
  // null is odd data of the broker (domain.md 1.1): it says nothing, so it takes nothing back.
  const scalable = event.scalable ?? app.scalable;
  const ha = event.ha ?? app.ha;
  if (scalable === app.scalable && ha === app.ha) {
    return ensured === state ? unchanged(state) : changed(ensured, [app.key], findings, buried);
  }
  return changed(withApp(ensured, { ...app, scalable, ha }), [app.key], findings, buried);
}

/** Everything of the application goes: the broker sends no single removes after it (domain.md 1.1). */
export function deleteApplication(
  state: RoutingState,
  event: Event<'delete_application'>,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const key = appKeyOf(event.app);
  const app = state.apps.get(key);
  if (app === undefined) {
    // Buried all the same: its add may have been overtaken. But once: a redelivery prolongs nothing.
    if (state.tombstones.has(key)) return unchanged(state);
    const { tombstones, buried } = bury(state.tombstones, key, stamp, policy);
    return buried.length === 0 ? unchanged(state) : changed({ ...state, tombstones }, [], [], buried);
  }
  if (hasPins(app) && stamp.byHand) return rejected(state, pinnedBy('something of it', key));
  if (app.ghost === true) return unchanged(state);
  const { tombstones, buried } = bury(state.tombstones, key, stamp, policy);
  if (hasPins(app)) {
    const message = `${key} was deleted; what is pinned to it by hand stays`;
    const ghost = { ...withoutUnpinned(state, app), tombstones };
    return changed(ghost, [key], [{ code: 'TABLE_PINNED', app: key, message }], buried);
  }
  const next = { ...withoutApplication(state, app, policy), tombstones };
  return changed(next, [key], findingsOfDeath(state, next, app, policy), buried);
}

function withoutApplication(state: RoutingState, app: Application, policy: TablePolicy): RoutingState {
  const endpointOwners = withoutOwners(state.endpointOwners, app.endpoints);
  const implied = releaseImplied(state.names, impliedNames(app, policy));
  const names = withoutAliases(implied, app.key, app.aliases);
  return { ...state, apps: state.apps.delete(app.key), endpointOwners, names };
}

/** A ghost: of a deleted application only what is pinned, and no certificate. */
function withoutUnpinned(state: RoutingState, app: Application): RoutingState {
  const isUnpinned = ({ pin }: EndpointRecord | AliasRecord): boolean => pin === undefined;
  const endpointOwners = withoutOwners(state.endpointOwners, app.endpoints.filter(isUnpinned));
  const names = withoutAliases(state.names, app.key, app.aliases.filter(isUnpinned));
  const endpoints = app.endpoints.flatMap((one) =>
    one.pin === undefined ? [] : [{ ...one, pin: { ...one.pin, announced: false } }],
  );
  const aliases = app.aliases.flatMap((one) =>
    one.pin === undefined
      ? []
      : [{ ...one, certificate: null, refusal: null, pin: { ...one.pin, announced: false } }],
  );
  return withApp({ ...state, endpointOwners, names }, { ...app, ghost: true, endpoints, aliases });
}

function withoutOwners(
  owners: RoutingState['endpointOwners'],
  endpoints: readonly EndpointRecord[],
): RoutingState['endpointOwners'] {
  return endpoints.reduce((left, { address, port }) => left.delete(endpointKey(address, port)), owners);
}

function withoutAliases(names: Names, app: AppKey, aliases: readonly AliasRecord[]): Names {
  const announced = aliases.filter((record) => record.announced);
  return announced.reduce((left, { alias }) => releaseAlias(left, alias, app), names);
}

/** Where the last pin of a ghost went, it goes. */
export function withoutGhost(state: RoutingState, key: AppKey, policy: TablePolicy): RoutingState {
  const app = state.apps.get(key);
  return app?.ghost === true && !hasPins(app) ? withoutApplication(state, app, policy) : state;
}

/** What an operator should know of a new application's names. */
function findingsOfNames(state: RoutingState, app: Application, policy: TablePolicy): readonly Finding[] {
  const findings: Finding[] = [];
  const { plain, ha } = impliedNames(app, policy);
  if (plain === null) {
    const message = `${app.key} has no publishable name of its own: only its aliases are routed`;
    findings.push({ code: 'TABLE_NAME_NOT_PUBLISHED', app: app.key, message });
  }
  for (const host of [plain, ha]) {
    if (host !== null) findings.push(...findingsOfClaim(host, claimsOf(state.names, host), app.key));
  }
  return findings;
}

/** A create_application is honoured always, but one that was sent before the deletion is odd. */
function findingsOfBirth(state: RoutingState, key: AppKey, { sentAt }: Stamp): readonly Finding[] {
  const deleted = state.tombstones.get(key)?.sentAt ?? null;
  if (sentAt === null || deleted === null || sentAt > deleted) return [];
  const message = `${key} is created by an event that was sent before its deletion`;
  return [{ code: 'TABLE_LATE_CREATE', app: key, message }];
}

/** Who gets the names that the application had and others claim. */
function findingsOfDeath(
  before: RoutingState,
  after: RoutingState,
  app: Application,
  policy: TablePolicy,
): readonly Finding[] {
  const { plain, ha } = impliedNames(app, policy);
  const hosts = new Set([plain, ha, ...app.aliases.map(({ alias }) => alias)]);
  return [...hosts].flatMap((host) =>
    host === null
      ? []
      : findingsOfRelease(host, claimsOf(before.names, host), claimsOf(after.names, host), app.key),
  );
}
