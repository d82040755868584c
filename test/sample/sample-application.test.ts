import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { judgeCertificate } from '../../src/pem/judge.ts';
import { prepareDevelopmentCertificates } from '../../src/sample/development-certificates.ts';
import { type SampleApplication, startSampleApplication } from '../../src/sample/sample-application.ts';
import { readEvent } from '../../src/spi/decode.ts';
import { startIntake } from '../../src/stomp/intake.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { packCertificate } from '../../src/table/certificate-ref.ts';
import type { TableEvent } from '../../src/table/events.ts';
import type { TablePolicy } from '../../src/table/policy.ts';
import { project } from '../../src/table/project.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';
import { request } from '../support/client.ts';
import { memoryLog } from '../support/memory-telemetry.ts';

const domain = 'apps.example.test';
const policy: TablePolicy = {
  cloudDomain: domain,
  haPrefix: 'ha-',
  haSuffix: '',
  routableTypes: ['load_balancer'],
  allowLoopbackEndpoints: true,
  addressMap: {},
  ownListeners: new Set(),
  verifyEndpointTls: false,
  windows: { certificateGraceMs: 60_000, swapMs: 10_000, tombstoneMs: 600_000, maxTombstones: 10_000 },
  limits: { maxApplications: 10, maxNames: 40 },
  certificates: { expired: 'serve', notYetValid: 'serve', nameMismatch: 'serve' },
  nodeFrontend: { aliases: false, applications: {}, httpPort: 80, httpsPort: 443, verifyTls: false },
};
const limits = { maxBodyBytes: 1_048_576, maxDepth: 16, maxAliases: 16 };
let certificate: { certificatePem: string; privateKeyPem: string };

before(() => {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-sample-certs-'));
  certificate = prepareDevelopmentCertificates({ dir, domain, alias: 'www.sample.test' }).alias;
  rmSync(dir, { recursive: true });
});

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-sample-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}
async function start(t: TestContext, stateDir: string): Promise<SampleApplication> {
  const sample = await startSampleApplication({ domain, stateDir, certificate });
  t.after(() => sample.stop());
  return sample;
}
/** What a control loop makes of the bodies. */
function apply(state: RoutingState, bodies: readonly Buffer[]): RoutingState {
  return bodies.reduce((before, body) => {
    const read = readEvent(body, limits);
    assert.equal(read.kind, 'event', body.toString());
    if (read.kind !== 'event') return before;
    assert.deepEqual(read.notes, []);
    const after = transition(before, judged(read.event), policy, { at: 0, sentAt: null });
    assert.equal(after.rejection, null);
    assert.deepEqual(after.findings, []);
    return after.state;
  }, state);
}
function judged(event: Extract<ReturnType<typeof readEvent>, { kind: 'event' }>['event']): TableEvent {
  if (event.action !== 'add_ssl') return event;
  const verdict = judgeCertificate({ ...event, now: Date.now() });
  assert.ok(verdict.ok);
  if (!verdict.ok) throw new Error('unreachable');
  const certificateRef = packCertificate({ ...verdict.facts, warnings: verdict.warnings });
  assert.deepEqual(verdict.warnings, []);
  return { action: 'add_ssl', app: event.app, alias: event.alias, certificate: certificateRef };
}
const portsOf = (state: RoutingState) =>
  (state.apps.get('sample/demo')?.endpoints ?? []).map(({ port }) => port).sort();

test('the events read without a note and make an application of two gears with plain, ha- and alias names', async (t) => {
  const sample = await start(t, folder(t));
  const state = apply(emptyState, sample.bodies);
  const changes = project(emptyState, state, ['sample/demo'], policy, () => null);
  assert.deepEqual(changes.hosts.map(([host]) => host).sort(), [
    'demo-sample.apps.example.test',
    'ha-demo-sample.apps.example.test',
    'www.sample.test',
  ]);
  assert.deepEqual(
    changes.apps[0]?.[1]?.endpoints.map(({ port }) => port),
    sample.gears.map(({ proxyPort }) => proxyPort),
  );
  assert.equal(state.apps.get('sample/demo')?.headGearId, sample.gears[0]?.gearId);
});

