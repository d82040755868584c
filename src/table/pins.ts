/** What it means to be pinned by hand; the verbs are transition-pins.ts's. */
import type { Rejection } from '../spi/events.ts';
import { endpointKey } from './address-policy.ts';
import type { AliasRecord, Application, EndpointRecord } from './state.ts';

/** Above every ordinary claim: a pinned alias has its name whoever claims it later; of several, the one pinned last. */
export const pinnedClaims = 2 ** 50;

/** The number by which an alias was claimed by events; pinned ones stand above them all. */
export function ordinaryClaim({ claim, pin }: AliasRecord): number {
  return pin?.claim ?? claim;
}

export function findEndpoint(app: Application | undefined, endpoint: string): EndpointRecord | undefined {
  return app?.endpoints.find((one) => endpointKey(one.address, one.port) === endpoint);
}

/** Why nobody else may have it, nor an operator delete it. */
export function pinnedBy(what: string, app: string): Rejection {
  return { code: 'TABLE_PINNED', reason: `${what} is pinned to ${app} by hand: unpin it first` };
}

export function hasPins(app: Application): boolean {
  return (
    app.endpoints.some(({ pin }) => pin !== undefined) || app.aliases.some(({ pin }) => pin !== undefined)
  );
}
