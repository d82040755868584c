/** What drives load: each in a process of its own, on the processors that the proxies do not have. */
import type { Children } from './children.ts';
import { startAutocannon } from './load-autocannon.ts';
import { findWrk } from './load-wrk.ts';

export const LOADER_NAMES = ['autocannon', 'wrk'] as const;
export type LoaderName = (typeof LOADER_NAMES)[number];

/** Keep-alive connections, each with one request under way at a time: the load is the same for all targets. */
export interface LoadJob {
  readonly url: string;
  /** Host field and server name. */
  readonly host: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** Answered with 2xx. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  /** Other statuses, broken connections, time-outs. */
  readonly failed: number;
}

export interface Loader {
  readonly name: LoaderName;
  readonly title: string;
  run(job: LoadJob): Promise<LoadResult>;
}

/** Starts the wanted ones; the sentences say what is missing. */
export function startLoaders(
  wanted: readonly LoaderName[],
  children: Children,
): { readonly loaders: readonly Loader[]; readonly missing: readonly string[] } {
  const loaders: Loader[] = [];
  const missing: string[] = [];
  if (wanted.includes('autocannon')) loaders.push(startAutocannon(children));
  if (wanted.includes('wrk')) {
    const wrk = findWrk();
    if ('missing' in wrk) missing.push(`load by wrk ${wrk.missing}`);
    else loaders.push(wrk);
  }
  return { loaders, missing };
}
