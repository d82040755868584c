/** create_application, delete_application, and the creation that any add_* implies (domain.md 10, 9). */
import { type AppRef, appKeyOf, type RoutingEvent } from '../spi/events.ts';
import { endpointKey } from './address-policy.ts';
import type { Finding, Transition } from './events.ts';
import { claimImplied, claimsOf, releaseAlias, releaseImplied } from './name-claims.ts';
import { impliedNames } from './names.ts';
import type { TablePolicy } from './policy.ts';
import type { Application, RoutingState } from './state.ts';
import { changed, unchanged, withApp } from './transition-result.ts';

type Event<A extends RoutingEvent['action']> = Extract<RoutingEvent, { action: A }>;

/** The application with its names claimed; made where there is none. */
export interface Ensured {
  readonly state: RoutingState;
  readonly app: Application;
  readonly findings: readonly Finding[];
}

export function ensureApp(state: RoutingState, ref: AppRef, policy: TablePolicy): Ensured {
  const key = appKeyOf(ref);
  const known = state.apps.get(key);
  if (known !== undefined) return { state, app: known, findings: [] };
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
  const next = withApp({ ...state, names: claimImplied(state.names, implied, key) }, app);
  return { state: next, app, findings: findingsOfNames(next, app, policy) };
}

export function createApplication(
  state: RoutingState,
  event: Event<'create_application'>,
  policy: TablePolicy,
): Transition {
  const { state: ensured, app, findings } = ensureApp(state, event.app, policy);
  // null is odd data of the broker (domain.md 1.1): it says nothing, so it takes nothing back.
  const scalable = event.scalable ?? app.scalable;
  const ha = event.ha ?? app.ha;
  if (scalable === app.scalable && ha === app.ha) {
    return ensured === state ? unchanged(state) : changed(ensured, [app.key], findings);
  }
  return changed(withApp(ensured, { ...app, scalable, ha }), [app.key], findings);
}

/** Everything of the application goes: the broker sends no single removes after it (domain.md 1.1). */
export function deleteApplication(
  state: RoutingState,
  event: Event<'delete_application'>,
  policy: TablePolicy,
): Transition {
  const key = appKeyOf(event.app);
  const app = state.apps.get(key);
  if (app === undefined) return unchanged(state);
  const endpointOwners = state.endpointOwners.withMutations((owners) => {
    for (const endpoint of app.endpoints) owners.delete(endpointKey(endpoint.address, endpoint.port));
  });
  const names = state.names.withMutations((all) => {
    releaseImplied(all, impliedNames(app, policy));
    for (const record of app.aliases) if (record.announced) releaseAlias(all, record.alias, key);
  });
  return changed({ ...state, apps: state.apps.delete(key), endpointOwners, names }, [key]);
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
    if (host === null) continue;
    const claims = claimsOf(state.names, host);
    for (const { app: holder } of claims.aliases) {
      if (holder === app.key) continue;
      const message = `${host} is the own name of ${app.key}: the alias that ${holder} holds is not served`;
      findings.push({ code: 'TABLE_ALIAS_SHADOWED', app: holder, message });
    }
    if (claims.plain !== null && claims.ha !== null) {
      const message = `${host} is the plain name of ${claims.plain} and the ha- name of ${claims.ha}: the plain name wins`;
      findings.push({ code: 'TABLE_NAME_COLLISION', app: claims.ha, message });
    }
  }
  return findings;
}
