/** Route -> endpoint, as plain functions over what is known of load and health. */
import type { PublishedEndpoint } from '../table/routing-table.ts';

/** What a policy may ask. */
export interface EndpointFactsNow {
  /** Requests under way. */
  load(id: string): number;
  /** Whether it is ejected now. */
  ejected(id: string): boolean;
}

/**
 * Least requests under way; equals take turns, `turn` being any rising number. Endpoints that already failed in this exchange are
 * passed over; ejected ones are used only when nothing else is left (a wrong ejection must never make an outage). The GEAR
 * cookie needs no care here: every load_balancer gear honours it (domain.md 5).
 */
export function pickLeastLoaded(
  endpoints: readonly PublishedEndpoint[],
  tried: readonly PublishedEndpoint[],
  facts: EndpointFactsNow,
  turn: number,
): PublishedEndpoint | null {
  const count = endpoints.length;
  if (count === 1 && tried.length === 0) return endpoints[0] ?? null;
  let best: PublishedEndpoint | null = null;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let step = 0; step < count; step++) {
    const endpoint = endpoints[(turn + step) % count];
    if (endpoint === undefined || tried.includes(endpoint)) continue;
    const score = facts.load(endpoint.id) + (facts.ejected(endpoint.id) ? EJECTED_SCORE : 0);
    if (score < bestScore) {
      best = endpoint;
      bestScore = score;
    }
  }
  return best;
}

const EJECTED_SCORE = 1e9;
