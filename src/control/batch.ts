/** What the deliveries of one batch come to, as one transaction and one change of the table. */
import type { AppKey } from '../spi/events.ts';
import type {
  NewJournalEntry,
  QuarantineEntry,
  SealedCertificate,
  Store,
  StoreBatch,
} from '../store/types.ts';
import type { TablePolicy } from '../table/policy.ts';
import { isEmpty, type LoadCertificate, project } from '../table/project.ts';
import { type RecordChange, recordChanges } from '../table/record-changes.ts';
import type { TableChanges } from '../table/routing-table.ts';
import type { Application, RoutingState } from '../table/state.ts';
import type { Log } from '../telemetry/types.ts';
import { certificatesOf } from './certificates-of.ts';
import { type Frozen, keptOf } from './freeze.ts';
import type { Handled } from './handle-delivery.ts';
import type { WorkFacts } from './types.ts';

export interface Batch {
  /** State after everything added so far. */
  state(): RoutingState;
  add(handled: Handled, from: WorkFacts): void;
  seal(generation: number): SealedBatch;
}

export interface SealedBatch {
  readonly state: RoutingState;
  /** Applications whose record is another one than before. */
  readonly touched: readonly AppKey[];
  /** null: there is nothing to make durable. */
  readonly transaction: StoreBatch | null;
  /** null: the published table stays as it is, and so does its generation. */
  readonly changes: TableChanges | null;
  readonly generation: number;
  /** Certificates more than before. */
  readonly certificates: number;
}

export interface BatchTools {
  readonly policy: TablePolicy;
  readonly store: Pick<Store, 'certificate' | 'frozenCertificate'>;
  readonly log: Log;
}

/** `frozen`: nothing of it is published, and what it changes of what is published is kept. */
export function createBatch(before: RoutingState, tools: BatchTools, frozen: Frozen | null = null): Batch {
  let state = before;
  const touched = new Set<AppKey>();
  const buried = new Set<AppKey>();
  const arrived = new Map<string, SealedCertificate>();
  const forget = new Set<AppKey>();
  const released: number[] = [];
  const journal: Omit<NewJournalEntry, 'generation'>[] = [];
  let quarantine: Omit<QuarantineEntry, 'id'>[] = [];

  return {
    state: () => state,

    add(handled, from) {
      const changes = recordChanges(state, handled.state, handled.touched);
      state = handled.state;
      if (changes.length > 0 || handled.buried.length > 0) journal.push(journalEntry(handled, from, changes));
      for (const key of handled.touched) touched.add(key);
      for (const key of handled.buried) buried.add(key);
      if (handled.certificate !== null) {
        const { app, alias, certificate } = handled.certificate;
        arrived.set(slotOf(app, alias), certificate);
      }
      if (handled.quarantine !== null) quarantine.push(handled.quarantine);
      if (handled.released !== null) released.push(handled.released);
      if (handled.deleted !== null) {
        forget.add(handled.deleted);
        quarantine = quarantine.filter(({ app }) => app !== handled.deleted);
      }
    },

    seal(generation) {
      const changed = [...touched].filter((key) => before.apps.get(key) !== state.apps.get(key));
      const certificates: StoreBatch['certificates'][number][] = [];
      let added = 0;
      for (const app of changed) {
        const was = before.apps.get(app);
        const is = state.apps.get(app);
        added += certificatesOf(is).size - certificatesOf(was).size;
        certificates.push(...certificateChanges(app, was, is, arrived));
      }
      const parts =
        frozen === null
          ? projectSafely(before, state, changed, tools, (app, alias) => arrived.get(slotOf(app, alias)))
          : null;
      const changes = parts === null || isEmpty(parts) ? null : { ...parts, generation: generation + 1 };
      const next = changes?.generation ?? generation;
      const durable = [changed, quarantine, released].some((list) => list.length > 0);
      const forgets = forget.size > 0 || buried.size > 0;
      const transaction: StoreBatch = {
        apps: changed.map((key) => [key, state.apps.get(key) ?? null] as const),
        tombstones: [...buried].map((key) => [key, state.tombstones.get(key) ?? null] as const),
        certificates,
        quarantine,
        forgetQuarantineOf: [...forget],
        dropQuarantine: released,
        journal: journal.map((entry) => ({ ...entry, generation: next })),
        nextClaim: state.nextClaim,
        generation: next,
        ...(frozen === null ? {} : { frozen: keptOf(frozen, changed, certificates, tools.store) }),
      };
      return {
        state,
        touched: changed,
        transaction: durable || forgets ? transaction : null,
        changes,
        generation: next,
        certificates: added,
      };
    },
  };
}

