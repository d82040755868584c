/** The published table as a look-up: host -> route. One Map read a request in the usual case, whatever the table's size. */
import type { AppRoute, HostRoute, TableChanges } from '../table/routing-table.ts';

/** What a request is routed by; it keeps these objects to its end, so it sees one generation. */
export interface Destination {
  /** The host as the table has it: the same string for all requests, which is what makes look-ups by it cheap from here on. */
  readonly name: string;
  readonly host: HostRoute;
  readonly route: AppRoute;
}

interface AppSlot {
  route: AppRoute | null;
  hosts: number;
}

interface HostEntry {
  readonly name: string;
  readonly host: HostRoute;
  readonly slot: AppSlot;
}

export interface Router {
  /** `host` in normal form. */
  route(host: string): Destination | null;
  /** Applies changes; returns the routes that were replaced or went, for the caller to retire what they held. */
  apply(
    changes: TableChanges,
  ): readonly { readonly before: AppRoute | null; readonly after: AppRoute | null }[];
  generation(): number;
  hosts(): number;
  applications(): number;
}

/** An empty router. Application slots are shared by an application's hosts: a change of endpoints costs one write. */
export function createRouter(): Router {
  const hosts = new Map<string, HostEntry>();
  const slots = new Map<string, AppSlot>();
  let generation = 0;

  const slotOf = (app: string): AppSlot => {
    const known = slots.get(app);
    if (known !== undefined) return known;
    const slot: AppSlot = { route: null, hosts: 0 };
    slots.set(app, slot);
    return slot;
  };
  const dropIfEmpty = (app: string, slot: AppSlot): void => {
    if (slot.route === null && slot.hosts === 0) slots.delete(app);
  };

  return {
    route(host) {
      const entry = hosts.get(host);
      if (entry === undefined || entry.slot.route === null) return null;
      return { name: entry.name, host: entry.host, route: entry.slot.route };
    },
    apply(changes) {
      const replaced = changes.apps.map(([app, after]) => {
        const slot = slotOf(app);
        const before = slot.route;
        slot.route = after;
        return { before, after };
      });
      // A whole table's names come application by application: most slots are the one before.
      let app: string | null = null;
      let slot: AppSlot | null = null;
      for (const [name, host] of changes.hosts) {
        const former = hosts.get(name);
        if (former !== undefined) {
          former.slot.hosts--;
          dropIfEmpty(former.host.app, former.slot);
          slot = null;
        }
        if (host === null) {
          hosts.delete(name);
          continue;
        }
        if (slot === null || host.app !== app) {
          app = host.app;
          slot = slotOf(app);
        }
        slot.hosts++;
        hosts.set(name, { name, host, slot });
      }
      for (const [gone, after] of changes.apps) {
        const slotOfGone = after === null ? slots.get(gone) : undefined;
        if (slotOfGone !== undefined) dropIfEmpty(gone, slotOfGone);
      }
      generation = changes.generation;
      return replaced;
    },
    generation: () => generation,
    hosts: () => hosts.size,
    applications: () => slots.size,
  };
}
