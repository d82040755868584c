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
  /** As long as only one waits it stays as it is: the first is the whole table. */
  let one: TableChanges | null = null;
  let parts: Parts | null = null;
  const isEmpty = (): boolean => one === null && parts === null;
  const merged = (): Parts | null => {
    if (one !== null) parts = absorb(parts, one);
    one = null;
    return parts;
  };
  const take = (): TableChanges | null => {
    const taken = one ?? (parts === null ? null : changesOf(parts));
    [one, parts] = [null, null];
    return taken;
  };
  return {
    add(changes) {
      if (isEmpty()) one = changes;
      else parts = absorb(merged(), changes);
    },
    putBack(changes) {
      const newer = take();
      one = changes;
      if (newer !== null) parts = absorb(merged(), newer);
    },
    take,
    isEmpty,
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
