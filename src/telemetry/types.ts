/** What the rooms know of logging and metrics; `log.ts` and `metrics.ts` build them (owners of pino and prom-client). */

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: a sentence and fields. Never hand it key material or whole event bodies. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with a room's name on each line. */
  child(room: string): Log;
}

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  inc(labels?: Labels, by?: number): void;
  /** Drops a label set: what is gone from the table leaves no debris here. */
  remove(labels: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  remove(labels: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Registry of metrics; names are given without the `headgear_` prefix. */
export interface Metrics {
  counter(name: string, help: string, labelNames?: readonly string[]): Counter;
  gauge(name: string, help: string, labelNames?: readonly string[]): Gauge;
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames?: readonly string[],
  ): Histogram;
  /** Runs before each scrape: the data plane's plain numbers are copied into metrics there, not on the hot path. */
  onCollect(copy: () => void): void;
  /** Prometheus text format. */
  expose(): Promise<string>;
  readonly contentType: string;
}
