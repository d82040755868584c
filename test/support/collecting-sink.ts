/** A sink that remembers what an exchange handed it, and a pool of exchanges to one gear: the data plane without its clients. */
import { configSchema } from '../../src/config/schema.ts';
import { type ResponseHead, withKept } from '../../src/http/response-head.ts';
import type { PublishedEndpoint } from '../../src/table/routing-table.ts';
import { Exchange, type ExchangeRequest } from '../../src/upstream/exchange.ts';
import type { UpstreamFailure } from '../../src/upstream/failure.ts';
import type { PoolOptions } from '../../src/upstream/pool.ts';
import { createPools, type Pools } from '../../src/upstream/pools.ts';
import type { RawConnection, ResponseSink } from '../../src/upstream/sink.ts';
import { createUpstreamTls } from '../../src/upstream/tls-policy.ts';
import { memoryMetrics } from './memory-telemetry.ts';

export interface Collected extends ResponseSink {
  readonly heads: ResponseHead[];
  readonly interims: ResponseHead[];
  body: Buffer;
  ended: boolean;
  failure: UpstreamFailure | null;
  raw: RawConnection | null;
  writables: number;
}

/** `more` overrides single methods. */
export function collectingSink(more: Partial<ResponseSink> = {}): Collected {
  const sink: Collected = {
    heads: [],
    interims: [],
    body: Buffer.alloc(0),
    ended: false,
    failure: null,
    raw: null,
    writables: 0,
    onInterim: (head) => void sink.interims.push(head),
    onHead: (head) => void sink.heads.push(withKept(head, head.kept)),
    onBody(view, start, end) {
      sink.body = Buffer.concat([sink.body, view.subarray(start, end)]);
    },
    onEnd() {
      sink.ended = true;
    },
    onUpgrade(_head, connection) {
      sink.raw = connection;
    },
    onFailure(failure) {
      sink.failure = failure;
    },
    flush: () => true,
    onWritable() {
      sink.writables++;
    },
    ...more,
  };
  return sink;
}

export interface Upstream {
  readonly pools: Pools;
  /** Endpoints in order of their attempts. */
  readonly attempts: PublishedEndpoint[];
  /** Starts an exchange; endpoints are tried in the order given. */
  start(
    request: Partial<ExchangeRequest>,
    sink: ResponseSink,
    endpoints: readonly PublishedEndpoint[],
  ): Exchange;
  close(): void;
}

const OPTIONS: PoolOptions = {
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 8_000,
  responseTimeoutMs: 60_000,
  maxIdlePerEndpoint: 64,
  maxInFlightPerEndpoint: 0,
  tunnelDrainMs: 30_000,
  http2: { maxConcurrentStreams: 100, streamWindowBytes: 262_144 },
};

/** Pools of their own. */
export function startUpstream(options: Partial<PoolOptions> = {}): Upstream {
  const pools = createPools(
    { ...OPTIONS, ...options },
    createUpstreamTls(configSchema.shape.upstream.parse({}).tls, memoryMetrics()),
  );
  const attempts: PublishedEndpoint[] = [];
  return {
    pools,
    attempts,
    start(request, sink, endpoints) {
      const { method = 'GET', body = 'none' } = request;
      const framing =
        body === 'chunked'
          ? 'Transfer-Encoding: chunked\r\n'
          : body === 'length'
            ? 'Content-Length: 4\r\n'
            : '';
      const exchange = new Exchange(
        {
          method,
          body,
          servername: 'gear.example',
          asksUpgrade: false,
          upgrade: '',
          head: `${method} / HTTP/1.1\r\nHost: gear.example\r\n${framing}\r\n`,
          ...request,
        },
        {
          pools,
          maxAttempts: 3,
          pick: (tried) => endpoints.find((endpoint) => !tried.includes(endpoint)) ?? null,
          answerHead: (head) => head,
          onAttempt: (endpoint) => void attempts.push(endpoint),
          onOutcome: () => {},
        },
        sink,
      );
      exchange.start();
      return exchange;
    },
    close: () => pools.close(),
  };
}
