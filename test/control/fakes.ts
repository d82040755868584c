/** A store in memory that can be told to fail, a recorder in place of the data plane, and events in short. */

import { createKeyRing, masterKeyOf } from '../../src/seal/key-ring.ts';
import { sealPem } from '../../src/seal/sealed-pem.ts';
import type { Delivery } from '../../src/stomp/delivery.ts';
import type {
  JournalEntry,
  QuarantineEntry,
  Recovered,
  SealedCertificate,
  Store,
  StoreBatch,
} from '../../src/store/types.ts';
import type { PublishedCertificate, TableChanges } from '../../src/table/routing-table.ts';
import type { Application, Tombstone } from '../../src/table/state.ts';

type Fact = string | number | boolean | null | readonly string[];

/** The body of an event, as YAML. */
export function body(action: string, app: string, facts: Readonly<Record<string, Fact>> = {}): Buffer {
  const [namespace = '', app_name = ''] = app.split('/');
  const all = { action: `:${action}`, app_name, namespace, ...facts };
  const lines = Object.entries(all).map(
    ([key, value]) => `:${key}: ${value === null ? '' : JSON.stringify(value)}`,
  );
  return Buffer.from(`---\n${lines.join('\n')}\n`);
}

export const endpointFacts = (address: string, port: number) => ({
  gear_id: '542b72abafec2de3aa000009',
  public_port_name: 'haproxy-1.4',
  public_address: address,
  public_port: port,
  protocols: ['http', 'ws'],
  types: ['load_balancer'],
  mappings: null,
});

export interface TestDelivery extends Delivery {
  readonly acks: () => number;
}

export function delivery(what: Buffer, over: Partial<Delivery> = {}): TestDelivery {
  let acks = 0;
  return {
    body: what,
    source: 'test',
    messageId: null,
    receivedAt: 1_000,
    sentAt: null,
    ack: () => {
      acks += 1;
    },
    acks: () => acks,
    ...over,
  };
}

export interface MemoryStore extends Store {
  readonly batches: StoreBatch[];
  /** Thrown by each commit while it is set. */
  failure: Error | null;
  attempts: number;
  /** Commits wait for this. */
  gate: Promise<void>;
  readonly apps: Map<string, Application>;
  readonly tombstones: Map<string, Tombstone>;
  readonly certificates: Map<string, SealedCertificate>;
  readonly frozenCertificates: Map<string, SealedCertificate>;
  entries: QuarantineEntry[];
  readonly journal: JournalEntry[];
}

export function memoryStore(): MemoryStore {
  const meta = { nextClaim: 1, generation: 0, nextId: 1 };
  const keys = createKeyRing([masterKeyOf(Buffer.alloc(32, 7))]);
  const store: MemoryStore = {
    batches: [],
    failure: null,
    attempts: 0,
    gate: Promise.resolve(),
    apps: new Map(),
    tombstones: new Map(),
    certificates: new Map(),
    frozenCertificates: new Map(),
    entries: [],
    journal: [],
    // Through JSON: what comes back is equal, never the same object.
    recover: (): Recovered =>
      structuredClone({ ...meta, apps: [...store.apps.values()], tombstones: [...store.tombstones] }),
    keys,
    seal: (app, alias, { id, ...pem }) => ({ id, sealed: sealPem(keys, { app, alias, id }, pem) }),
    keysInUse: keys.ids,
    adoptKeys: async (next) => keys.replace(next),
    reseal: async () => ({ resealed: 0, broken: 0, done: true }),
    certificate: (app, alias) => store.certificates.get(`${app} ${alias}`) ?? null,
    *allCertificates() {
      for (const [slot, certificate] of store.certificates) {
        const [app = '', alias = ''] = slot.split(' ');
        yield [app, alias, certificate];
      }
    },
    forgetRead: () => undefined,
    frozenCertificate: (app, alias) => store.frozenCertificates.get(`${app} ${alias}`) ?? null,
    async commit(batch) {
      store.attempts += 1;
      await store.gate;
      if (store.failure !== null) throw store.failure;
      store.batches.push(batch);
      for (const [key, app] of batch.apps) {
        if (app === null) store.apps.delete(key);
        else store.apps.set(key, app);
      }
      for (const [key, tombstone] of batch.tombstones) {
        if (tombstone === null) store.tombstones.delete(key);
        else store.tombstones.set(key, tombstone);
      }
      for (const { app, alias, certificate } of batch.certificates) {
        if (certificate === null) store.certificates.delete(`${app} ${alias}`);
        else store.certificates.set(`${app} ${alias}`, certificate);
      }
      const gone = new Set<string | null>(batch.forgetQuarantineOf);
      store.entries = store.entries.filter(
        ({ id, app }) => !batch.dropQuarantine.includes(id) && (app === null || !gone.has(app)),
      );
      for (const entry of batch.quarantine) {
        store.entries.push({ ...entry, id: meta.nextId });
        meta.nextId += 1;
      }
      for (const entry of batch.journal) {
        store.journal.push({ ...entry, number: store.journal.length + 1, at: entry.receivedAt });
      }
      meta.nextClaim = batch.nextClaim;
      meta.generation = batch.generation;
    },
    journalPage: (before, limit) =>
      store.journal
        .filter(({ number }) => before === null || number < before)
        .toReversed()
        .slice(0, limit),
    // Only the real store keeps them.
    originsOf: () => new Map(),
    quarantined: (limit) => store.entries.toReversed().slice(0, limit),
    health: () => ({ restored: null, snapshotAt: null, snapshotTrouble: null }),
    snapshot: async () => undefined,
    quarantineEntry: (id) => store.entries.find((entry) => entry.id === id) ?? null,
    quarantineIds: () => store.entries.map(({ id }) => id),
    quarantineSize: () => store.entries.length,
    close: () => Promise.resolve(),
  };
  return store;
}

/** What the data plane would hold, and every change it was given. */
export interface Recorder {
  readonly changes: TableChanges[];
  readonly hosts: Map<string, unknown>;
  readonly apps: Map<string, unknown>;
  readonly certificates: Map<string, PublishedCertificate>;
  failure: Error | null;
  attempts: number;
  gate: Promise<void>;
  publish(changes: TableChanges): Promise<void>;
}

export function recorder(): Recorder {
  const it: Recorder = {
    changes: [],
    hosts: new Map(),
    apps: new Map(),
    certificates: new Map(),
    failure: null,
    attempts: 0,
    gate: Promise.resolve(),
    async publish(changes) {
      it.attempts += 1;
      await it.gate;
      if (it.failure !== null) throw it.failure;
      it.changes.push(changes);
      for (const part of ['apps', 'hosts', 'certificates'] as const) {
        for (const [key, value] of changes[part]) {
          if (value === null) it[part].delete(key);
          else (it[part] as Map<string, unknown>).set(key, value);
        }
      }
    },
  };
  return it;
}

/** A promise and the function that resolves it. */
export function gate(): { readonly promise: Promise<void>; open(): void } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open: () => open() };
}
