/** What drives load: each in a process of its own, on the processors that the proxies do not have. */
import type { Children } from './children.ts';
import { startAutocannon } from './load-autocannon.ts';
import { findH2Load } from './load-h2load.ts';
import { startWebSocketLoad } from './load-websocket.ts';
import { findWrk } from './load-wrk.ts';
import type { Scenario } from './scenarios.ts';

export const LOADER_NAMES = ['wrk', 'autocannon', 'h2load', 'websocket'] as const;
export type LoaderName = (typeof LOADER_NAMES)[number];
/** Those that can do keep-alive HTTP/1.1, the cheaper first. */
export const H1_LOADER_NAMES = ['wrk', 'autocannon'] as const;
export type H1LoaderName = (typeof H1_LOADER_NAMES)[number];

/** One run: connections that each have one request (or `streams`) under way at a time. */
export interface LoadJob
  extends Pick<Scenario, 'scheme' | 'protocol' | 'connections' | 'streams' | 'close' | 'perSecond'> {
  readonly port: number;
  /** Host field and server name. */
  readonly host: string;
  readonly path: string;
  /** Sent with each request, as POST; 0: GET. */
  readonly uploadBytes: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** Answered with 2xx. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Null: not one answer. */
  readonly p99Ms: number | null;
  /** Other statuses, broken connections, time-outs. */
  readonly failed: number;
}

export interface Loader {
  readonly name: LoaderName;
  readonly title: string;
  run(job: LoadJob): Promise<LoadResult>;
}

export interface Loaders {
  /** What drives a scenario; undefined where it is missing. */
  of(scenario: Scenario): Loader | undefined;
  readonly titles: readonly string[];
  /** Sentences about what is not installed. */
  readonly missing: readonly string[];
}

/** Starts those that the scenarios need. `h1`: what drives HTTP/1.1; undefined: wrk, or autocannon where there is none. `dir`: for their files. */
export function startLoaders(
  scenarios: readonly Scenario[],
  h1: H1LoaderName | undefined,
  children: Children,
  dir: string,
): Loaders {
  const loaders = new Map<Scenario['driver'], Loader>();
  const missing: string[] = [];
  const add = (
    driver: Scenario['driver'],
    found: Loader | { readonly missing: string },
    what: string,
  ): void => {
    if ('missing' in found) missing.push(`${what} ${found.missing}`);
    else loaders.set(driver, found);
  };
  const canClose = (): boolean => loaders.get('h1')?.name === 'wrk';
  const needed = new Set(scenarios.map(({ driver }) => driver));
  if (needed.has('h1')) {
    if (h1 !== 'autocannon') add('h1', findWrk(dir), 'load by wrk');
    if (!loaders.has('h1') && h1 !== 'wrk') loaders.set('h1', startAutocannon(children));
  }
  if (needed.has('h2load')) add('h2load', findH2Load(dir), 'every scenario by h2load (HTTP/2, equal load)');
  if (needed.has('websocket')) loaders.set('websocket', startWebSocketLoad(children));
  if (scenarios.some(({ close }) => close) && !canClose())
    missing.push('a new connection for each request, which autocannon cannot do: it needs wrk');
  return {
    of: ({ driver, close }) => (close && !canClose() ? undefined : loaders.get(driver)),
    titles: [...loaders.values()].map(({ title }) => title),
    missing,
  };
}
