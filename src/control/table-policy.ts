/** Configuration -> what the table is told of its surroundings. */
import type { Config } from '../config/schema.ts';
import { canonicalAddress, endpointKey } from '../table/address-policy.ts';
import type { TablePolicy } from '../table/policy.ts';

/** A socket that this process listens on. */
export interface OwnListener {
  readonly host: string;
  readonly port: number;
}

export function tablePolicyOf(
  config: Pick<Config, 'cloudDomain' | 'names' | 'endpoints' | 'certificates' | 'nodeFrontend' | 'table'>,
  ownListeners: ReadonlySet<string>,
): TablePolicy {
  const { names, endpoints, certificates, nodeFrontend, table } = config;
  return {
    cloudDomain: config.cloudDomain,
    haPrefix: names.haPrefix,
    haSuffix: names.haSuffix,
    routableTypes: endpoints.types,
    allowLoopbackEndpoints: endpoints.allowLoopbackEndpoints,
    addressMap: endpoints.addressMap,
    ownListeners,
    verifyEndpointTls: endpoints.verifyTls,
    windows: {
      certificateGraceMs: table.certificateGraceMs,
      swapMs: table.swapWindowMs,
      tombstoneMs: table.tombstoneMs,
      maxTombstones: table.maxTombstones,
    },
    limits: { maxApplications: table.maxApplications, maxNames: table.maxNames },
    certificates: {
      expired: certificates.expired,
      notYetValid: certificates.notYetValid,
      nameMismatch: certificates.nameMismatch,
    },
    nodeFrontend: {
      aliases: nodeFrontend.aliases,
      applications: nodeFrontend.applications,
      httpPort: nodeFrontend.httpPort,
      httpsPort: nodeFrontend.httpsPort,
      verifyTls: nodeFrontend.verifyTls,
    },
  };
}

/** Addresses that stand for every address of the machine. */
const everywhere: ReadonlySet<string> = new Set(['', '::', '0.0.0.0']);

/**
 * The keys by which an endpoint would reach one of our own listeners. A listener on every address is reached by each of
 * `machineAddresses` and by loopback.
 */
export function ownListenerKeys(
  listeners: readonly OwnListener[],
  machineAddresses: Iterable<string>,
): ReadonlySet<string> {
  const addresses = [...machineAddresses, '127.0.0.1', '::1'];
  const keys = new Set<string>();
  for (const { host, port } of listeners) {
    const reached = everywhere.has(host) ? addresses : host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
    for (const address of reached) keys.add(endpointKey(canonicalAddress(address), port));
  }
  return keys;
}
