/**
 * Freeze: events are accepted, made durable and acked, and nothing of them is published until the thaw. What is published stays known
 * by the records that changed since, as they were; so a restart within a freeze serves what was served before it, and freeze, event and
 * thaw each cost what they change.
 */
import type { AppKey } from '../spi/events.ts';
import type { FrozenParts, Recovered, Store, StoreBatch } from '../store/types.ts';
import type { TablePolicy } from '../table/policy.ts';
import { recoverState } from '../table/recover-state.ts';
import type { RoutingState } from '../table/state.ts';
import { certificatesOf } from './certificates-of.ts';
import { nothing, told } from './handle-delivery.ts';
import type { CommandResult, Work } from './work.ts';

export interface Frozen {
  /** Epoch milliseconds. */
  readonly since: number;
  /** What the data plane serves. */
  readonly published: RoutingState;
  /** Applications whose record changed since; grows once it is durable. */
  readonly keys: Set<AppKey>;
}

export type FreezeVerb = 'freeze' | 'thaw';

/** Takes its turn, alone in its batch: what came before it is published, what comes after it is not (and the other way round). */
export function freezeWork(
  verb: FreezeVerb,
  at: number,
  isFrozen: () => boolean,
  resolve: (result: CommandResult) => void,
): Work {
  return {
    source: 'manual',
    messageId: null,
    receivedAt: at,
    sentAt: null,
    freeze: verb,
    handle: (state) => {
      const outcome = isFrozen() === (verb === 'freeze') ? 'unchanged' : 'applied';
      return { ...nothing(state), told: told(verb, null, outcome) };
    },
    durable: ({ told: { outcome, code, reason, notes } }) => resolve({ outcome, code, reason, notes }),
    dropped: () =>
      resolve({ outcome: 'refused', code: 'CONTROL_STOPPING', reason: 'Headgear is stopping', notes: [] }),
  };
}

/** What a batch has to keep of what is published: records that it changes first, and certificates that it takes away. */
export function keptOf(
  { published, keys }: Frozen,
  changed: readonly AppKey[],
  certificates: StoreBatch['certificates'],
  store: Pick<Store, 'certificate'>,
): FrozenParts {
  return {
    apps: changed
      .filter((key) => !keys.has(key))
      .map((key) => [key, published.apps.get(key) ?? null] as const),
    certificates: certificates.flatMap(({ app, alias }) => {
      const served = certificatesOf(published.apps.get(app)).get(alias);
      const stored = served === undefined ? null : store.certificate(app, alias);
      return stored !== null && stored.id === served ? [{ app, alias, certificate: stored }] : [];
    }),
  };
}

/** The freeze that a restart found: today's records, but those that changed since as they were. */
export function frozenAgain(
  { apps, nextClaim }: Recovered,
  { since, apps: kept }: NonNullable<Recovered['frozen']>,
  policy: TablePolicy,
): Frozen {
  const keys = new Set(kept.map(([key]) => key));
  const former = kept.flatMap(([, app]) => (app === null ? [] : [app]));
  const published = [...apps.filter(({ key }) => !keys.has(key)), ...former];
  return { since, keys, published: recoverState(published, nextClaim, policy) };
}

/** Works of the next batch: up to a freeze or thaw, which are batches of their own. */
export function batchLength(waiting: readonly Work[], most: number): number {
  const at = waiting.slice(0, most).findIndex(({ freeze }) => freeze !== undefined);
  if (at === 0) return 1;
  return at === -1 ? most : at;
}

export function saidOf(verb: FreezeVerb): string {
  return verb === 'freeze'
    ? 'the routing table is frozen: events are taken and nothing is published'
    : 'the routing table is thawed';
}
