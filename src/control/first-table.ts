/** The whole table, as a start publishes it: what one look at everything can do in half the time that looking things up one by one takes. */
import type { AppKey } from '../spi/events.ts';
import type { HeldCertificate, SealedCertificate, Store } from '../store/types.ts';
import { certificateId } from '../table/certificate-ref.ts';
import type { TablePolicy } from '../table/policy.ts';
import { projectCertificates, projectRoutes, publishedCertificate, type Routes } from '../table/project.ts';
import { indexApplications } from '../table/recover-state.ts';
import { resolveHost, servableOf } from '../table/resolve-host.ts';
import type { PublishedCertificate, TableChanges } from '../table/routing-table.ts';
import { type Application, emptyState, type RoutingState } from '../table/state.ts';
import { findAlias } from '../table/transition-aliases.ts';
import { type Arrived, type BatchTools, certificateLoader, projectSafely } from './batch.ts';

/** What a start can make of the applications before it knows that the store is whole: nothing of it holds unless just these are recovered. */
export interface Prepared {
  readonly apps: readonly Application[];
  readonly state: RoutingState;
  readonly routes: Routes;
  /** Certificates of the store as they come to be known, each once. */
  take(some: Iterable<HeldCertificate>): void;
  /** Those of the table; null unless just those were taken that the applications refer to. */
  certificates(): TableChanges['certificates'] | null;
}

/** null: it cannot be made ahead (a fault of ours); whoever recovers them finds that out in its turn. */
export function prepareTable(apps: readonly Application[], policy: TablePolicy): Prepared | null {
  try {
    const state = indexApplications(apps, policy);
    return { apps, state, routes: projectRoutes(state, policy), ...prepareCertificates(state, policy) };
  } catch {
    return null;
  }
}

function prepareCertificates(
  state: RoutingState,
  policy: TablePolicy,
): Pick<Prepared, 'take' | 'certificates'> {
  const certificates: [string, PublishedCertificate][] = [];
  let wanted = 0;
  for (const { aliases } of state.apps.values())
    for (const { certificate } of aliases) if (certificate !== null) wanted += 1;
  let isOdd = false;

  function takeOne(app: Application | undefined, alias: string, { id, sealed }: SealedCertificate): void {
    const record = findAlias(app, alias);
    if (app === undefined || record?.certificate == null || certificateId(record.certificate) !== id) {
      isOdd = true;
      return;
    }
    wanted -= 1;
    const certificate = servableOf(record, policy);
    if (certificate === null || resolveHost(state, alias, policy)?.app !== app.key) return;
    const found = { app: app.key, alias, certificate };
    certificates.push([alias, publishedCertificate(found, sealed, policy)]);
  }

  return {
    take(some) {
      let app: Application | undefined;
      try {
        for (const [key, alias, certificate] of some) {
          // Those of one application come in a row.
          if (app?.key !== key) app = state.apps.get(key);
          takeOne(app, alias, certificate);
        }
      } catch {
        isOdd = true;
      }
    },
    certificates: () => (isOdd || wanted !== 0 ? null : certificates),
  };
}

/**
 * Everything in `state`, with the certificates that the store holds for it; without what cannot be projected (a fault of ours). `routes`: of this state, where they are there already.
 */
export function firstTable(
  state: RoutingState,
  tools: BatchTools,
  store: Pick<Store, 'allCertificates'>,
  routes: Routes | null = null,
): Omit<TableChanges, 'generation'> {
  const held = heldCertificates(store.allCertificates());
  try {
    const known = routes ?? projectRoutes(state, tools.policy);
    const load = certificateLoader(held, tools);
    return { ...known, certificates: projectCertificates(state, tools.policy, known, load) };
  } catch {
    return projectSafely(emptyState, state, [...state.apps.keys()], tools, held);
  }
}

/**
 * Looks certificates up among those that lie in the order of application and alias: without a text and an entry of a map for each of them.
 * One that lies elsewhere is not found.
 */
export function heldCertificates(all: Iterable<HeldCertificate>): Arrived {
  const groups = new Map<AppKey, number>();
  const starts: number[] = [];
  const aliases: string[] = [];
  const certificates: SealedCertificate[] = [];
  let last: AppKey | null = null;
  for (const [app, alias, certificate] of all) {
    if (app !== last) {
      groups.set(app, starts.length);
      starts.push(aliases.length);
      last = app;
    }
    aliases.push(alias);
    certificates.push(certificate);
  }
  starts.push(aliases.length);
  return (app, alias) => {
    const group = groups.get(app);
    if (group === undefined) return undefined;
    let low = starts[group] ?? 0;
    let high = starts[group + 1] ?? 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = aliases[middle] ?? '';
      if (found === alias) return certificates[middle];
      if (found < alias) low = middle + 1;
      else high = middle;
    }
    return undefined;
  };
}
