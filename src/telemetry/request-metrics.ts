/**
 * The data plane's counters: plain numbers, updated once a request from the request context, and copied into the metrics
 * only when somebody scrapes (prom-client's label hashing costs microseconds a request).
 */
import type { MetricsRegistry } from './metrics.ts';
import type { RequestContext } from './request-context.ts';

export interface RequestMetrics {
  /** Counts one finished request; `durationUs` in microseconds, from the head's first byte to the answer's last. */
  record(context: RequestContext, durationUs: number): void;
}

/** Upper bounds in microseconds: 250 us to a minute. */
const BOUNDS_US = [
  250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
  5_000_000, 10_000_000, 30_000_000, 60_000_000,
] as const;
const CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx', 'other'] as const;
const OTHER_CLASS = CLASSES.length - 1;
/** Failure codes are constants of ours; the bound only makes sure that a mistake cannot grow memory. */
const MAX_FAILURE_CODES = 256;

/** Registers the request metrics and gives the recorder for one thread of the data plane. */
export function createRequestMetrics(metrics: MetricsRegistry): RequestMetrics {
  const byClass: number[] = CLASSES.map(() => 0);
  const byFailure = new Map<string, number>();
  const durations = newHistogram();
  const firstBytes = newHistogram();
  let bytesIn = 0;
  let bytesOut = 0;
  let retries = 0;

  const requests = metrics.counter('requests_total', 'Requests answered, by class of status', ['class']);
  const failures = metrics.counter('request_failures_total', 'Requests that failed, by failure code', [
    'code',
  ]);
  const bodyBytes = metrics.counter('request_body_bytes_total', 'Body bytes by direction', ['direction']);
  const retried = metrics.counter('upstream_retries_total', 'Attempts beyond the first of a request');
  metrics.histogramOf(
    'request_duration_seconds',
    'From the first byte of the request to the last of the answer',
    BOUNDS_US.map((bound) => bound / 1e6),
    () => ({ counts: durations.counts, sum: durations.sumUs / 1e6 }),
  );
  metrics.histogramOf(
    'upstream_first_byte_seconds',
    'From the first byte of the request to the first of the answer of the gear',
    BOUNDS_US.map((bound) => bound / 1e6),
    () => ({ counts: firstBytes.counts, sum: firstBytes.sumUs / 1e6 }),
  );

  const copied = new Map<string, number>();
  /** Counters of the registry only rise by steps: hand over what came since the last scrape. */
  const risenBy = (key: string, now: number): number => {
    const step = now - (copied.get(key) ?? 0);
    copied.set(key, now);
    return step;
  };
  metrics.onCollect(() => {
    for (const [index, name] of CLASSES.entries()) {
      requests.inc({ class: name }, risenBy(`class:${name}`, byClass[index] ?? 0));
    }
    for (const [code, count] of byFailure) failures.inc({ code }, risenBy(`failure:${code}`, count));
    bodyBytes.inc({ direction: 'in' }, risenBy('in', bytesIn));
    bodyBytes.inc({ direction: 'out' }, risenBy('out', bytesOut));
    retried.inc(undefined, risenBy('retries', retries));
  });

  return {
    record(context, durationUs) {
      const hundreds = (context.status / 100) | 0;
      const index = Math.min(hundreds, OTHER_CLASS);
      byClass[index] = (byClass[index] ?? 0) + 1;
      bytesIn += context.bytesIn;
      bytesOut += context.bytesOut;
      if (context.attempts > 1) retries += context.attempts - 1;
      observe(durations, durationUs);
      if (context.upstreamFirstByteUs > 0) observe(firstBytes, context.upstreamFirstByteUs);
      if (context.failure !== '') {
        const count = byFailure.get(context.failure);
        if (count !== undefined || byFailure.size < MAX_FAILURE_CODES) {
          byFailure.set(context.failure, (count ?? 0) + 1);
        }
      }
    },
  };
}

interface PlainHistogram {
  readonly counts: number[];
  sumUs: number;
}

function newHistogram(): PlainHistogram {
  return { counts: new Array<number>(BOUNDS_US.length + 1).fill(0), sumUs: 0 };
}

function observe(histogram: PlainHistogram, valueUs: number): void {
  let bucket = 0;
  while (bucket < BOUNDS_US.length && valueUs > (BOUNDS_US[bucket] ?? 0)) bucket += 1;
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
  histogram.sumUs += valueUs;
}
