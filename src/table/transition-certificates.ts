/** add_ssl (already judged), refuse_ssl and remove_ssl. Keyed by (application, alias): one tenant's late remove hits no other's. */
import { appKeyOf, type RoutingEvent } from '../spi/events.ts';
import type { TableEvent, Transition } from './events.ts';
import type { TablePolicy } from './policy.ts';
import type { AliasRecord, Application, RoutingState } from './state.ts';
import { aliasesAreFull, findAlias, heldRecord, tooManyAliases, withoutAlias } from './transition-aliases.ts';
import { ensureApp } from './transition-application.ts';
import { changed, unchanged, withApp } from './transition-result.ts';

type AddSsl = Extract<TableEvent, { action: 'add_ssl' }>;
type RefuseSsl = Extract<TableEvent, { action: 'refuse_ssl' }>;
type RemoveSsl = Extract<RoutingEvent, { action: 'remove_ssl' }>;

/** A good certificate for an alias, held until the alias is announced (domain.md 10, 10). It ends a former refusal. */
export function addSsl(state: RoutingState, event: AddSsl, policy: TablePolicy): Transition {
  const held = findAlias(state.apps.get(appKeyOf(event.app)), event.alias);
  if (held?.certificate?.id === event.certificate.id && held.refusal === null) return unchanged(state);
  return updateAlias(state, event, policy, { certificate: event.certificate, refusal: null });
}

/** Remembers why a certificate was refused; the former one stays and is served. The same refusal again keeps its first time. */
export function refuseSsl(state: RoutingState, event: RefuseSsl, policy: TablePolicy): Transition {
  const known = findAlias(state.apps.get(appKeyOf(event.app)), event.alias)?.refusal ?? null;
  if (known?.code === event.refusal.code && known.reason === event.refusal.reason) return unchanged(state);
  return updateAlias(state, event, policy, { refusal: event.refusal });
}

/** Drops certificate and refusal; an announced alias stays (domain.md 10, 42), one that was only held leaves nothing. */
export function removeSsl(state: RoutingState, event: RemoveSsl): Transition {
  const app = state.apps.get(appKeyOf(event.app));
  const held = findAlias(app, event.alias);
  if (app === undefined || held === undefined) return unchanged(state);
  if (!held.announced) {
    return changed(withApp(state, { ...app, aliases: withoutAlias(app, event.alias) }), [app.key]);
  }
  if (held.certificate === null && held.refusal === null) return unchanged(state);
  return changed(withApp(state, replaceAlias(app, { ...held, certificate: null, refusal: null })), [app.key]);
}

function updateAlias(
  state: RoutingState,
  event: AddSsl | RefuseSsl,
  policy: TablePolicy,
  update: Partial<Pick<AliasRecord, 'certificate' | 'refusal'>>,
): Transition {
  const held = findAlias(state.apps.get(appKeyOf(event.app)), event.alias);
  if (held === undefined && aliasesAreFull(state, appKeyOf(event.app)))
    return tooManyAliases(state, event.app);
  const ensured = ensureApp(state, event.app, policy);
  const record = { ...(held ?? heldRecord(event.alias)), ...update };
  const app =
    held === undefined
      ? { ...ensured.app, aliases: [record, ...ensured.app.aliases] }
      : replaceAlias(ensured.app, record);
  return changed(withApp(ensured.state, app), [app.key], ensured.findings);
}

/** In place: the order of claims stays. */
function replaceAlias(app: Application, record: AliasRecord): Application {
  return { ...app, aliases: app.aliases.map((held) => (held.alias === record.alias ? record : held)) };
}
