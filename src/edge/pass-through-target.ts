/** Which TLS connections go on undecrypted, and where: by the configuration's names, else by what the application of the name speaks. */
import { isIP } from 'node:net';
import { createHostPatterns, type HostPatterns } from '../config/host-patterns.ts';
import type { Config } from '../config/schema.ts';
import type { Destination } from '../router/router.ts';
import type { PublishedEndpoint } from '../table/routing-table.ts';

export interface PassThroughTarget {
  /** Empty: nowhere at the moment; it is not decrypted all the same. */
  readonly endpoints: readonly PublishedEndpoint[];
  readonly proxyProtocol: 'off' | 'v1' | 'v2';
  /** `namespace/app`; '' for endpoints of the configuration, and for names that nobody has. */
  readonly app: string;
}

interface PassThroughRule {
  /** Null: the application's. */
  readonly endpoints: readonly PublishedEndpoint[] | null;
  readonly proxyProtocol: PassThroughTarget['proxyProtocol'];
}

/** The configuration's names, which are never decrypted here. */
export function createPassThroughRules(config: Config['passThrough']): HostPatterns<PassThroughRule> {
  return createHostPatterns(
    config.rules.flatMap((rule) => {
      const { names, to, proxyProtocol = config.proxyProtocol } = rule;
      const value = { endpoints: to === undefined ? null : to.map(fixedEndpoint), proxyProtocol };
      return names.map((name) => [name, value] as const);
    }),
  );
}

/**
 * `route` answers for a host in normal form. Names come from the configuration and from the routing table, which decides who owns a
 * name: an endpoint says nothing about names, so no tenant gets at another's connections with one. Nor does a tenant get round the
 * certificates that the configuration asks of the clients of its host.
 */
export function createPassThroughTargets(
  config: Config['passThrough'],
  route: (host: string) => Destination | null,
  asksForCertificate: (host: string) => boolean,
): (serverName: string) => PassThroughTarget | null {
  const rules = createPassThroughRules(config);
  return (serverName) => {
    const rule = rules(serverName);
    if (rule !== null && rule.endpoints !== null) {
      return { endpoints: rule.endpoints, proxyProtocol: rule.proxyProtocol, app: '' };
    }
    const destination = route(serverName);
    const { endpoints = [], passThrough = [], app = '' } = destination?.route ?? {};
    if (rule !== null) return { endpoints: passThrough, proxyProtocol: rule.proxyProtocol, app };
    if (!config.tlsApplications || endpoints.length > 0 || passThrough.length === 0) return null;
    if (asksForCertificate(serverName)) return null;
    return { endpoints: passThrough, proxyProtocol: config.proxyProtocol, app };
  };
}

function fixedEndpoint({ address, port }: { readonly address: string; readonly port: number }) {
  const shown = isIP(address) === 6 ? `[${address}]` : address;
  return {
    id: `configured ${shown}:${port} through`,
    gearId: '',
    address,
    port,
    tls: false,
    versions: 'http1',
    verifyTls: false,
  } satisfies PublishedEndpoint;
}
