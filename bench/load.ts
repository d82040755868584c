/** What load is, for whoever drives it and whoever asks for it. */
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
