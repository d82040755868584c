/** What is measured: every scenario of `npm run bench` as data. `run.ts` runs them, `bars.ts` judges some of them. */
import { TARGET_NAMES, type TargetName } from './targets/target.ts';

export const GROUP_NAMES = ['hop', 'connect', 'rate', 'h2', 'websocket', 'idle'] as const;
export type GroupName = (typeof GROUP_NAMES)[number];

export const LOAD_NAMES = ['1k', '64k', '10m', 'upload-64k', 'upload-10m', 'echo', 'none'] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

/** Where each load is asked for at the origin, and how many bytes the client sends with it. */
export const LOADS: Readonly<Record<LoadName, { readonly path: string; readonly uploadBytes: number }>> = {
  '1k': { path: '/', uploadBytes: 0 },
  '64k': { path: '/64k', uploadBytes: 0 },
  '10m': { path: '/10m', uploadBytes: 0 },
  'upload-64k': { path: '/sink', uploadBytes: 65_536 },
  'upload-10m': { path: '/sink', uploadBytes: 10_485_760 },
  echo: { path: '/ws', uploadBytes: 0 },
  none: { path: '/', uploadBytes: 0 },
};

export interface Scenario {
  /** Group, scheme (or h2), load, connections: unique, and what JSON calls it. */
  readonly name: string;
  readonly group: GroupName;
  readonly scheme: 'http' | 'https';
  readonly load: LoadName;
  readonly connections: number;
  readonly title: string;
  /** `h1`: wrk, or autocannon where there is none. */
  readonly driver: 'h1' | 'h2load' | 'websocket' | 'idle';
  /** Of h2load. */
  readonly protocol: 'h1' | 'h2';
  /** Requests under way on each connection of HTTP/2. */
  readonly streams: number;
  /** A new connection for each request. */
  readonly close: boolean;
  /** Requests a second, the same for all targets; null: as many as they can. */
  readonly perSecond: number | null;
  readonly targets: readonly TargetName[];
}

/** One of each kind, for `--smoke`; but no new connections, which need wrk, which takes a second at least. */
export const SMOKE_NAMES: readonly string[] = [
  'hop-http-1k-64',
  'hop-https-1k-64',
  'hop-http-upload-64k-64',
  'rate-http-1k-64',
  'rate-h2-1k-8',
  'websocket-https-echo-64',
  'idle-http-none-2000',
  'idle-https-none-2000',
];

const PROXIES: readonly TargetName[] = TARGET_NAMES.filter(
  (name) => !name.endsWith('-socket') && name !== 'http2-static',
);
/** Those that speak HTTP/2 to clients, and the least that it costs on this Node. */
const HTTP2: readonly TargetName[] = ['headgear', 'nginx', 'haproxy', 'caddy', 'http2-static'];
/** In flight together: no more than a gear's own haproxy takes (128). */
const SESSIONS = 8;
const STREAMS = 8;
/** What the slowest target holds on one core with room to spare, so that p99 is not its queue. */
const EQUAL_RATE = 1_000;

type Variant = Partial<Scenario> & Pick<Scenario, 'group' | 'load' | 'connections'>;

const BOTH: readonly Variant[] = [
  { group: 'hop', load: '1k', connections: 64 },
  { group: 'hop', load: '1k', connections: 1_000 },
  { group: 'hop', load: '64k', connections: 64 },
  { group: 'hop', load: '10m', connections: 16 },
  { group: 'hop', load: 'upload-64k', connections: 64 },
  { group: 'hop', load: 'upload-10m', connections: 16 },
  { group: 'connect', load: '1k', connections: 64, close: true },
  { group: 'rate', load: '1k', connections: 64, driver: 'h2load', perSecond: EQUAL_RATE },
  // The same program as HTTP/2's measures the hop that HTTP/2 is compared with.
  { group: 'h2', load: '1k', connections: 64, driver: 'h2load', targets: ['headgear'] },
  { group: 'websocket', load: 'echo', connections: 64, driver: 'websocket' },
  {
    group: 'idle',
    load: 'none',
    connections: 2_000,
    driver: 'idle',
    targets: ['headgear', 'bare-socket', 'nginx', 'haproxy'],
  },
];

const OVER_HTTP2: readonly Variant[] = [
  { group: 'h2', load: '1k', connections: SESSIONS },
  { group: 'h2', load: '64k', connections: SESSIONS },
  { group: 'h2', load: '10m', connections: SESSIONS, streams: 2 },
  { group: 'h2', load: 'upload-64k', connections: SESSIONS },
  { group: 'rate', load: '1k', connections: SESSIONS, perSecond: EQUAL_RATE },
];

/** Every scenario, in the order of a round. */
export const SCENARIOS: readonly Scenario[] = [
  ...BOTH.flatMap((variant) =>
    (['http', 'https'] as const).map((scheme) => complete({ protocol: 'h1', ...variant, scheme })),
  ),
  ...OVER_HTTP2.map((variant) =>
    complete({
      streams: STREAMS,
      targets: HTTP2,
      ...variant,
      scheme: 'https',
      protocol: 'h2',
      driver: 'h2load',
    }),
  ),
];

/** Another number of connections makes it another scenario, to which no bar belongs. */
export function withConnections(scenario: Scenario, connections: number): Scenario {
  return complete({ ...scenario, connections });
}

function complete(variant: Variant & Pick<Scenario, 'scheme' | 'protocol'>): Scenario {
  const scenario = {
    driver: 'h1' as const,
    streams: 1,
    close: false,
    perSecond: null,
    targets: PROXIES,
    ...variant,
  };
  const scheme = scenario.protocol === 'h2' ? 'h2' : scenario.scheme;
  const name = [scenario.group, scheme, scenario.load, scenario.connections].join('-');
  return { ...scenario, name, title: titleOf(scenario) };
}

function titleOf(scenario: Omit<Scenario, 'name' | 'title'>): string {
  const { group, scheme, protocol, connections, streams, perSecond, load, driver } = scenario;
  const over = protocol === 'h2' ? 'HTTP/2' : { http: 'HTTP', https: 'HTTPS' }[scheme];
  if (group === 'idle') return `${over}, memory of ${connections} idle keep-alive connections`;
  if (group === 'websocket') return `WebSocket over ${over}, echo of 64 bytes, ${connections} connections`;
  const body = load
    .replace('upload-', 'upload of ')
    .replace(/(\d)k$/, '$1 KiB')
    .replace(/(\d)m$/, '$1 MiB');
  return [
    `${over}, ${body}`,
    group === 'connect'
      ? `a new connection for each request, ${connections} at a time`
      : `${connections} connections`,
    ...(protocol === 'h2' ? [`${streams} streams each`] : []),
    ...(perSecond === null ? [] : [`${perSecond} requests a second for all`]),
    ...(driver === 'h2load' ? ['by h2load'] : []),
  ].join(', ');
}
