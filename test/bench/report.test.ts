import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBenchArguments } from '../../bench/arguments.ts';
import { readWrk } from '../../bench/load-wrk.ts';
import { formatReport, type Sample, spreadOf, summarize } from '../../bench/report.ts';

const WRK = `Running 4s test @ http://127.0.0.1:18080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.57ms  310.48us  11.02ms   93.10%
    Req/Sec    24.99k   512.11    25.71k    85.00%
  Latency Distribution
     50%    2.51ms
     75%    2.60ms
     90%    2.71ms
     99%  950.00us
  99501 requests in 4.00s, 116.72MB read
Requests/sec:  24867.01
Transfer/sec:     29.17MB
`;

function sample(target: Sample['target'], round: number, cpuUs: number | null): Sample {
  return { round, scheme: 'http', loader: 'wrk', target, requestsPerSecond: 1_000, p99Ms: 2, cpuUs };
}

test('what wrk prints is read with its units', () => {
  assert.deepEqual(readWrk(WRK), { requests: 99_501, requestsPerSecond: 24_875.25, p99Ms: 0.95, failed: 0 });
});

test('wrong statuses and broken connections that wrk saw count as failed', () => {
  const text = `${WRK}  Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 501\n`;
  const { requests, failed } = readWrk(text);
  assert.equal(requests, 99_000);
  assert.equal(failed, 507);
});

test('anything else that wrk prints is an error', () => {
  assert.throws(() => readWrk('unable to connect to 127.0.0.1:1'), /unable to connect/);
});

test('the median of an even number of values lies between the two in the middle', () => {
  assert.deepEqual(spreadOf([4, 1, 2, 8]), { median: 3, min: 1, max: 8 });
  assert.equal(spreadOf([]), null);
});

test('ratios are taken within each round, so that a slow round of all targets does not move them', () => {
  const rows = summarize([
    sample('nginx', 1, 30),
    sample('headgear', 1, 60),
    sample('http-proxy', 1, 240),
    sample('nginx', 2, 90),
    sample('headgear', 2, 180),
    sample('http-proxy', 2, 720),
  ]);
  const headgear = rows.find((row) => row.target === 'headgear');
  assert.deepEqual(headgear?.cpuToNginx, { median: 2, min: 2, max: 2 });
  assert.deepEqual(headgear?.httpProxyToCpu, { median: 4, min: 4, max: 4 });
  assert.deepEqual(headgear?.cpuUs, { median: 120, min: 60, max: 180 });
});

test('the cheapest rounds are compared too, whichever rounds they were', () => {
  const rows = summarize([
    sample('nginx', 1, 30),
    sample('headgear', 1, 99),
    sample('nginx', 2, 77),
    sample('headgear', 2, 45),
  ]);
  assert.equal(rows.find((row) => row.target === 'headgear')?.leastCpuToNginx, 1.5);
});

test('where CPU cannot be had, or nginx is missing, the report says so and shows the rest', () => {
  const text = formatReport(summarize([sample('headgear', 1, null)]), 64);
  assert.match(text, /headgear +1000 +2\.00 +- +- +-/);
});

test('the smoke run wants no wrk, which measures whole seconds only', () => {
  const args = readBenchArguments(['--smoke'], []);
  assert.ok(args.kind === 'hop');
  assert.deepEqual(args.loaders, ['autocannon']);
  assert.equal(args.rounds, 1);
});

test('unknown targets and impossible numbers are refused with a sentence', () => {
  for (const [args, reason] of [
    [['--only', 'nginx,apache'], /--only knows .*apache/],
    [['--rounds', '0'], /--rounds/],
    [['--seconds', 'long'], /--seconds/],
    [['--engine', 'native'], /--engine/],
    [['--frobnicate'], /frobnicate/],
  ] as const) {
    const result = readBenchArguments(args, []);
    assert.ok(result.kind === 'wrong');
    assert.match(result.reason, reason);
  }
});

test('--only keeps the order of the rounds, whatever the order it is given in', () => {
  const args = readBenchArguments(['--only', 'http-proxy, headgear'], []);
  assert.ok(args.kind === 'hop');
  assert.deepEqual(args.targets, ['headgear', 'http-proxy']);
});
