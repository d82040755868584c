import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createRequestMetrics } from '../../src/telemetry/request-metrics.ts';
import { finishedRequest } from './contexts.ts';

describe('metrics', () => {
  it('prefixes every name, also those of the process', async () => {
    const metrics = createMetrics();
    metrics.counter('events_total', 'Events', ['action']).inc({ action: 'add_alias' }, 2);
    const text = await metrics.expose();
    assert.match(text, /^headgear_events_total\{action="add_alias"\} 2$/m);
    assert.match(text, /^headgear_process_cpu_seconds_total /m);
    for (const line of text.split('\n')) assert.match(line, /^(headgear_|#|$)/);
  });

  it('gives the same metric back for the same name', async () => {
    const metrics = createMetrics();
    metrics.counter('events_total', 'Events').inc();
    metrics.counter('events_total', 'Events').inc();
    assert.match(await metrics.expose(), /^headgear_events_total 2$/m);
    assert.throws(() => metrics.gauge('events_total', 'Events'));
  });

  it('forgets a label set that was removed', async () => {
    const metrics = createMetrics();
    const gauge = metrics.gauge('endpoint_up', 'Up', ['app']);
    gauge.set(1, { app: 'shop/a' });
    gauge.set(1, { app: 'shop/b' });
    gauge.remove({ app: 'shop/a' });
    const text = await metrics.expose();
    assert.doesNotMatch(text, /shop\/a/);
    assert.match(text, /shop\/b/);
  });

  it('escapes label values, so that a tenant cannot forge a metric', async () => {
    const metrics = createMetrics();
    metrics.gauge('endpoint_up', 'Up', ['app']).set(1, { app: 'x"} 1\nheadgear_forged{a="\\' });
    assert.doesNotMatch(await metrics.expose(), /^headgear_forged/m);
  });

  it('runs the copies before it answers', async () => {
    const metrics = createMetrics();
    const gauge = metrics.gauge('connections', 'Open');
    metrics.onCollect(() => gauge.set(17));
    assert.match(await metrics.expose(), /^headgear_connections 17$/m);
  });
});

describe('request metrics', () => {
  it('counts requests by class of status, failures by code, and bytes', async () => {
    const metrics = createMetrics();
    const requests = createRequestMetrics(metrics);
    requests.record(finishedRequest({ status: 200 }), 900);
    requests.record(finishedRequest({ status: 204, attempts: 3 }), 900);
    requests.record(finishedRequest({ status: 0, failure: 'EDGE_CLIENT_GONE' }), 900);
    requests.record(finishedRequest({ status: 799, failure: 'EDGE_CLIENT_GONE' }), 900);
    const text = await metrics.expose();
    assert.match(text, /^headgear_requests_total\{class="2xx"\} 2$/m);
    assert.match(text, /^headgear_requests_total\{class="none"\} 1$/m);
    assert.match(text, /^headgear_requests_total\{class="other"\} 1$/m);
    assert.match(text, /^headgear_request_failures_total\{code="EDGE_CLIENT_GONE"\} 2$/m);
    assert.match(text, /^headgear_request_body_bytes_total\{direction="out"\} 4096$/m);
    assert.match(text, /^headgear_upstream_retries_total 2$/m);
  });

  it('does not count anything twice when scraped twice', async () => {
    const metrics = createMetrics();
    const requests = createRequestMetrics(metrics);
    requests.record(finishedRequest(), 900);
    await metrics.expose();
    requests.record(finishedRequest(), 900);
    assert.match(await metrics.expose(), /^headgear_requests_total\{class="2xx"\} 2$/m);
  });

  it('shows durations as a cumulative histogram in seconds', async () => {
    const metrics = createMetrics();
    const requests = createRequestMetrics(metrics);
    requests.record(finishedRequest(), 250);
    requests.record(finishedRequest(), 251);
    requests.record(finishedRequest(), 90_000_000);
    const text = await metrics.expose();
    assert.match(text, /^# TYPE headgear_request_duration_seconds histogram$/m);
    assert.match(text, /^headgear_request_duration_seconds_bucket\{le="0.00025"\} 1$/m);
    assert.match(text, /^headgear_request_duration_seconds_bucket\{le="0.0005"\} 2$/m);
    assert.match(text, /^headgear_request_duration_seconds_bucket\{le="60"\} 2$/m);
    assert.match(text, /^headgear_request_duration_seconds_bucket\{le="\+Inf"\} 3$/m);
    assert.match(text, /^headgear_request_duration_seconds_sum 90\.000501$/m);
    assert.match(text, /^headgear_request_duration_seconds_count 3$/m);
  });

  it('keeps the number of failure codes bounded', async () => {
    const metrics = createMetrics();
    const requests = createRequestMetrics(metrics);
    for (let n = 0; n < 1_000; n += 1) requests.record(finishedRequest({ failure: `CODE_${n}` }), 1);
    const text = await metrics.expose();
    assert.equal(text.match(/^headgear_request_failures_total\{/gm)?.length, 256);
  });
});