function journalEntry(
  { told }: Handled,
  { source, messageId, receivedAt, sentAt }: WorkFacts,
  changes: readonly RecordChange[],
): Omit<NewJournalEntry, 'generation'> {
  const { action, app, subject, notes, decisions } = told;
  return { source, messageId, sentAt, receivedAt, action, app, subject, notes, decisions, changes };
}

/**
 * As `project`; if that throws (a fault of ours), one application at a time, so that only the one that cannot be projected stays as it
 * was. `arrived`: certificates that are not in the store yet, because a batch is projected before its commit, so that the transaction
 * holds the generation that follows from it.
 */
export function projectSafely(
  before: RoutingState,
  after: RoutingState,
  touched: readonly AppKey[],
  tools: BatchTools,
  arrived: Arrived = () => undefined,
): Omit<TableChanges, 'generation'> {
  const load = certificateLoader(arrived, tools);
  try {
    return project(before, after, touched, tools.policy, load);
  } catch {
    const parts = touched.map((app) => {
      try {
        return project(before, after, [app], tools.policy, load);
      } catch (error) {
        const fields = {
          code: 'CONTROL_PROJECT_FAILED',
          app,
          error: error instanceof Error ? error.name : '',
        };
        tools.log.error('an application cannot be projected: its former route stays', fields);
        return { apps: [], hosts: [], certificates: [] };
      }
    });
    return {
      apps: parts.flatMap(({ apps }) => apps),
      hosts: parts.flatMap(({ hosts }) => hosts),
      certificates: parts.flatMap(({ certificates }) => certificates),
    };
  }
}

/** Certificates that are at hand without the store. */
export type Arrived = (app: AppKey, alias: string) => SealedCertificate | undefined;

export function certificateLoader(arrived: Arrived, tools: BatchTools): LoadCertificate {
  return (app, alias, id) => {
    const held = arrived(app, alias);
    const found = held?.id === id ? held : fromStore(app, alias, id, tools);
    if (found?.id === id) return found.sealed;
    tools.log.error(
      'the store lost a certificate: the platform certificate is served until it is added again',
      {
        code: 'CONTROL_CERTIFICATE_LOST',
        app,
        alias,
      },
    );
    return null;
  };
}

/** What was removed within a freeze is published all the same, until the thaw. */
function fromStore(app: AppKey, alias: string, id: string, tools: BatchTools): SealedCertificate | null {
  try {
    const stored = tools.store.certificate(app, alias);
    return stored?.id === id ? stored : tools.store.frozenCertificate(app, alias);
  } catch {
    return null;
  }
}

/** Level-triggered: what the store must hold is what the records refer to, whatever events led there. */
function certificateChanges(
  app: AppKey,
  was: Application | undefined,
  is: Application | undefined,
  arrived: ReadonlyMap<string, SealedCertificate>,
): StoreBatch['certificates'][number][] {
  if (was?.aliases === is?.aliases) return [];
  const changes: StoreBatch['certificates'][number][] = [];
  const had = certificatesOf(was);
  const has = certificatesOf(is);
  for (const [alias, id] of has) {
    const certificate = arrived.get(slotOf(app, alias));
    if (had.get(alias) !== id && certificate?.id === id) changes.push({ app, alias, certificate });
  }
  for (const alias of had.keys()) if (!has.has(alias)) changes.push({ app, alias, certificate: null });
  return changes;
}

/** Neither part can hold a blank. */
export function slotOf(app: AppKey, alias: string): string {
  return `${app} ${alias}`;
}
