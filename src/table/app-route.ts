/** Application -> where its requests go. */
import { endpointKey, isOwnListener } from './address-policy.ts';
import { plainName } from './names.ts';
import type { TablePolicy } from './policy.ts';
import { usesNodeFrontend } from './resolve-host.ts';
import { type PassableEndpoint, passable, type RoutableEndpoint, routable } from './routable.ts';
import type { AppRoute, PublishedEndpoint } from './routing-table.ts';
import type { Application } from './state.ts';

const NONE: readonly PublishedEndpoint[] = [];

/** The route of an application, its endpoints in order of arrival; without any, requests are answered 503. */
export function appRoute(app: Application, policy: TablePolicy): AppRoute {
  const endpoints: RoutableEndpoint[] = [];
  const through: PassableEndpoint[] = [];
  for (const facts of app.endpoints) {
    const endpoint = routable(facts, policy);
    if (endpoint !== null) endpoints.push(endpoint);
    const tlsEndpoint = passable(facts, policy);
    if (tlsEndpoint !== null) through.push(tlsEndpoint);
  }
  const viaFrontends = hasFrontendAlias(app, policy);
  return {
    app: app.key,
    name: plainName(app, policy),
    endpoints: distinct(endpoints.map((endpoint) => published(app, endpoint, policy))),
    nodeFrontendsHttp: viaFrontends ? nodeFrontends(app, endpoints, false, policy) : [],
    nodeFrontendsHttps: viaFrontends ? nodeFrontends(app, endpoints, true, policy) : [],
    passThrough:
      through.length === 0 ? NONE : distinct(through.map((endpoint) => undecrypted(app, endpoint))),
  };
}

/**
 * True where some alias of the application goes to the node frontend. Judged by the aliases it holds, not by those it wins: so a route
 * depends on the application's own record alone, and another tenant's claim changes nothing in it.
 */
export function hasFrontendAlias(app: Application, policy: TablePolicy): boolean {
  return usesNodeFrontend(app.key, policy) && app.aliases.some((record) => record.announced);
}

export function sameRoute(a: AppRoute, b: AppRoute): boolean {
  return (
    a.name === b.name &&
    sameEndpoints(a.endpoints, b.endpoints) &&
    sameEndpoints(a.nodeFrontendsHttp, b.nodeFrontendsHttp) &&
    sameEndpoints(a.nodeFrontendsHttps, b.nodeFrontendsHttps) &&
    sameEndpoints(a.passThrough, b.passThrough)
  );
}

function published(app: Application, endpoint: RoutableEndpoint, policy: TablePolicy): PublishedEndpoint {
  const { facts, dial, tls, versions } = endpoint;
  const spoken = versions === 'http1' ? '' : ` ${versions}`;
  return {
    id: `${app.key} ${endpointKey(dial, facts.port)} ${tls ? 'tls' : 'tcp'}${spoken}`,
    gearId: facts.gearId,
    address: dial,
    port: facts.port,
    tls,
    versions,
    verifyTls: tls && policy.verifyEndpointTls,
  };
}

/** Marked, so that such connections never share a pool with those that HTTP goes over. */
function undecrypted(app: Application, { facts, dial }: PassableEndpoint): PublishedEndpoint {
  return {
    id: `${app.key} ${endpointKey(dial, facts.port)} through`,
    gearId: facts.gearId,
    address: dial,
    port: facts.port,
    tls: false,
    versions: 'http1',
    verifyTls: false,
  };
}

/** One a distinct node; a node whose frontend port is our own listener (wildcard DNS, one machine) would be a loop and is left out. */
function nodeFrontends(
  app: Application,
  endpoints: readonly RoutableEndpoint[],
  tls: boolean,
  policy: TablePolicy,
): readonly PublishedEndpoint[] {
  const { httpPort, httpsPort, verifyTls } = policy.nodeFrontend;
  const port = tls ? httpsPort : httpPort;
  const byNode = new Map<string, PublishedEndpoint>();
  for (const { dial, facts } of endpoints) {
    if (byNode.has(dial) || isOwnListener(dial, port, policy)) continue;
    byNode.set(dial, {
      // Marked, so that a frontend never shares a pool with an endpoint that happens to be at the same port.
      id: `${app.key} ${endpointKey(dial, port)} ${tls ? 'tls' : 'tcp'} frontend`,
      gearId: facts.gearId,
      address: dial,
      port,
      tls,
      versions: 'http1',
      verifyTls: tls && verifyTls,
    });
  }
  return [...byNode.values()];
}

/** Two public addresses may be mapped to one dial address: one pool, one entry. */
function distinct(endpoints: readonly PublishedEndpoint[]): readonly PublishedEndpoint[] {
  if (endpoints.length < 2) return endpoints;
  const [first, second] = endpoints;
  // The usual pair, without making a map of it.
  if (endpoints.length === 2 && (first?.address !== second?.address || first?.port !== second?.port))
    return endpoints;
  const byId = new Map<string, PublishedEndpoint>();
  for (const endpoint of endpoints) if (!byId.has(endpoint.id)) byId.set(endpoint.id, endpoint);
  return byId.size === endpoints.length ? endpoints : [...byId.values()];
}

function sameEndpoints(a: readonly PublishedEndpoint[], b: readonly PublishedEndpoint[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i];
      return (
        other !== undefined &&
        one.id === other.id &&
        one.gearId === other.gearId &&
        one.verifyTls === other.verifyTls
      );
    })
  );
}