test('each gear says who it is and what the request brought', async (t) => {
  const sample = await start(t, folder(t));
  for (const gear of sample.gears)
    for (const port of [gear.webPort, gear.proxyPort]) {
      const answer = await request({
        port,
        target: '/shop?x=1',
        host: sample.host,
        headers: { 'X-Forwarded-Proto': 'https', Cookie: 'secret=1' },
      });
      const text = answer.body.toString();
      assert.match(text, new RegExp(`^Hello from gear ${gear.gearId}`));
      assert.match(
        text,
        /\nGET \/shop\?x=1\nHost: demo-sample.apps.example.test\nX-Forwarded-Proto: https\n$/,
      );
    }
});

test('the node frontend has the names that the probes ask for', async (t) => {
  const sample = await start(t, folder(t));
  const second = `${sample.gears[1]?.gearId}-sample.${domain}`;
  for (const host of [sample.host, second]) {
    const answer = await request({ port: sample.nodeFrontendPort, target: '/health', host });
    assert.equal(answer.body.toString(), '1\n');
  }
  const stranger = await request({
    port: sample.nodeFrontendPort,
    target: '/health',
    host: 'x-y.apps.example.test',
  });
  assert.equal(stranger.status, 302);
});

test('a second start takes the same ports, and its events change nothing', async (t) => {
  const stateDir = folder(t);
  const first = await start(t, stateDir);
  const state = apply(emptyState, first.bodies);
  await first.announce(() => Promise.resolve());
  await first.stop();
  const second = await start(t, stateDir);
  assert.deepEqual(second.gears, first.gears);
  assert.equal(second.nodeFrontendPort, first.nodeFrontendPort);
  assert.equal(apply(state, second.bodies), state);
});

test('a port that somebody took meanwhile is withdrawn, and stays known until that is confirmed', async (t) => {
  const stateDir = folder(t);
  const first = await start(t, stateDir);
  const state = apply(emptyState, first.bodies);
  await first.announce(() => Promise.resolve());
  await first.stop();
  const taken = first.gears[0]?.proxyPort ?? 0;
  const thief = createServer();
  await new Promise<void>((resolve) => thief.listen(taken, '127.0.0.1', resolve));
  t.after(() => thief.close());

  const second = await start(t, stateDir);
  await assert.rejects(second.announce(() => Promise.reject(new Error('the intake is not there'))));
  await second.stop();
  const third = await start(t, stateDir);
  const after = apply(state, third.bodies);
  assert.deepEqual(
    portsOf(after),
    third.gears.flatMap(({ webPort, proxyPort }) => [webPort, proxyPort]).sort(),
  );
  assert.ok(!portsOf(after).includes(taken));
  await third.announce(() => Promise.resolve());
  await third.stop();
  const fourth = await start(t, stateDir);
  assert.equal(apply(after, fourth.bodies), after);
});

test('a damaged file of ports costs nothing but the ports', async (t) => {
  const stateDir = folder(t);
  for (const text of [
    '',
    '{"gears":[{}],"nodeFrontendPort":1}',
    'null',
    '{"gears":"x","nodeFrontendPort":99999}',
  ]) {
    writeFileSync(join(stateDir, 'sample-ports.json'), text);
    const sample = await start(t, stateDir);
    assert.equal(sample.gears.length, 2);
    await sample.stop();
  }
  assert.equal(statSync(join(stateDir, 'sample-ports.json')).mode & 0o777, 0o600);
});

test('the events go through the intake by real STOMP, in order and whole', async (t) => {
  const sample = await start(t, folder(t));
  const arrived: Buffer[] = [];
  const intake = await startIntake({
    config: { host: '127.0.0.1', port: 0, maxConnections: 8, idleTimeoutMs: 60_000 },
    maxBodyBytes: limits.maxBodyBytes,
    log: memoryLog(),
    deliver: (delivery) => {
      arrived.push(delivery.body);
      delivery.ack();
    },
  });
  t.after(() => intake.stop());
  await sample.announce((bodies) =>
    publishBodies({ ...intake.address(), destination: '/queue/routinginfo', bodies, persistent: true }),
  );
  assert.deepEqual(arrived, sample.bodies);
});
