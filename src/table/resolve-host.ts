/** Where the requests of a host name go. Who has the name is ownership.ts's to say. */
import type { AppKey } from '../spi/events.ts';
import { type CertificateRef, certificateWarnings } from './certificate-ref.ts';
import { ownEntry } from './own-entry.ts';
import { winnerOfName } from './ownership.ts';
import type { TablePolicy } from './policy.ts';
import type { HostRoute } from './routing-table.ts';
import type { AliasRecord, NameClaims, RoutingState } from './state.ts';
import { findAlias } from './transition-aliases.ts';

/** The judge's word (pem/types.ts) for a certificate that does not stand for its alias. */
const NAME_MISMATCH = 'CERT_NAME_MISMATCH';

/**
 * null where nobody claims the host. Requests by an alias go to the node
 * frontend where the policy says so, and so do those by a ha- name that the same application also holds as an alias (nodes know
 * such a name; a ha- name that is none they do not, domain.md 4).
 */
export function resolveHost(state: RoutingState, host: string, policy: TablePolicy): HostRoute | null {
  const claims = state.names.get(host);
  return claims === undefined ? null : routeOf(claims, policy);
}

/** The same of who claims the host. */
export function routeOf(claims: NameClaims, policy: TablePolicy): HostRoute | null {
  const winner = winnerOfName(claims);
  if (winner === null) return null;
  const { app, kind } = winner;
  const asAlias = kind === 'alias' || (kind === 'ha' && claims.aliases.some((claim) => claim.app === app));
  return { app, kind, viaNodeFrontend: asAlias && usesNodeFrontend(app, policy) };
}

/** The certificate that a host's handshakes get: the winner's own, for this very name; never a displaced holder's. Its validity is not looked at. `route`: where the host's requests go. */
export function certificateOfHost(
  state: RoutingState,
  host: string,
  policy: TablePolicy,
  route: HostRoute | null = resolveHost(state, host, policy),
): { readonly app: AppKey; readonly alias: string; readonly certificate: CertificateRef } | null {
  if (route === null) return null;
  const record: AliasRecord | undefined = findAlias(state.apps.get(route.app), host);
  const certificate = record === undefined ? null : servableOf(record, policy);
  return certificate === null ? null : { app: route.app, alias: host, certificate };
}

/** The certificate that the holder of an alias has for it, wherever the alias leads; null where it has none to be served. */
export function servableOf(
  { announced, certificate }: AliasRecord,
  policy: TablePolicy,
): CertificateRef | null {
  if (!announced || certificate === null) return null;
  return policy.certificates.nameMismatch === 'serve' || standsFor(certificate) ? certificate : null;
}

/** Whether it stands for its alias, as it was judged: of the names it has, not all are remembered. */
export function standsFor(certificate: CertificateRef): boolean {
  return !certificateWarnings(certificate).includes(NAME_MISMATCH);
}

/** Whether alias traffic of an application goes to its node frontends. */
export function usesNodeFrontend(app: AppKey, policy: TablePolicy): boolean {
  return ownEntry(policy.nodeFrontend.applications, app) ?? policy.nodeFrontend.aliases;
}
