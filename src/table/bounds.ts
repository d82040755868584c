/**
 * What one application may hold. Far above anything real (the largest known installations have a few hundred gears an
 * application), low enough that a hostile tenant or message bus cannot make one record costly for everybody: a record is
 * copied and stored whole when it changes.
 */
import type { TablePolicy } from './policy.ts';
import type { RoutingState } from './state.ts';

export const maxEndpointsPerApp = 10_000;
export const maxAliasesPerApp = 1_000;
/** Characters of all the texts of one endpoint (types, protocols, mappings ...). */
export const maxEndpointCharacters = 16_384;

/** Which bound of all applications together is reached: new ones are refused until some go. */
export function reachedBound(state: RoutingState, { limits }: TablePolicy): 'applications' | 'names' | null {
  if (state.apps.size >= limits.maxApplications) return 'applications';
  return state.names.size >= limits.maxNames ? 'names' : null;
}
