import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type KeepAwakeOptions, startKeepAwake } from '../../src/probes/keep-awake.ts';
import type { ProbeAnswer, ProbeRequest } from '../../src/probes/probe-node-frontend.ts';
import type { KeepAwakeTarget } from '../../src/table/keep-awake-target.ts';
import { headerOf } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { startRawGear } from '../support/gear.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { startNodeFrontend } from '../support/node-frontend.ts';

const app = 'ns/demo';
const plain = 'demo-ns.apps.example.test';
const head: KeepAwakeTarget = {
  app,
  gearId: '542b72abafec2de3aa000009',
  address: '127.0.0.1',
  host: plain,
  fallbackHost: plain,
  head: true,
};
const further: KeepAwakeTarget = {
  ...head,
  gearId: '542b72abafec2de3aa00000a',
  host: '542b72abafec2de3aa00000a-ns.apps.example.test',
  head: false,
};
const defaults = {
  enabled: true,
  intervalMs: 900_000,
  timeoutMs: 5_000,
  port: 80,
  path: '/health',
  maxPerSecondPerNode: 1_000,
};

function start(t: TestContext, config: Partial<typeof defaults>, options: Partial<KeepAwakeOptions> = {}) {
  const log = memoryLog();
  const metrics = memoryMetrics();
  const keepAwake = startKeepAwake({
    config: { ...defaults, ...config },
    log,
    metrics,
    firstWakeDelayMs: 1,
    ...options,
  });
  t.after(() => keepAwake.stop());
  return { ...keepAwake, log, metrics };
}

async function frontend(t: TestContext, known: readonly string[] = []) {
  const node = await startNodeFrontend({ known });
  t.after(() => node.stop());
  return node;
}

test('a new target is visited at once, with the Host of its name and nothing of any client', async (t) => {
  const node = await frontend(t, [plain]);
  const probes = start(t, { port: node.port }, { now: () => 1_234 });
  probes.reconcile(app, [head]);
  const [result] = await eventually(() => probes.results().length === 1 && probes.results());
  assert.equal(result?.answer, 'awake');
  assert.equal(result?.host, plain);
  assert.equal(result?.at, 1_234);
  assert.deepEqual(probes.resultsOf(app), [result]);
  const [request] = node.requests;
  assert.equal(`${request?.method} ${request?.url}`, 'GET /health');
  assert.deepEqual(request?.rawHeaders, [
    'Host',
    plain,
    'User-Agent',
    'Headgear-keep-awake/1',
    'Accept',
    '*/*',
    'Connection',
    'close',
  ]);
  assert.equal(probes.metrics.value('keep_awake_probes_total', { answer: 'awake' }), 1);
  assert.equal(probes.metrics.value('keep_awake_targets', { answer: 'awake' }), 1);
});

test('each proxy gear is visited under its own name', async (t) => {
  const node = await frontend(t, [plain, further.host]);
  const probes = start(t, { port: node.port });
  probes.reconcile(app, [head, further]);
  await eventually(() => probes.results().length === 2);
  assert.deepEqual(node.requests.map(({ host }) => host).sort(), [further.host, plain].sort());
});

test('targets are visited again every interval', async (t) => {
  const node = await frontend(t, [plain]);
  const probes = start(t, { port: node.port, intervalMs: 5 });
  probes.reconcile(app, [head]);
  await eventually(() => node.requests.length >= 4);
});

test('a name that the node does not have is asked again under the name of the application, at once and next time first', async (t) => {
  const node = await frontend(t, [plain]);
  const probes = start(t, { port: node.port, intervalMs: 5 });
  probes.reconcile(app, [further]);
  const [result] = await eventually(() => probes.results().length === 1 && probes.results());
  assert.equal(result?.answer, 'awake');
  assert.equal(result?.host, plain);
  await eventually(() => node.requests.length >= 4);
  assert.deepEqual(
    node.requests.slice(0, 4).map(({ host }) => host),
    [further.host, plain, plain, plain],
  );
  // The gear's own name again once the node knows only that.
  node.forget(plain);
  node.know(further.host);
  await eventually(
    () => probes.results()[0]?.host === further.host && probes.results()[0]?.answer === 'awake',
  );
});

test('a node that has neither name is not followed anywhere and reported as such', async (t) => {
  const node = await frontend(t);
  const probes = start(t, { port: node.port });
  probes.reconcile(app, [further]);
  await eventually(() => probes.results()[0]?.answer === 'not-here');
  assert.deepEqual(
    node.requests.map(({ host, url }) => host + url),
    [`${further.host}/health`, `${plain}/health`],
  );
});

