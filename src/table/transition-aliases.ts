/**
 * add_alias and remove_alias. Two applications may hold one alias (PREVENT_ALIAS_COLLISION=false, and for a moment when an alias
 * moves): the last claim has it, and what another one does with its own claim never touches ours (domain.md 10, 37 and 38).
 */
import { type AppKey, appKeyOf, type Rejection, type RoutingEvent } from '../spi/events.ts';
import { maxAliasesPerApp } from './bounds.ts';
import type { Stamp, Transition } from './events.ts';
import { claimAlias, claimsOf, releaseAlias } from './name-claims.ts';
import { findingsOfClaim, findingsOfRelease } from './ownership.ts';
import { pinnedBy } from './pins.ts';
import type { TablePolicy } from './policy.ts';
import type { AliasRecord, Application, RoutingState } from './state.ts';
import { refusedBirth } from './tombstones.ts';
import { ensureApp } from './transition-application.ts';
import { changed, rejected, unchanged, withApp } from './transition-result.ts';

type Event<A extends RoutingEvent['action']> = Extract<RoutingEvent, { action: A }>;

/**
 * Announces an alias. One that the application holds already stays as it is, with its claim: a redelivered add must not win a
 * name back from whoever claimed it since. (Were each add a new claim, a replay of add(A), add(B) would end the same, with B; but
 * one stray duplicate of add(A) would take the name from B.) The price: if A removes and adds again and B adds for the first
 * time, and all of it is delivered a second time, A's repeated claim is the younger one. That takes a colliding alias and a crash in
 * the same moment.
 */
export function addAlias(
  state: RoutingState,
  event: Event<'add_alias'>,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const { alias } = event;
  const held = findAlias(state.apps.get(appKeyOf(event.app)), alias);
  const known = state.apps.get(appKeyOf(event.app));
  if (known !== undefined && held?.pin?.announced === false) {
    return changed(withApp(state, notePinned(known, held, true)), [known.key]);
  }
  if (held?.announced === true) return unchanged(state);
  if (held === undefined && aliasesAreFull(state, appKeyOf(event.app)))
    return tooManyAliases(state, event.app);
  const refused = refusedBirth(state, event.app, stamp, policy) ?? tooManyNames(state, alias, policy);
  if (refused !== null) return rejected(state, refused);
  const ensured = ensureApp(state, event.app, policy);
  const { app } = ensured;
  const claim = state.nextClaim;
  const record: AliasRecord = { ...(held ?? heldRecord(alias)), announced: true, claim };
  const next: RoutingState = {
    ...withApp(ensured.state, { ...app, aliases: [...withoutAlias(app, alias), record] }),
    names: claimAlias(ensured.state.names, alias, app.key, claim),
    nextClaim: claim + 1,
  };
  const findings = findingsOfClaim(alias, claimsOf(next.names, alias), app.key);
  return changed(next, [app.key], [...ensured.findings, ...findings], ensured.buried);
}

/** Takes back this application's claim alone, and its certificate with it (domain.md 10, 42). */
export function removeAlias(state: RoutingState, event: Event<'remove_alias'>, stamp: Stamp): Transition {
  const app = state.apps.get(appKeyOf(event.app));
  const held = findAlias(app, event.alias);
  if (app === undefined || held === undefined) return unchanged(state);
  if (held.pin !== undefined) {
    const { code, reason } = pinnedBy(`alias ${event.alias}`, app.key);
    if (stamp.byHand) return rejected(state, { code, reason });
    if (!held.pin.announced) return unchanged(state);
    const finding = {
      code,
      app: app.key,
      message: `alias ${event.alias} stays: it is pinned to ${app.key} by hand`,
    };
    return changed(withApp(state, notePinned(app, held, false)), [app.key], [finding]);
  }
  const names = held.announced ? releaseAlias(state.names, event.alias, app.key) : state.names;
  const next = withApp({ ...state, names }, { ...app, aliases: withoutAlias(app, event.alias) });
  const findings = findingsOfRelease(
    event.alias,
    claimsOf(state.names, event.alias),
    claimsOf(names, event.alias),
    app.key,
  );
  return changed(next, [app.key], findings);
}

/** The application with what events say now of its pinned alias; where it went, its certificate and key go with it. */
export function notePinned(app: Application, held: AliasRecord, announced: boolean): Application {
  const { retiresAt: _, replacedAt: __, ...record } = held;
  const pin = { at: 0, claim: held.claim, ...held.pin, announced };
  const noted = announced ? { ...held, pin } : { ...record, certificate: null, refusal: null, pin };
  return { ...app, aliases: app.aliases.map((one) => (one === held ? noted : one)) };
}

export function findAlias(app: Application | undefined, alias: string): AliasRecord | undefined {
  return app?.aliases.find((record) => record.alias === alias);
}

/** A record that is held but not announced: claim 0, before every real claim. */
export function heldRecord(alias: string): AliasRecord {
  return { alias, announced: false, claim: 0, certificate: null, refusal: null };
}

export function withoutAlias(app: Application, alias: string): readonly AliasRecord[] {
  return app.aliases.filter((record) => record.alias !== alias);
}

export function aliasesAreFull(state: RoutingState, app: AppKey): boolean {
  return (state.apps.get(app)?.aliases.length ?? 0) >= maxAliasesPerApp;
}

export function tooManyAliases(state: RoutingState, app: Event<'add_alias'>['app']): Transition {
  const reason = `${appKeyOf(app)} has ${maxAliasesPerApp} aliases already`;
  return rejected(state, { code: 'TABLE_TOO_MANY_ALIASES', reason });
}

/** Of all applications together; a name that somebody claims already is none more. */
function tooManyNames(state: RoutingState, alias: string, policy: TablePolicy): Rejection | null {
  if (state.names.size < policy.limits.maxNames || state.names.has(alias)) return null;
  const reason = `there are ${state.names.size} names already: raise table.maxNames if they are real`;
  return { code: 'TABLE_TOO_MANY_NAMES', reason };
}
