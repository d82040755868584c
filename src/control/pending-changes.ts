/**
 * Table changes that wait to be published, merged by key: however long the data plane takes, they never hold more than the table
 * does. Values are absolute, so a reader of the merged changes ends where a reader of each in turn would.
 */
import type { TableChanges } from '../table/routing-table.ts';

export interface PendingChanges {
  /** Later changes: theirs win. */
  add(changes: TableChanges): void;
  /** Changes that were taken before and failed: what came since wins over them. */
  putBack(changes: TableChanges): void;
  /** Everything that waits, or null. Nothing waits afterwards. */
  take(): TableChanges | null;
  isEmpty(): boolean;
}

interface Parts {
  generation: number;
  readonly apps: Map<string, TableChanges['apps'][number][1]>;
  readonly hosts: Map<string, TableChanges['hosts'][number][1]>;
  readonly certificates: Map<string, TableChanges['certificates'][number][1]>;
}

export function createPendingChanges(): PendingChanges {
  let parts: Parts | null = null;
  return {
    add(changes) {
      parts = absorb(parts, changes);
    },
    putBack(changes) {
      const newer = parts;
      parts = absorb(null, changes);
      if (newer !== null) parts = absorb(parts, changesOf(newer));
    },
    take() {
      const taken = parts;
      parts = null;
      return taken === null ? null : changesOf(taken);
    },
    isEmpty: () => parts === null,
  };
}

/** Costs what `changes` hold, not what waits already. */
function absorb(parts: Parts | null, changes: TableChanges): Parts {
  const into = parts ?? { generation: 0, apps: new Map(), hosts: new Map(), certificates: new Map() };
  into.generation = changes.generation;
  for (const [key, value] of changes.apps) into.apps.set(key, value);
  for (const [key, value] of changes.hosts) into.hosts.set(key, value);
  for (const [key, value] of changes.certificates) into.certificates.set(key, value);
  return into;
}

function changesOf(parts: Parts): TableChanges {
  return {
    generation: parts.generation,
    apps: [...parts.apps],
    hosts: [...parts.hosts],
    certificates: [...parts.certificates],
  };
}
