/** Builders for table tests: a policy, events in short, and plain views of states. */
import { isDeepStrictEqual } from 'node:util';
import type { AppRef, EndpointFacts } from '../../src/spi/events.ts';
import { type CertificateRef, certificateId, packCertificate } from '../../src/table/certificate-ref.ts';
import type { Stamp, TableEvent, Transition } from '../../src/table/events.ts';
import type { TablePolicy } from '../../src/table/policy.ts';
import { project } from '../../src/table/project.ts';
import { certificateOfHost } from '../../src/table/resolve-host.ts';
import type { TableChanges } from '../../src/table/routing-table.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';

export const policy: TablePolicy = {
  cloudDomain: 'apps.test',
  haPrefix: 'ha-',
  haSuffix: '',
  routableTypes: ['load_balancer'],
  allowLoopbackEndpoints: false,
  addressMap: {},
  ownListeners: new Set(['192.168.0.1:443', '127.0.0.1:443']),
  verifyEndpointTls: false,
  windows: { certificateGraceMs: 60_000, swapMs: 10_000, tombstoneMs: 600_000, maxTombstones: 10_000 },
  limits: { maxApplications: 1_000, maxNames: 4_000 },
  certificates: { expired: 'serve', notYetValid: 'serve', nameMismatch: 'serve' },
  nodeFrontend: { aliases: false, applications: {}, httpPort: 80, httpsPort: 443, verifyTls: false },
};

/** `ns/app` -> reference. */
export function ref(key: string): AppRef {
  const [namespace = '', appName = ''] = key.split('/');
  return { appName, namespace };
}

export const gear1 = '542b72abafec2de3aa000009';
export const gear2 = '542b7301afec2de3aa000022';

export function facts(at: string, over: Partial<EndpointFacts> = {}): EndpointFacts {
  const colon = at.lastIndexOf(':');
  return {
    gearId: gear1,
    cartridge: 'haproxy-1.4',
    address: at.slice(0, colon),
    port: Number(at.slice(colon + 1)),
    protocols: ['http', 'ws'],
    types: ['load_balancer'],
    mappings: [],
    ...over,
  };
}

export function certificate(id: string): CertificateRef {
  return packCertificate({
    id,
    fingerprint: `fp-${id}`,
    names: [],
    keyType: 'rsa',
    keyBits: 2048,
    notBefore: 0,
    notAfter: 1,
    issuer: 'CN=test',
    warnings: [],
  });
}

/** Id of the certificate that a host's handshakes get. */
export function servedId(state: RoutingState, host: string): string | null {
  const found = certificateOfHost(state, host, policy);
  return found === null ? null : certificateId(found.certificate);
}

export const create = (key: string): TableEvent => ({
  action: 'create_application',
  app: ref(key),
  scalable: true,
  ha: false,
});
export const destroy = (key: string): TableEvent => ({ action: 'delete_application', app: ref(key) });
export const add = (key: string, at: string, over: Partial<EndpointFacts> = {}): TableEvent => ({
  action: 'add_public_endpoint',
  app: ref(key),
  endpoint: facts(at, over),
});
export const remove = (key: string, at: string, gearId = gear1): TableEvent => {
  const { address, port } = facts(at);
  return { action: 'remove_public_endpoint', app: ref(key), gearId, address, port };
};
export const addAlias = (key: string, alias: string): TableEvent => ({
  action: 'add_alias',
  app: ref(key),
  alias,
});
export const removeAlias = (key: string, alias: string): TableEvent => ({
  action: 'remove_alias',
  app: ref(key),
  alias,
});
export const addSsl = (key: string, alias: string, id: string): TableEvent => ({
  action: 'add_ssl',
  app: ref(key),
  alias,
  certificate: certificate(id),
});
export const refuseSsl = (key: string, alias: string, code: string, at = 1): TableEvent => ({
  action: 'refuse_ssl',
  app: ref(key),
  alias,
  refusal: { code, reason: `refused: ${code}`, at },
});
export const removeSsl = (key: string, alias: string): TableEvent => ({
  action: 'remove_ssl',
  app: ref(key),
  alias,
});

let clock = 0;

