/**
 * What one change costs, by the size of the table: an update must cost what it changes, not what the table holds. Also the memory of an
 * application with two endpoints and one alias, state and nothing else.
 */
import { parseArgs } from 'node:util';
import { addDigests, applicationDigest } from '../src/table/digest.ts';
import type { TableEvent } from '../src/table/events.ts';
import type { TablePolicy } from '../src/table/policy.ts';
import { project } from '../src/table/project.ts';
import { emptyState, type RoutingState } from '../src/table/state.ts';
import { transition } from '../src/table/transition.ts';

const policy: TablePolicy = {
  cloudDomain: 'apps.example.test',
  haPrefix: 'ha-',
  haSuffix: '',
  routableTypes: ['load_balancer'],
  allowLoopbackEndpoints: false,
  addressMap: {},
  ownListeners: new Set(),
  verifyEndpointTls: false,
  windows: { certificateGraceMs: 60_000, swapMs: 10_000, tombstoneMs: 600_000, maxTombstones: 10_000 },
  limits: { maxApplications: 10_000_000, maxNames: 10_000_000 },
  certificates: { expired: 'serve', notYetValid: 'serve', nameMismatch: 'serve' },
  nodeFrontend: { aliases: false, applications: {}, httpPort: 80, httpsPort: 443, verifyTls: false },
};

const stamp = { at: 0, sentAt: null };
const changesPerSize = 20_000;

export interface TableUpdateResult {
  readonly applications: number;
  /** Microseconds of transition and projection for one endpoint added or removed. */
  readonly microsecondsPerChange: number;
  readonly fillSeconds: number;
  /** Of the digest of the whole table, as the first question for it makes it. */
  readonly digestMilliseconds: number;
  /** NaN without `--expose-gc`. */
  readonly bytesPerApplication: number;
}

/** Prints and returns a row for 100, 10,000 and 100,000 applications, with `--million` for 1,000,000 too. */
export async function run(): Promise<readonly TableUpdateResult[]> {
  const { values } = parseArgs({ options: { million: { type: 'boolean' } }, strict: false });
  const sizes = [100, 10_000, 100_000, ...(values.million ? [1_000_000] : [])];
  const rows = sizes.map(measure);
  console.table(rows);
  return rows;
}

function measure(applications: number): TableUpdateResult {
  const before = heapBytes();
  const began = performance.now();
  let state = fill(applications);
  const fillSeconds = (performance.now() - began) / 1000;
  const bytesPerApplication = Math.round((heapBytes() - before) / applications);
  state = changes(state, applications, 5_000);
  const start = performance.now();
  changes(state, applications, changesPerSize);
  const microsecondsPerChange = ((performance.now() - start) * 1000) / changesPerSize;
  return {
    applications,
    digestMilliseconds: Math.round(digestMs(state)),
    microsecondsPerChange: Math.round(microsecondsPerChange * 10) / 10,
    fillSeconds: Math.round(fillSeconds * 100) / 100,
    bytesPerApplication,
  };
}

function digestMs(state: RoutingState): number {
  const began = performance.now();
  let sum = 0n;
  for (const app of state.apps.values()) sum = addDigests(sum, applicationDigest(app), 0n);
  if (sum === 0n) throw new Error('a table without a digest');
  return performance.now() - began;
}

/** Adds and removes a third endpoint, at applications all over the table. */
function changes(start: RoutingState, applications: number, count: number): RoutingState {
  let state = start;
  for (let i = 0; i < count; i += 1) {
    const index = ((i >> 1) * 7_919) % applications;
    const facts = endpointOf(index, 2);
    const app = appOf(index);
    const event: TableEvent =
      i % 2 === 0
        ? { action: 'add_public_endpoint', app, endpoint: facts }
        : { action: 'remove_public_endpoint', app, ...facts };
    const next = transition(state, event, policy, stamp);
    const { apps } = project(state, next.state, next.touched, policy, () => null);
    if (apps.length !== 1)
      throw new Error(`change ${i} published ${apps.length} applications instead of one`);
    state = next.state;
  }
  return state;
}

function fill(applications: number): RoutingState {
  let state: RoutingState = emptyState;
  for (let index = 0; index < applications; index += 1) {
    const app = appOf(index);
    const events: readonly TableEvent[] = [
      { action: 'create_application', app, scalable: true, ha: true },
      { action: 'add_public_endpoint', app, endpoint: endpointOf(index, 0) },
      { action: 'add_public_endpoint', app, endpoint: endpointOf(index, 1) },
      { action: 'add_alias', app, alias: `www.customer${index}.test` },
    ];
    for (const event of events) state = transition(state, event, policy, stamp).state;
  }
  return state;
}

function appOf(index: number) {
  return { appName: `app${index}`, namespace: `ns${index % 1_000}` };
}

/** Each application has three ports of its own on one of the nodes 10.x.y.z. */
function endpointOf(index: number, which: number) {
  const node = Math.floor(index / 10_000);
  return {
    gearId: (index * 4 + which).toString(16).padStart(24, '0'),
    cartridge: 'haproxy-1.4',
    address: `10.${(node >> 8) & 255}.${node & 255}.1`,
    port: 35_531 + (index % 10_000) * 3 + which,
    protocols: ['http', 'ws'],
    types: ['load_balancer'],
    mappings: [{ frontend: '', backend: '' }],
  };
}

function heapBytes(): number {
  if (globalThis.gc === undefined) return Number.NaN;
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
