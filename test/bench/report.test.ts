import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBenchArguments, type ScenarioArguments } from '../../bench/arguments.ts';
import { formatVerdicts, isMet, judge, type Verdict } from '../../bench/bars.ts';
import { createLatencies } from '../../bench/latencies.ts';
import { readH2Load } from '../../bench/load-h2load.ts';
import { readWrk } from '../../bench/load-wrk.ts';
import { formatReport, summarize } from '../../bench/report.ts';
import { spreadOf, turned } from '../../bench/rounds.ts';
import type { Sample } from '../../bench/sample.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';

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

const HTTP_1K = 'hop-http-1k-64';

function sample(
  target: Sample['target'],
  round: number,
  cpuUs: number | null,
  more: Partial<Sample> = {},
): Sample {
  return {
    round,
    scenario: HTTP_1K,
    loader: 'wrk',
    target,
    requests: 1_000,
    failed: 0,
    requestsPerSecond: 1_000,
    p99Ms: 2,
    cpuUs,
    residentBefore: null,
    residentPeak: null,
    bytesPerConnection: null,
    heapPerConnection: null,
    ...more,
  };
}

/** The scenarios of an accepted command line. */
function scenariosOf(args: readonly string[]): ScenarioArguments {
  const read = readBenchArguments(args, ['spi-read']);
  assert.ok(read.kind === 'scenarios', JSON.stringify(read));
  return read;
}

const namesOf = (args: readonly string[]): readonly string[] =>
  scenariosOf(args).scenarios.map(({ name }) => name);

