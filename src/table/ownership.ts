/**
 * Who has what, when several applications claim it: pure policies with names, and what each came to as a value, so that log, metrics,
 * journal and admin say the same of it.
 */
import type { AppKey } from '../spi/events.ts';
import type { Decision, Finding, OwnershipPolicy } from './events.ts';
import type { HostKind } from './routing-table.ts';
import type { EndpointKey, NameClaims } from './state.ts';

export interface NameWinner {
  readonly app: AppKey;
  readonly kind: HostKind;
}

/** Who has a host name: plain name over ha- name over the highest alias claim; null where nobody claims it. */
export function winnerOfName(claims: NameClaims): NameWinner | null {
  if (claims.plain !== null) return { app: claims.plain, kind: 'plain' };
  if (claims.ha !== null) return { app: claims.ha, kind: 'ha' };
  const last = claims.aliases.at(-1);
  return last === undefined ? null : { app: last.app, kind: 'alias' };
}

/** What becomes known of a name when `by` claims it; `claims` hold that claim already. */
export function findingsOfClaim(host: string, claims: NameClaims, by: AppKey): readonly Finding[] {
  const winner = winnerOfName(claims);
  if (winner === null) return [];
  const findings: Finding[] = [];
  if (claims.plain !== null && claims.ha !== null && (by === claims.plain || by === claims.ha)) {
    const why = `${host} is the plain name of ${claims.plain} and the ha- name of ${claims.ha}: the plain name wins`;
    const decision = decide('plain-name-wins', host, claims.plain, claims.ha, why);
    findings.push(findingOf('TABLE_NAME_COLLISION', claims.ha, decision));
  }
  if (winner.kind !== 'alias') {
    // All of them where the name is new, else only the claim that came now: the others were said before.
    const shadowed = claims.aliases.filter(
      ({ app }) => app !== winner.app && (by === winner.app || by === app),
    );
    for (const { app } of shadowed) {
      const why = `${host} is the own name of ${winner.app}: the alias that ${app} holds is not served`;
      const decision = decide('implied-name-wins', host, winner.app, app, why);
      findings.push(findingOf('TABLE_ALIAS_SHADOWED', app, decision));
    }
    return findings;
  }
  if (winner.app !== by) {
    // A later claim that does not win: the winner's is above all ordinary ones.
    const why = `alias ${host} is pinned to ${winner.app} by hand: the claim of ${by} waits`;
    return [
      ...findings,
      findingOf('TABLE_ALIAS_PINNED', by, decide('pinned-wins', host, winner.app, by, why)),
    ];
  }
  const former = claims.aliases.at(-2);
  if (former === undefined) return findings;
  const why = `alias ${host} was claimed by ${by}: ${former.app} is displaced`;
  const decision = decide('last-add-wins', host, by, former.app, why);
  return [...findings, findingOf('TABLE_ALIAS_DISPLACED', former.app, decision)];
}

/** Who gets a name that its holder gave up, where somebody else claims it. */
export function findingsOfRelease(
  host: string,
  before: NameClaims,
  after: NameClaims,
  by: AppKey,
): readonly Finding[] {
  const next = winnerOfName(after);
  if (next === null || winnerOfName(before)?.app !== by || next.app === by) return [];
  const why = `${by} gave up ${host}: the claim of ${next.app} is served`;
  const decision = decide('former-claim-returns', host, next.app, null, why);
  return [findingOf('TABLE_NAME_RETURNED', next.app, decision)];
}

/** A port that `by` announces and `owner` has. */
export function findingOfTakeOver(endpoint: EndpointKey, owner: AppKey, by: AppKey): Finding {
  const why = `${endpoint} was announced by ${by}: ${owner} loses it`;
  const decision = decide('last-announcement-wins', endpoint, by, owner, why);
  return findingOf('TABLE_ENDPOINT_TAKEN_OVER', owner, decision);
}

function decide(
  policy: OwnershipPolicy,
  subject: string,
  winner: AppKey,
  displaced: AppKey | null,
  why: string,
): Decision {
  return { policy, subject, winner, displaced, why };
}

function findingOf(code: string, app: AppKey, decision: Decision): Finding {
  return { code, app, message: decision.why, decision };
}
