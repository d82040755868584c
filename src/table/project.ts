/** Routing state -> the published table: only what changed. */
import type { AppKey } from '../spi/events.ts';
import { appRoute, hasFrontendAlias, sameRoute } from './app-route.ts';
import { type CertificateHead, certificateHead, certificateId } from './certificate-ref.ts';
import { impliedNames } from './names.ts';
import type { TablePolicy } from './policy.ts';
import { certificateOfHost, resolveHost, routeOf, standsFor } from './resolve-host.ts';
import type { AppRoute, HostRoute, PublishedCertificate, ServedTime, TableChanges } from './routing-table.ts';
import type { Application, RoutingState } from './state.ts';

/** Sealed chain and key of an (application, alias) by the certificate's id; null where the store lost it: the platform's certificate serves then. */
export type LoadCertificate = (app: AppKey, alias: string, id: string) => Uint8Array | null;

/**
 * What changed between two states, as absolute values, so that changes may be merged and repeated. It looks at the touched
 * applications and at the names these claim or claimed, at nothing else; from `emptyState` with every application touched it is the
 * whole table. Another application may win or lose a host here without its record being touched.
 */
export function project(
  before: RoutingState,
  after: RoutingState,
  touched: Iterable<AppKey>,
  policy: TablePolicy,
  loadCertificate: LoadCertificate,
): Omit<TableChanges, 'generation'> {
  const apps: [AppKey, AppRoute | null][] = [];
  const names = new Set<string>();
  for (const key of new Set(touched)) {
    const was = before.apps.get(key);
    const is = after.apps.get(key);
    if (was === is) continue;
    const route = changedRoute(was, is, policy);
    if (route !== undefined) apps.push([key, route]);
    collectNames(names, was, is, policy);
  }
  const hosts: [string, HostRoute | null][] = [];
  const certificates: [string, PublishedCertificate | null][] = [];
  for (const host of names) {
    const route = resolveHost(after, host, policy);
    const formerRoute = resolveHost(before, host, policy);
    if (!sameHost(formerRoute, route)) hosts.push([host, route]);
    const had = certificateOfHost(before, host, policy, formerRoute);
    const has = certificateOfHost(after, host, policy, route);
    if (idOf(had) === idOf(has)) continue;
    certificates.push([host, has === null ? null : loaded(has, policy, loadCertificate)]);
  }
  return { apps, hosts, certificates };
}

/** The whole table: what `project` makes of every application from `emptyState` on, in half the time. */
export function projectAll(
  state: RoutingState,
  policy: TablePolicy,
  loadCertificate: LoadCertificate,
): Omit<TableChanges, 'generation'> {
  const routes = projectRoutes(state, policy);
  return { ...routes, certificates: projectCertificates(state, policy, routes, loadCertificate) };
}

/** Of the whole table what needs no certificate. */
export type Routes = Pick<TableChanges, 'apps' | 'hosts'>;

export function projectRoutes(state: RoutingState, policy: TablePolicy): Routes {
  const apps: [AppKey, AppRoute | null][] = [];
  const hosts: [string, HostRoute | null][] = [];
  for (const app of state.apps.values()) apps.push([app.key, appRoute(app, policy)]);
  for (const [host, claims] of state.names) {
    const route = routeOf(claims, policy);
    if (route !== null) hosts.push([host, route]);
  }
  return { apps, hosts };
}

/** The rest of it; `routes` are those of the same state. */
export function projectCertificates(
  state: RoutingState,
  policy: TablePolicy,
  { hosts }: Routes,
  loadCertificate: LoadCertificate,
): TableChanges['certificates'] {
  const certificates: [string, PublishedCertificate | null][] = [];
  for (const [host, route] of hosts) {
    const has = certificateOfHost(state, host, policy, route);
    if (has !== null) certificates.push([host, loaded(has, policy, loadCertificate)]);
  }
  return certificates;
}

export function isEmpty(changes: Omit<TableChanges, 'generation'>): boolean {
  return changes.apps.length === 0 && changes.hosts.length === 0 && changes.certificates.length === 0;
}

type Found = NonNullable<ReturnType<typeof certificateOfHost>>;

function idOf(found: Found | null): string | null {
  return found === null ? null : certificateId(found.certificate);
}

function loaded(
  found: Found,
  policy: TablePolicy,
  loadCertificate: LoadCertificate,
): PublishedCertificate | null {
  const { app, alias, certificate } = found;
  const sealed = loadCertificate(app, alias, certificateId(certificate));
  return sealed === null ? null : publishedCertificate(found, sealed, policy);
}

/** Of what was judged when it came; its PEM is not looked at. */
export function publishedCertificate(
  { app, alias, certificate }: Found,
  sealed: Uint8Array,
  policy: TablePolicy,
): PublishedCertificate {
  const head = certificateHead(certificate);
  const { id, keyType, keyBits } = head;
  const served = servedTime(head, policy);
  const validUntil = standsFor(certificate) ? head.notAfter : 0;
  const always = { id, keyType, keyBits, validUntil, app, alias, sealed };
  return served === null ? always : { ...always, served };
}

/** Null where the policy serves a certificate whatever the time. */
function servedTime({ notBefore, notAfter }: CertificateHead, policy: TablePolicy): ServedTime | null {
  const from = policy.certificates.notYetValid === 'fallback' ? notBefore : null;
  const until = policy.certificates.expired === 'fallback' ? notAfter : null;
  return from === null && until === null ? null : { from, until };
}

/** undefined: the same as before. */
function changedRoute(
  was: Application | undefined,
  is: Application | undefined,
  policy: TablePolicy,
): AppRoute | null | undefined {
  if (is === undefined) return null;
  if (was === undefined) return appRoute(is, policy);
  const sameParts =
    was.endpoints === is.endpoints && hasFrontendAlias(was, policy) === hasFrontendAlias(is, policy);
  if (sameParts) return undefined;
  const route = appRoute(is, policy);
  return sameRoute(appRoute(was, policy), route) ? undefined : route;
}

/** Names that may resolve to something else: implied ones where the application appeared or went, and aliases whose record changed. */
function collectNames(
  names: Set<string>,
  was: Application | undefined,
  is: Application | undefined,
  policy: TablePolicy,
): void {
  const any = is ?? was;
  if (any !== undefined && (was === undefined || is === undefined)) {
    const { plain, ha } = impliedNames(any, policy);
    if (plain !== null) names.add(plain);
    if (ha !== null) names.add(ha);
  }
  if (was?.aliases === is?.aliases) return;
  const kept = new Set(was?.aliases);
  for (const record of is?.aliases ?? []) {
    if (!kept.delete(record)) names.add(record.alias);
  }
  for (const record of kept) names.add(record.alias);
}

function sameHost(a: HostRoute | null, b: HostRoute | null): boolean {
  if (a === null || b === null) return a === b;
  return a.app === b.app && a.kind === b.kind && a.viaNodeFrontend === b.viaNodeFrontend;
}
