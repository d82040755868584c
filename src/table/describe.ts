/** Plain-JSON views of the routing state for admin. A state is a snapshot: a view may be streamed slowly and stays consistent. */
import type { AppKey, EndpointFacts } from '../spi/events.ts';
import { judgeAddress } from './address-policy.ts';
import { certificateId } from './certificate-ref.ts';
import { impliedNames } from './names.ts';
import type { TablePolicy } from './policy.ts';
import { certificateOfHost, resolveHost } from './resolve-host.ts';
import { passable, routable } from './routable.ts';
import type { HostRoute, HttpVersions } from './routing-table.ts';
import { type ShownAlias, shownAlias } from './shown-alias.ts';
import type { Application, NameClaims, RoutingState } from './state.ts';

export interface EndpointView extends EndpointFacts {
  /** How requests reach it, or connections that are not decrypted; null: neither ever do. */
  readonly transport: 'tcp' | 'tls' | 'pass-through' | null;
  /** Of the requests; null where none reach it. */
  readonly versions: HttpVersions | null;
  /** Literal dial address; null where the address policy of today refuses it, then `refused` holds the code. */
  readonly dial: string | null;
  readonly refused: string | null;
}

export interface AliasView extends ShownAlias {
  /** Application whose requests the alias's are; null while it is not announced by anybody. */
  readonly servedFor: AppKey | null;
}

export interface AppView extends Omit<Application, 'endpoints' | 'aliases'> {
  readonly plainName: string | null;
  readonly haName: string | null;
  readonly endpoints: readonly EndpointView[];
  readonly aliases: readonly AliasView[];
}

export interface HostView {
  readonly host: string;
  readonly route: HostRoute;
  readonly claims: NameClaims;
  /** Id of the alias certificate that handshakes get; null: one of the platform's. */
  readonly certificateId: string | null;
}

export interface TablePage {
  readonly apps: readonly AppView[];
  readonly total: number;
  /** Offset of the next page, or null at the end. */
  readonly next: number | null;
}

/** Every application, one at a time, in no particular order. */
export function* describeTable(state: RoutingState, policy: TablePolicy): Generator<AppView, void> {
  for (const app of state.apps.values()) yield viewOf(state, app, policy);
}

/** `limit` applications from `offset` on, in the order of `describeTable`; pages of one state fit together. */
export function describePage(
  state: RoutingState,
  policy: TablePolicy,
  offset: number,
  limit: number,
): TablePage {
  const apps: AppView[] = [];
  let at = 0;
  for (const app of state.apps.values()) {
    if (at >= offset + limit) break;
    if (at >= offset) apps.push(viewOf(state, app, policy));
    at += 1;
  }
  return { apps, total: state.apps.size, next: at < state.apps.size ? at : null };
}

/** One application by its key, or null. */
export function describeApp(state: RoutingState, key: AppKey, policy: TablePolicy): AppView | null {
  const app = state.apps.get(key);
  return app === undefined ? null : viewOf(state, app, policy);
}

/** What a host name (normal form: lower-case, no port, no trailing dot) leads to, and who else claims it; null: nobody does. */
export function describeHost(state: RoutingState, host: string, policy: TablePolicy): HostView | null {
  const route = resolveHost(state, host, policy);
  const claims = state.names.get(host);
  if (route === null || claims === undefined) return null;
  const found = certificateOfHost(state, host, policy, route);
  return { host, route, claims, certificateId: found === null ? null : certificateId(found.certificate) };
}

function viewOf(state: RoutingState, app: Application, policy: TablePolicy): AppView {
  const { plain, ha } = impliedNames(app, policy);
  return {
    ...app,
    plainName: plain,
    haName: ha,
    endpoints: app.endpoints.map((facts) => endpointView(facts, policy)),
    aliases: app.aliases.map((record) => ({
      ...shownAlias(record),
      servedFor: resolveHost(state, record.alias, policy)?.app ?? null,
    })),
  };
}

function endpointView(facts: EndpointFacts, policy: TablePolicy): EndpointView {
  const judged = judgeAddress(facts.address, facts.port, policy);
  const way = routable(facts, policy);
  return {
    ...facts,
    transport: way === null ? passThroughOrNone(facts, policy) : way.tls ? 'tls' : 'tcp',
    versions: way?.versions ?? null,
    dial: judged.ok ? judged.dial : null,
    refused: judged.ok ? null : judged.rejection.code,
  };
}

function passThroughOrNone(facts: EndpointFacts, policy: TablePolicy): 'pass-through' | null {
  return passable(facts, policy) === null ? null : 'pass-through';
}
