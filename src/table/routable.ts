/** Which endpoints HTTP may be sent to, and how, and which take TLS as it comes from the client (domain.md 8). */
import type { EndpointFacts } from '../spi/events.ts';
import { judgeAddress } from './address-policy.ts';
import type { TablePolicy } from './policy.ts';
import type { HttpVersions } from './routing-table.ts';

export interface RoutableEndpoint {
  readonly facts: EndpointFacts;
  /** Literal address to dial. */
  readonly dial: string;
  /** TLS towards the gear. */
  readonly tls: boolean;
  readonly versions: HttpVersions;
}

/**
 * What protocol names mean. `http`, `ws`, `https`, `wss` are OpenShift's; the others are ours: names are free text there, and nobody
 * may be spoken to in HTTP/2 who did not ask for it.
 */
const PLAIN: ReadonlyMap<string, 'http1' | 'http2'> = new Map([
  ['http', 'http1'],
  ['ws', 'http1'],
  ['h2c', 'http2'],
  ['grpc', 'http2'],
]);
const OVER_TLS: ReadonlyMap<string, 'http1' | 'http2'> = new Map([
  ['https', 'http1'],
  ['wss', 'http1'],
  ['h2', 'http2'],
  ['grpcs', 'http2'],
]);

/**
 * null: HTTP never goes there. The type alone is not enough, JBoss announces its cluster ports as web_framework; plain wins where
 * both are spoken. The address is judged again: the policy may be stricter than when the endpoint was stored.
 */
export function routable(facts: EndpointFacts, policy: TablePolicy): RoutableEndpoint | null {
  if (!facts.types.some((type) => policy.routableTypes.includes(type))) return null;
  const plain = versionsOf(facts.protocols, PLAIN);
  const versions = plain ?? versionsOf(facts.protocols, OVER_TLS);
  if (versions === null) return null;
  const judged = judgeAddress(facts.address, facts.port, policy);
  return judged.ok ? { facts, dial: judged.dial, tls: plain === null, versions } : null;
}

function versionsOf(
  protocols: readonly string[],
  names: ReadonlyMap<string, 'http1' | 'http2'>,
): HttpVersions | null {
  let versions: HttpVersions | null = null;
  for (const protocol of protocols) {
    const version = names.get(protocol);
    if (version === undefined) continue;
    versions = versions === null || versions === version ? version : 'both';
  }
  return versions;
}

/** As above, of an endpoint that we speak nothing to ourselves. */
export type PassableEndpoint = Pick<RoutableEndpoint, 'facts' | 'dial'>;

/** Where the connections of TLS clients may go undecrypted: endpoints that speak TLS and nothing else. null: none do. */
export function passable(facts: EndpointFacts, policy: TablePolicy): PassableEndpoint | null {
  if (!facts.types.some((type) => policy.routableTypes.includes(type))) return null;
  const { protocols } = facts;
  const tlsOnly = protocols.every((protocol) => protocol === 'tls' || OVER_TLS.has(protocol));
  if (!tlsOnly || protocols.length === 0) return null;
  const judged = judgeAddress(facts.address, facts.port, policy);
  return judged.ok ? { facts, dial: judged.dial } : null;
}
