/** The registry of metrics: prom-client (owned here) behind our own narrow interface. All names get the prefix `headgear_`. */
import { createRequire } from 'node:module';
import type { Counter, Gauge, Histogram, Labels, Metrics } from './types.ts';

// CommonJS, which it is: an `import` reads all of it once more in search of its exports.
const require = createRequire(import.meta.url);
const {
  collectDefaultMetrics,
  Counter: PromCounter,
  Gauge: PromGauge,
  Histogram: PromHistogram,
  Registry,
} = require('prom-client') as typeof import('prom-client');

const PREFIX = 'headgear_';

/** What a histogram that somebody else counts looks like at a scrape. */
export interface HistogramNumbers {
  /** Observations a bucket, not cumulative; one more than there are upper bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** The registry as the composition root and the data plane's counters see it. */
export interface MetricsRegistry extends Metrics {
  /** A histogram whose numbers are kept elsewhere and read at each scrape (prom-client's own costs too much a request). */
  histogramOf(name: string, help: string, upperBounds: readonly number[], read: () => HistogramNumbers): void;
}

/**
 * Makes a registry of its own (no process-wide one, so that tests do not meet). Asking for a name again gives the same
 * metric back; asking for it as another kind is a mistake in the code and throws.
 */
export function createMetrics(): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const known = new Map<string, { readonly kind: string; readonly metric: unknown }>();
  const copies: (() => void)[] = [];

  const once = <T>(kind: string, name: string, make: (fullName: string) => T): T => {
    const found = known.get(name);
    if (found !== undefined) {
      if (found.kind !== kind) throw new Error(`metric ${name} is a ${found.kind}, not a ${kind}`);
      return found.metric as T;
    }
    const metric = make(PREFIX + name);
    known.set(name, { kind, metric });
    return metric;
  };

  return {
    counter: (name, help, labelNames = []) =>
      once('counter', name, (fullName): Counter => {
        const prom = new PromCounter({ name: fullName, help, labelNames, registers: [registry] });
        return {
          inc: (labels, by = 1) => (labels === undefined ? prom.inc(by) : prom.inc({ ...labels }, by)),
          remove: (labels) => prom.remove({ ...labels }),
        };
      }),
    gauge: (name, help, labelNames = []) =>
      once('gauge', name, (fullName): Gauge => {
        const prom = new PromGauge({ name: fullName, help, labelNames, registers: [registry] });
        return {
          set: (value, labels) => (labels === undefined ? prom.set(value) : prom.set({ ...labels }, value)),
          remove: (labels) => prom.remove({ ...labels }),
        };
      }),
    histogram: (name, help, buckets, labelNames = []) =>
      once('histogram', name, (fullName): Histogram => {
        const prom = new PromHistogram({
          name: fullName,
          help,
          buckets: [...buckets],
          labelNames,
          registers: [registry],
        });
        return {
          observe: (value, labels?: Labels) =>
            labels === undefined ? prom.observe(value) : prom.observe({ ...labels }, value),
        };
      }),
    histogramOf: (name, help, upperBounds, read) =>
      once('histogramOf', name, (fullName) => {
        const prom = new PromHistogram({ name: fullName, help, registers: [registry] });
        // prom-client asks a metric for its values at each scrape; ours come from `read` instead of from observations.
        const get = () => Promise.resolve(histogramValues(fullName, help, upperBounds, read()));
        Object.assign(prom, { get, getForPromString: get });
      }),
    onCollect: (copy) => {
      copies.push(copy);
    },
    expose: () => {
      for (const copy of copies) copy();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

function histogramValues(
  name: string,
  help: string,
  upperBounds: readonly number[],
  numbers: HistogramNumbers,
): object {
  let total = 0;
  const values: object[] = numbers.counts.map((count, index) => {
    total += count;
    return { metricName: `${name}_bucket`, labels: { le: upperBounds[index] ?? '+Inf' }, value: total };
  });
  values.push({ metricName: `${name}_sum`, labels: {}, value: numbers.sum });
  values.push({ metricName: `${name}_count`, labels: {}, value: total });
  return { name, help, type: 'histogram', values, aggregator: 'sum' };
}