test('an idle application is asked again soon until it is awake', async (t) => {
  const node = await frontend(t);
  node.idle(plain, 3);
  const seen: string[] = [];
  const probes = start(t, { port: node.port });
  probes.reconcile(app, [head]);
  await eventually(() => {
    seen.push(probes.results()[0]?.answer ?? '');
    return seen.at(-1) === 'awake';
  });
  assert.equal(node.requests.length, 4);
  assert.equal(probes.metrics.value('keep_awake_probes_total', { answer: 'waking' }), 3);
});

test('an application that never wakes is not asked for ever, and gets no second series in the next round', async (t) => {
  let asked = 0;
  let rounds = 0;
  const probe = () => {
    asked++;
    return Promise.resolve<ProbeAnswer>({ answer: 'waking', status: 302, detail: '' });
  };
  // Chance is asked once a regular round and never for a re-probe.
  const random = () => {
    rounds++;
    return 0.5;
  };
  const probes = start(t, { intervalMs: 2 }, { probe, random });
  probes.reconcile(app, [head]);
  await eventually(() => rounds > 20);
  assert.ok(asked - rounds === 8 || asked - rounds === 9, `${asked} requests in ${rounds} rounds`);
});

test('no answer, a refused connection and a name instead of an address are "unreachable"', async (t) => {
  const node = await frontend(t, [plain]);
  node.hang();
  const silent = start(t, { port: node.port, timeoutMs: 20 });
  silent.reconcile(app, [head]);
  await eventually(() => silent.results()[0]?.answer === 'unreachable');
  assert.match(silent.results()[0]?.detail ?? '', /no answer within 20 ms/);
  await eventually(() => node.openConnections === 0);

  const gone = await startNodeFrontend();
  await gone.stop();
  const refused = start(t, { port: gone.port });
  refused.reconcile(app, [head]);
  await eventually(() => refused.results()[0]?.answer === 'unreachable');
  assert.match(refused.results()[0]?.detail ?? '', /ECONNREFUSED/);

  const named = start(t, { port: node.port });
  named.reconcile(app, [{ ...head, address: 'localhost' }]);
  await eventually(() => named.results()[0]?.answer === 'unreachable');
  assert.match(named.results()[0]?.detail ?? '', /not an address/);
});

test('an answer that goes on for ever, or is no HTTP, ends the probe and nothing else', async (t) => {
  const endless = await startRawGear((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    const more = () => {
      while (!socket.destroyed && socket.write('x'.repeat(16_384)));
    };
    socket.on('drain', more);
    more();
  });
  t.after(() => endless.stop());
  const probes = start(t, { port: endless.port });
  probes.reconcile(app, [head]);
  await eventually(() => probes.results()[0]?.answer === 'awake');
  await eventually(() => endless.openConnections === 0);

  for (const bytes of [
    'HTTP/1.1 000 \r\n\r\n',
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    '\u0000\u0001\r\n\r\n',
    `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`,
    '',
  ]) {
    const gear = await startRawGear((socket) => socket.end(bytes));
    t.after(() => gear.stop());
    const one = start(t, { port: gear.port });
    one.reconcile(app, [head]);
    const [result] = await eventually(() => one.results().length > 0 && one.results());
    assert.notEqual(result?.answer, 'awake', bytes.slice(0, 30));
  }
});

test('a target that went is forgotten at once: no result, no open request, no late answer', async (t) => {
  const node = await frontend(t, [plain, further.host]);
  const probes = start(t, { port: node.port });
  probes.reconcile(app, [head]);
  await eventually(() => probes.results().length === 1);
  node.hang();
  probes.reconcile(app, [head, further]);
  await eventually(() => node.requests.length === 2);
  probes.reconcile(app, []);
  assert.deepEqual(probes.results(), []);
  assert.deepEqual(probes.resultsOf(app), []);
  assert.equal(probes.metrics.value('keep_awake_targets', { answer: 'awake' }), 0);
  await eventually(() => node.openConnections === 0);
  await eventually(() => probes.metrics.value('keep_awake_running') === 0);
  node.answerAgain();
  assert.deepEqual(probes.results(), []);
  assert.equal(probes.metrics.value('keep_awake_probes_total', { answer: 'awake' }), 1);
});