function verdict(samples: readonly Sample[], title: string): Verdict {
  const found = judge(samples).find((one) => one.title === title);
  assert.ok(found !== undefined);
  return found;
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

test('what h2load prints is read, and what is not 2xx has failed', () => {
  const text = `finished in 1.00s, 990.00 req/s, 5.07MB/s
requests: 1000 total, 1010 started, 1000 done, 985 succeeded, 15 failed, 5 errored, 0 timeout
status codes: 980 2xx, 5 3xx, 0 4xx, 10 5xx`;
  assert.deepEqual(readH2Load(text), { requests: 980, failed: 20, requestsPerSecond: 990 });
  assert.throws(() => readH2Load('Could not connect'), /Could not connect/);
});

test('a percentile of latencies is exact to 10 us, and that of none is null', () => {
  const latencies = createLatencies();
  assert.equal(latencies.percentile(0.99), null);
  for (let ms = 1; ms <= 100; ms += 1) latencies.add(ms);
  assert.ok(Math.abs((latencies.percentile(0.99) ?? 0) - 99) <= 0.02);
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
  assert.deepEqual(headgear?.cpuUs, { median: 120, min: 60, max: 180 });
  const httpProxy = rows.find((row) => row.target === 'http-proxy');
  assert.deepEqual(httpProxy?.cpuToHeadgear, { median: 4, min: 4, max: 4 });
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
  const text = formatReport(summarize([sample('headgear', 1, null)]), SCENARIOS);
  assert.match(text, /headgear +- +- +- +- +2\.00 +- +1000 +- +0$/m);
});

test('failed requests are shown, and a target that did not hold the equal load is named', () => {
  const rate = { scenario: 'rate-http-1k-64', loader: 'h2load' } as const;
  const text = formatReport(
    summarize([
      sample('headgear', 1, 60, rate),
      sample('httpxy', 1, 600, { ...rate, requestsPerSecond: 600, failed: 7 }),
    ]),
    SCENARIOS,
  );
  assert.match(text, /httpxy .* 7$/m);
  assert.match(text, /^ {2}did not hold that rate: httpxy$/m);
});

test('a bar is met, not met, or not measured, and never left out', () => {
  const title = 'CPU, 1 KiB HTTP: Headgear to nginx';
  const at = (cpuUs: number): Verdict =>
    verdict([sample('nginx', 1, 100), sample('headgear', 1, cpuUs)], title);
  assert.equal(isMet(at(130)), true);
  assert.equal(isMet(at(131)), false);
  assert.equal(isMet(verdict([], title)), null);
  assert.match(formatVerdicts([at(99)]), /met +CPU.*: 0\.99 \(at most 1\.3; stretch 1 met\)$/);
  assert.match(formatVerdicts([at(140)]), /NOT MET +CPU.*: 1\.40 \(at most 1\.3; stretch 1 not met\)$/);
  assert.match(
    formatVerdicts(judge([])),
    /not measured +CPU, 1 KiB HTTPS: Caddy to Headgear \(at least 2\.5\)/,
  );
  const caddy = 'CPU, 1 KiB HTTP: Caddy to Headgear';
  assert.equal(isMet(verdict([sample('caddy', 1, 249), sample('headgear', 1, 100)], caddy)), false);
});

test('every bar reads scenarios and targets that exist', () => {
  const samples = [1, 2].flatMap((round) =>
    SCENARIOS.flatMap(({ name, targets }) =>
      targets.map((target) =>
        sample(target, round, 100, {
          scenario: name,
          residentBefore: 1_000_000,
          residentPeak: 2_000_000,
          bytesPerConnection: 4_096,
          heapPerConnection: 1_024,
        }),
      ),
    ),
  );
  assert.deepEqual(
    judge(samples).filter(({ value }) => value === null),
    [],
  );
  assert.equal(new Set(SCENARIOS.map(({ name }) => name)).size, SCENARIOS.length);
});

test('HTTP/2 is held to its parts: a static answer and 1.1 times the hop', () => {
  const samples = [
    sample('http2-static', 1, 90, { scenario: 'h2-h2-1k-8' }),
    sample('headgear', 1, 100, { scenario: 'h2-http-1k-64' }),
    sample('headgear', 1, 300, { scenario: 'h2-h2-1k-8' }),
  ];
  const title = 'CPU, 1 KiB HTTP/2: Headgear to static node:http2 + 1.1 x its own hop over HTTP';
  assert.equal(verdict(samples, title).value, 1.5);
});

test('memory is flat when later rounds hold no more than the first', () => {
  const round = (number: number, residentPeak: number): Sample =>
    sample('headgear', number, 1, { scenario: 'hop-http-10m-16', residentBefore: 0, residentPeak });
  const title = 'memory, 10 MiB HTTP: peak to that of the first round';
  assert.equal(verdict([round(1, 100), round(2, 100), round(3, 150)], title).value, 1.25);
  assert.equal(verdict([round(1, 100)], title).value, null);
});

test('an idle connection is judged by the worse of resident memory and heap', () => {
  const idle = (target: Sample['target'], bytesPerConnection: number, heapPerConnection: number): Sample =>
    sample(target, 1, null, { scenario: 'idle-http-none-2000', bytesPerConnection, heapPerConnection });
  const title = 'memory, an idle HTTP connection: Headgear over a bare socket of Node';
  assert.equal(verdict([idle('headgear', 3_072, 4_096), idle('bare-socket', 2_048, 1_024)], title).value, 3);
  assert.equal(verdict([idle('headgear', 9_216, 4_096), idle('bare-socket', 1_024, 1_024)], title).value, 8);
});

test('without words it is the 1 KiB hop; groups, scenarios, loads and schemes choose others', () => {
  assert.deepEqual(namesOf([]), ['hop-http-1k-64', 'hop-https-1k-64']);
  assert.deepEqual(namesOf(['hop', '--load', '64k', '--scheme', 'https']), ['hop-https-64k-64']);
  assert.deepEqual(namesOf(['--load', '10m', '--scheme', 'http']), ['hop-http-10m-16']);
  assert.deepEqual(namesOf(['websocket', 'h2-h2-64k-8']), [
    'websocket-http-echo-64',
    'websocket-https-echo-64',
    'h2-h2-64k-8',
  ]);
  assert.equal(namesOf(['all']).length, SCENARIOS.length);
  assert.deepEqual(namesOf(['hop', '--load', '1k', '--scheme', 'http', '--connections', '200']), [
    'hop-http-1k-200',
  ]);
});

test('the smoke run wants no wrk, which measures whole seconds only', () => {
  const args = scenariosOf(['--smoke']);
  assert.equal(args.h1Loader, 'autocannon');
  assert.equal(args.rounds, 1);
});

test('unknown words and impossible numbers are refused with a sentence', () => {
  for (const [args, reason] of [
    [['warp-speed'], /no bench 'warp-speed'.*hop.*spi-read/],
    [['spi-read', 'hop'], /'spi-read' cannot run together/],
    [['--only', 'nginx,apache'], /--only knows .*apache/],
    [['--load', '2k'], /--load knows .*2k/],
    [['h2', '--only', 'http-proxy'], /no scenario is left/],
    [['--rounds', '0'], /--rounds/],
    [['--seconds', 'long'], /--seconds/],
    [['--connections', 'many'], /--connections/],
    [['--engine', 'native'], /--engine/],
    [['--frobnicate'], /frobnicate/],
  ] as const) {
    const result = readBenchArguments(args, ['spi-read']);
    assert.ok(result.kind === 'wrong');
    assert.match(result.reason, reason);
  }
});

test('--only keeps the order of the rounds, whatever the order it is given in', () => {
  assert.deepEqual(scenariosOf(['--only', 'http-proxy, headgear']).targets, ['headgear', 'http-proxy']);
});

test('every round begins with another target and goes the other way, so that none always comes after the same one', () => {
  const targets = ['headgear', 'nginx', 'haproxy'];
  const orders = [0, 1, 2, 3].map((round) => turned(targets, round).join(' '));
  assert.deepEqual(orders, [
    'headgear nginx haproxy',
    'headgear haproxy nginx',
    'haproxy headgear nginx',
    'haproxy nginx headgear',
  ]);
  assert.deepEqual(turned([], 3), []);
});
