/** The index host name -> who claims it, kept beside the applications. Each function costs what it changes. */
import type { AppKey } from '../spi/events.ts';
import type { LayeredMap } from './layered-map.ts';
import type { ImpliedNames } from './names.ts';
import type { NameClaims } from './state.ts';

export type Names = LayeredMap<string, NameClaims>;

/** Names, or the native map that they are first made in. */
interface Claimable<Self> {
  get(host: string): NameClaims | undefined;
  set(host: string, claims: NameClaims): Self;
}

const noClaims: NameClaims = { plain: null, ha: null, aliases: [] };

export function claimsOf(names: Pick<Names, 'get'>, host: string): NameClaims {
  return names.get(host) ?? noClaims;
}

/** Claims an application's own names. No two applications have one plain or one ha- name (see `impliedNames`). */
export function claimImplied<N extends Claimable<N>>(names: N, implied: ImpliedNames, app: AppKey): N {
  const { plain, ha } = implied;
  const next = plain === null ? names : names.set(plain, withPlain(names.get(plain), app));
  return ha === null ? next : next.set(ha, withHa(next.get(ha), app));
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
export function claimAlias<N extends Claimable<N>>(names: N, alias: string, app: AppKey, claim: number): N {
  const claims = names.get(alias);
  if (claims === undefined) return names.set(alias, { plain: null, ha: null, aliases: [{ app, claim }] });
  const { plain, ha, aliases } = claims;
  const all = [...aliases, { app, claim }].sort((a, b) => a.claim - b.claim);
  return names.set(alias, { plain, ha, aliases: all });
}

// Written out: most names are new to the index, a start makes hundreds of thousands, and a copy of what is not there costs four times as much.
function withPlain(claims: NameClaims | undefined, plain: AppKey): NameClaims {
  return claims === undefined ? { plain, ha: null, aliases: noClaims.aliases } : { ...claims, plain };
}

function withHa(claims: NameClaims | undefined, ha: AppKey): NameClaims {
  return claims === undefined ? { plain: null, ha, aliases: noClaims.aliases } : { ...claims, ha };
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
