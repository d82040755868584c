/** add_ssl (already judged), refuse_ssl and remove_ssl. Keyed by (application, alias): one tenant's late remove hits no other's. */
import { appKeyOf, type RoutingEvent } from '../spi/events.ts';
import { type CertificateRef, certificateId } from './certificate-ref.ts';
import type { Stamp, TableEvent, Transition } from './events.ts';
import type { TablePolicy } from './policy.ts';
import type { AliasRecord, Application, RoutingState } from './state.ts';
import { refusedBirth } from './tombstones.ts';
import { aliasesAreFull, findAlias, heldRecord, tooManyAliases, withoutAlias } from './transition-aliases.ts';
import { ensureApp } from './transition-application.ts';
import { wasJustReplaced } from './transition-endpoints.ts';
import { changed, rejected, unchanged, withApp } from './transition-result.ts';

type AddSsl = Extract<TableEvent, { action: 'add_ssl' }>;
type RefuseSsl = Extract<TableEvent, { action: 'refuse_ssl' }>;
type RetireSsl = Extract<TableEvent, { action: 'retire_ssl' }>;
type RemoveSsl = Extract<RoutingEvent, { action: 'remove_ssl' }>;

/**
 * A good certificate for an alias, held until the alias is announced (domain.md 10, 10). It ends a former refusal and the grace time of
 * a certificate that was removed before it. OpenShift replaces by remove_ssl and then add_ssl, so where this one replaces a certificate
 * that was not removed, that remove was overtaken and may still come (domain.md 10, 11).
 */
export function addSsl(state: RoutingState, event: AddSsl, policy: TablePolicy, stamp: Stamp): Transition {
  const held = findAlias(state.apps.get(appKeyOf(event.app)), event.alias);
  const isHeld = held !== undefined && isSame(held.certificate, event.certificate);
  if (isHeld && held.refusal === null && held.retiresAt === undefined) return unchanged(state);
  const update = { certificate: event.certificate, refusal: null };
  return updateAlias(state, event, policy, stamp, isHeld ? update : { ...update, ...replacing(held, stamp) });
}

/**
 * Remembers why a certificate was refused; the former one stays and is served, also where it was just removed to make room for this one.
 * The same refusal again keeps its first time.
 */
export function refuseSsl(
  state: RoutingState,
  event: RefuseSsl,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const held = findAlias(state.apps.get(appKeyOf(event.app)), event.alias);
  const known = held?.refusal ?? null;
  if (known?.code === event.refusal.code && known.reason === event.refusal.reason) return unchanged(state);
  return updateAlias(state, event, policy, stamp, { refusal: event.refusal, ...replacing(held, stamp) });
}

/**
 * Drops certificate and refusal; an announced alias stays (domain.md 10, 42), one that was only held leaves nothing. The certificate of
 * an announced alias is served on for the grace time: the one that replaces it comes seconds later, and nobody is to see the wildcard in
 * between (domain.md 10, 12).
 */
export function removeSsl(
  state: RoutingState,
  event: RemoveSsl,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  const app = state.apps.get(appKeyOf(event.app));
  const held = findAlias(app, event.alias);
  if (app === undefined || held === undefined) return unchanged(state);
  if (!stamp.byHand && wasJustReplaced(held, stamp, policy)) {
    const message = `the certificate of ${event.alias} was replaced just before: its remove is taken for an earlier one, overtaken`;
    return unchanged(state, { code: 'TABLE_REMOVE_OVERTAKEN', app: app.key, message });
  }
  if (!held.announced) {
    return changed(withApp(state, { ...app, aliases: withoutAlias(app, event.alias) }), [app.key]);
  }
  const { certificateGraceMs } = policy.windows;
  const keeps = held.certificate !== null && certificateGraceMs > 0 && !stamp.byHand;
  if (keeps) {
    if (held.retiresAt !== undefined) return unchanged(state);
    const retiring = { ...plainRecord(held), refusal: null, retiresAt: stamp.at + certificateGraceMs };
    return changed(withApp(state, replaceAlias(app, retiring)), [app.key]);
  }
  if (held.certificate === null && held.refusal === null) return unchanged(state);
  const bare = { ...plainRecord(held), certificate: null, refusal: null };
  return changed(withApp(state, replaceAlias(app, bare)), [app.key]);
}

/** The grace time is over: certificate and key go. Nothing where the certificate was added again since. */
export function retireSsl(state: RoutingState, event: RetireSsl): Transition {
  const app = state.apps.get(appKeyOf(event.app));
  const held = findAlias(app, event.alias);
  if (app === undefined || held === undefined || held.retiresAt !== event.retiresAt) return unchanged(state);
  const bare = { ...plainRecord(held), certificate: null };
  return changed(withApp(state, replaceAlias(app, bare)), [app.key]);
}

/** What an add notes of the certificate that it replaces. */
function replacing(held: AliasRecord | undefined, { at }: Stamp): { readonly replacedAt?: number } {
  return held === undefined || held.certificate === null || held.retiresAt !== undefined
    ? {}
    : { replacedAt: at };
}

/** Without the marks of what was on its way. */
function plainRecord({ retiresAt: _, replacedAt: __, ...record }: AliasRecord): AliasRecord {
  return record;
}

function updateAlias(
  state: RoutingState,
  event: AddSsl | RefuseSsl,
  policy: TablePolicy,
  stamp: Stamp,
  update: Partial<Pick<AliasRecord, 'certificate' | 'refusal' | 'replacedAt'>>,
): Transition {
  const held = findAlias(state.apps.get(appKeyOf(event.app)), event.alias);
  if (held === undefined && aliasesAreFull(state, appKeyOf(event.app)))
    return tooManyAliases(state, event.app);
  const refused = refusedBirth(state, event.app, stamp, policy);
  if (refused !== null) return rejected(state, refused);
  const ensured = ensureApp(state, event.app, policy);
  const record = { ...plainRecord(held ?? heldRecord(event.alias)), ...update };
  const app =
    held === undefined
      ? { ...ensured.app, aliases: [record, ...ensured.app.aliases] }
      : replaceAlias(ensured.app, record);
  return changed(withApp(ensured.state, app), [app.key], ensured.findings, ensured.buried);
}

/** In place: the order of claims stays. */
function replaceAlias(app: Application, record: AliasRecord): Application {
  return { ...app, aliases: app.aliases.map((held) => (held.alias === record.alias ? record : held)) };
}

/** Whatever is known of it now: what was said of it then stays. */
function isSame(held: CertificateRef | null, other: CertificateRef): boolean {
  return held !== null && certificateId(held) === certificateId(other);
}
