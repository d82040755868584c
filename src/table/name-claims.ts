/** The index host name -> who claims it, kept beside the applications. Each function costs what it changes. */
import type { Map as PersistentMap } from 'immutable';
import type { AppKey } from '../spi/events.ts';
import type { ImpliedNames } from './names.ts';
import type { NameClaims } from './state.ts';

export type Names = PersistentMap<string, NameClaims>;

const noClaims: NameClaims = { plain: null, ha: null, aliases: [] };

export function claimsOf(names: Names, host: string): NameClaims {
  return names.get(host) ?? noClaims;
}

/** Claims an application's own names. No two applications have one plain or one ha- name (see `impliedNames`). */
export function claimImplied(names: Names, implied: ImpliedNames, app: AppKey): Names {
  let next = names;
  if (implied.plain !== null) {
    next = put(next, implied.plain, { ...claimsOf(next, implied.plain), plain: app });
  }
  if (implied.ha !== null) next = put(next, implied.ha, { ...claimsOf(next, implied.ha), ha: app });
  return next;
}

export function releaseImplied(names: Names, implied: ImpliedNames): Names {
  let next = names;
  if (implied.plain !== null) {
    next = put(next, implied.plain, { ...claimsOf(next, implied.plain), plain: null });
  }
  if (implied.ha !== null) next = put(next, implied.ha, { ...claimsOf(next, implied.ha), ha: null });
  return next;
}

/** Claims an alias; `claim` may be lower than claims that are there (a table recovered in any order). */
export function claimAlias(names: Names, alias: string, app: AppKey, claim: number): Names {
  const claims = claimsOf(names, alias);
  const aliases = [...claims.aliases, { app, claim }].sort((a, b) => a.claim - b.claim);
  return put(names, alias, { ...claims, aliases });
}

export function releaseAlias(names: Names, alias: string, app: AppKey): Names {
  const claims = claimsOf(names, alias);
  return put(names, alias, { ...claims, aliases: claims.aliases.filter((claim) => claim.app !== app) });
}

/** A name that nobody claims any more leaves the index. */
function put(names: Names, host: string, claims: NameClaims): Names {
  const empty = claims.plain === null && claims.ha === null && claims.aliases.length === 0;
  return empty ? names.delete(host) : names.set(host, claims);
}