/** The next moment: so much later than the one before that nothing of then matters any more. */
export function muchLater(): Stamp {
  clock += 86_400_000;
  return { at: clock, sentAt: null };
}

/** One event, long after the one before: the clock has brought about what was due. */
export function step(state: RoutingState, event: TableEvent, rules: TablePolicy = policy): Transition {
  return transition(retired(state, rules), event, rules, muchLater());
}

/** The state after every grace time. The same reference where none ran. */
export function retired(state: RoutingState, rules: TablePolicy = policy): RoutingState {
  let next = state;
  for (const { appName, namespace, aliases } of state.apps.values()) {
    for (const { alias, retiresAt } of aliases) {
      if (retiresAt === undefined) continue;
      const event: TableEvent = { action: 'retire_ssl', app: { appName, namespace }, alias, retiresAt };
      next = transition(next, event, rules, { at: retiresAt, sentAt: null }).state;
    }
  }
  return next;
}

/** An event at its own time, epoch milliseconds. */
export type Timed = readonly [number, TableEvent];

/** The last transition of events at their own times. */
export function timed(...events: readonly Timed[]): Transition {
  let last: Transition | null = null;
  for (const [at, event] of events) {
    last = transition(last?.state ?? emptyState, event, policy, { at, sentAt: null });
  }
  if (last === null) throw new Error('no events');
  return last;
}

/** The state after these events, in order, when every grace time is over. */
export function stateAfter(
  events: readonly TableEvent[],
  start = emptyState,
  rules: TablePolicy = policy,
): RoutingState {
  return retired(
    events.reduce((state, event) => step(state, event, rules).state, start),
    rules,
  );
}

/** The last transition of these events. */
export function lastOf(events: readonly TableEvent[], rules: TablePolicy = policy): Transition {
  const last = events.at(-1);
  if (last === undefined) throw new Error('no events');
  return step(stateAfter(events.slice(0, -1), emptyState, rules), last, rules);
}

export const codesOf = (result: Transition): readonly string[] => result.findings.map(({ code }) => code);

/** A stand-in for the store: every certificate is there. */
export const load = (app: string, alias: string, id: string): Uint8Array =>
  Buffer.from(`${app} ${alias} ${id}`);

/** The whole published table of a state, as plain maps. */
export interface PlainTable {
  readonly apps: Map<string, unknown>;
  readonly hosts: Map<string, unknown>;
  readonly certificates: Map<string, unknown>;
}

export const emptyTable = (): PlainTable => ({ apps: new Map(), hosts: new Map(), certificates: new Map() });

export function tableOf(state: RoutingState, rules: TablePolicy = policy): PlainTable {
  return applyChanges(emptyTable(), project(emptyState, state, state.apps.keys(), rules, load));
}

/** Applies changes in place, and says so. */
export function applyChanges(table: PlainTable, changes: Omit<TableChanges, 'generation'>): PlainTable {
  for (const part of ['apps', 'hosts', 'certificates'] as const) {
    for (const [key, value] of changes[part]) {
      if (value === null) table[part].delete(key);
      else table[part].set(key, value);
    }
  }
  return table;
}

/** A state as plain JSON, keys sorted; claims as ranks, because their numbers rise by design. */
export function plain(state: RoutingState): unknown {
  const sorted = <T>(entries: Iterable<[string, T]>) =>
    Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    apps: sorted(
      [...state.apps].map(([key, app]) => [
        key,
        {
          ...app,
          endpoints: app.endpoints.map(({ replacedAt, ...facts }) => facts),
          aliases: app.aliases.map(({ claim, replacedAt, retiresAt, ...record }) => ({
            ...record,
            claimed: claim > 0,
            retiring: retiresAt !== undefined,
          })),
        },
      ]),
    ),
    endpointOwners: sorted(state.endpointOwners.entries()),
    names: sorted(
      [...state.names].map(([host, claims]) => [
        host,
        { ...claims, aliases: claims.aliases.map(({ app }) => app) },
      ]),
    ),
  };
}

export const same = (a: RoutingState, b: RoutingState): boolean => isDeepStrictEqual(plain(a), plain(b));
