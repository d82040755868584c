/** Which endpoints HTTP may be sent to, and how (domain.md 8). */
import type { EndpointFacts } from '../spi/events.ts';
import { judgeAddress } from './address-policy.ts';
import type { TablePolicy } from './policy.ts';

export interface RoutableEndpoint {
  readonly facts: EndpointFacts;
  /** Literal address to dial. */
  readonly dial: string;
  /** https/wss towards the gear. */
  readonly tls: boolean;
}

/**
 * null: HTTP never goes there. The type alone is not enough, JBoss announces its cluster ports as web_framework; plain wins where
 * both are spoken. The address is judged again: the policy may be stricter than when the endpoint was stored.
 */
export function routable(facts: EndpointFacts, policy: TablePolicy): RoutableEndpoint | null {
  if (!facts.types.some((type) => policy.routableTypes.includes(type))) return null;
  const plain = facts.protocols.some((protocol) => protocol === 'http' || protocol === 'ws');
  const tls = facts.protocols.some((protocol) => protocol === 'https' || protocol === 'wss');
  if (!plain && !tls) return null;
  const judged = judgeAddress(facts.address, facts.port, policy);
  return judged.ok ? { facts, dial: judged.dial, tls: !plain } : null;
}