test('a late answer to a removed target is dropped, also when the target came back meanwhile', async (t) => {
  const answers: ((answer: ProbeAnswer) => void)[] = [];
  const probe = () => new Promise<ProbeAnswer>((resolve) => answers.push(resolve));
  const probes = start(t, {}, { probe });
  t.after(() => {
    for (const answer of answers) answer({ answer: 'awake', status: 200, detail: '' });
  });
  probes.reconcile(app, [head]);
  probes.reconcile(app, []);
  probes.reconcile(app, [head]);
  await eventually(() => answers.length === 2);
  answers[0]?.({ answer: 'not-here', status: 302, detail: 'old' });
  answers[1]?.({ answer: 'awake', status: 200, detail: 'new' });
  await eventually(() => probes.metrics.value('keep_awake_running') === 0);
  assert.equal(probes.results()[0]?.answer, 'awake');
  assert.equal(probes.metrics.value('keep_awake_probes_total', { answer: 'not-here' }), undefined);
});

test('the same targets again change nothing; a gear that moved is visited at its new node', async (t) => {
  const asked: ProbeRequest[] = [];
  const probe = (request: ProbeRequest) => {
    asked.push(request);
    return Promise.resolve<ProbeAnswer>({ answer: 'awake', status: 200, detail: '200' });
  };
  const probes = start(t, {}, { probe });
  probes.reconcile(app, [head, head]);
  await eventually(() => probes.results().length === 1);
  probes.reconcile(app, [{ ...head }]);
  probes.reconcile(app, [{ ...head, head: false }]);
  assert.equal(probes.results().length, 1);
  probes.reconcile(app, [{ ...head, address: '10.1.1.1' }]);
  await eventually(() => asked.length === 2);
  assert.deepEqual(
    asked.map(({ address }) => address),
    ['127.0.0.1', '10.1.1.1'],
  );
});

test('a hundred thousand targets stay within the rate of each node and the bound on open requests', async (t) => {
  let open = 0;
  let most = 0;
  const perNode = new Map<string, number>();
  const probe = async ({ address }: ProbeRequest): Promise<ProbeAnswer> => {
    perNode.set(address, (perNode.get(address) ?? 0) + 1);
    most = Math.max(most, ++open);
    await new Promise((resolve) => setImmediate(resolve));
    open--;
    return { answer: 'awake', status: 200, detail: '200' };
  };
  const begun = performance.now();
  const probes = start(t, { maxPerSecondPerNode: 10 }, { probe });
  for (let i = 0; i < 100_000; i++) {
    const key = `ns/app${i}`;
    probes.reconcile(key, [{ ...head, app: key, address: `10.0.${(i % 500) >> 8}.${(i % 500) & 255}` }]);
  }
  await eventually(() => perNode.size === 500);
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(most <= 256);
  for (const [address, number] of perNode) assert.ok(number <= seconds * 10 + 2, `${address}: ${number}`);
  for (let i = 0; i < 100_000; i++) probes.reconcile(`ns/app${i}`, []);
  assert.deepEqual(probes.results(), []);
  assert.equal(probes.metrics.value('keep_awake_waiting'), 0);
});

test('nothing at all happens when it is switched off', async (t) => {
  const node = await frontend(t, [plain]);
  const probes = start(t, { port: node.port, enabled: false });
  probes.reconcile(app, [head]);
  assert.deepEqual(probes.results(), []);
  await probes.stop();
  assert.equal(node.requests.length, 0);
});

test('a node on this very machine is warned of once: the idler ignores our probes there', (t) => {
  const probe = () => Promise.resolve<ProbeAnswer>({ answer: 'awake', status: 200, detail: '' });
  const probes = start(t, {}, { probe, ownAddresses: () => new Set(['10.9.9.9']) });
  probes.reconcile(app, [{ ...head, address: '10.9.9.9' }]);
  probes.reconcile('ns/other', [{ ...head, app: 'ns/other', address: '10.9.9.9' }, further]);
  const warnings = probes.log.lines.filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]?.fields.address, '10.9.9.9');
});

test('a node is reached by IPv6 too', async (t) => {
  const node = await startNodeFrontend({ known: [plain], host: '::1' }).catch(() => null);
  if (!node) return t.skip('missing here: the IPv6 loopback address ::1');
  t.after(() => node.stop());
  const probes = start(t, { port: node.port });
  probes.reconcile(app, [{ ...head, address: '::1' }]);
  await eventually(() => probes.results()[0]?.answer === 'awake');
  assert.equal(headerOf(node.requests[0]?.rawHeaders ?? [], 'host'), plain);
});

test('stop gives up what is open and waits for it', async (t) => {
  const node = await frontend(t, [plain]);
  node.hang();
  const probes = start(t, { port: node.port });
  probes.reconcile(app, [head]);
  await eventually(() => node.requests.length === 1);
  await probes.stop();
  assert.equal(probes.metrics.value('keep_awake_running'), 0);
  probes.reconcile(app, [head]);
  assert.deepEqual(probes.results(), []);
});
