/** What the shadow's own table does with a host, kept up to date by what would be published to a data plane. */
import type { AppKey } from '../spi/events.ts';
import { endpointKey } from '../table/address-policy.ts';
import type {
  AppRoute,
  HostKind,
  HostRoute,
  PublishedEndpoint,
  TableChanges,
} from '../table/routing-table.ts';

export interface OwnHost {
  readonly app: AppKey;
  readonly kind: HostKind;
  /** As they would be dialled, `address:port`, with ` tls` or ` undecrypted` behind where it is not plain HTTP. */
  readonly endpoints: readonly string[];
  /** Its alias certificate that handshakes would get; null: one of the platform's. */
  readonly certificate: { readonly id: string; readonly app: AppKey; readonly alias: string } | null;
}

export interface OwnHosts {
  /** Gives back the hosts that may be served otherwise now. */
  apply(changes: TableChanges): ReadonlySet<string>;
  /** null: the table does not know it. */
  host(name: string): OwnHost | null;
  names(): Iterable<string>;
}

export function createOwnHosts(): OwnHosts {
  const routes = new Map<AppKey, AppRoute>();
  const hosts = new Map<string, HostRoute>();
  const hostsOfApp = new Map<AppKey, Set<string>>();
  const certificates = new Map<string, OwnHost['certificate']>();

  const move = (host: string, from: HostRoute | undefined, to: HostRoute | null): void => {
    if (from !== undefined) {
      const held = hostsOfApp.get(from.app);
      held?.delete(host);
      if (held?.size === 0) hostsOfApp.delete(from.app);
    }
    if (to === null) return void hosts.delete(host);
    hosts.set(host, to);
    hostsOfApp.set(to.app, (hostsOfApp.get(to.app) ?? new Set()).add(host));
  };

  return {
    apply(changes) {
      const touched = new Set<string>();
      for (const [key, route] of changes.apps) {
        if (route === null) routes.delete(key);
        else routes.set(key, route);
        for (const host of hostsOfApp.get(key) ?? []) touched.add(host);
      }
      for (const [host, route] of changes.hosts) {
        move(host, hosts.get(host), route);
        touched.add(host);
      }
      for (const [host, certificate] of changes.certificates) {
        // Those of the platform are not named here.
        if (certificate === null || !('sealed' in certificate)) certificates.delete(host);
        else certificates.set(host, { id: certificate.id, app: certificate.app, alias: certificate.alias });
        touched.add(host);
      }
      return touched;
    },
    host(name) {
      const found = hosts.get(name);
      if (found === undefined) return null;
      const { app, kind, viaNodeFrontend } = found;
      const endpoints = endpointsOf(routes.get(app), viaNodeFrontend);
      return { app, kind, endpoints, certificate: certificates.get(name) ?? null };
    },
    names: () => hosts.keys(),
  };
}

/** Of a plain HTTP request, which is what nginx sends. */
function endpointsOf(route: AppRoute | undefined, viaNodeFrontend: boolean): readonly string[] {
  if (route === undefined) return [];
  const { endpoints, nodeFrontendsHttp, passThrough } = route;
  if (viaNodeFrontend) return nodeFrontendsHttp.map(textOf);
  if (endpoints.length > 0) return endpoints.map(textOf);
  return passThrough.map((endpoint) => `${textOf(endpoint)} undecrypted`);
}

function textOf({ address, port, tls }: PublishedEndpoint): string {
  return `${endpointKey(address, port)}${tls ? ' tls' : ''}`;
}
