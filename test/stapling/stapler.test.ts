import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import type { Asked } from '../../src/stapling/ask-responder.ts';
import { createStapler, type Staple, type StaplerOptions } from '../../src/stapling/stapler.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { ocspChain, ocspFile } from '../support/ocsp-files.ts';

const START = Date.parse('2027-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;
const good: Asked = { ok: true, response: ocspFile('good') };
const leaf = { id: 'leaf', chainPem: ocspChain('leaf') };

function start(t: TestContext, more: Partial<StaplerOptions> = {}) {
  const scene = {
    time: START,
    inUse: true,
    answer: good as Asked | Promise<Asked>,
    asked: [] as string[],
    staples: new Map<string, Staple | null>(),
    log: memoryLog(),
    metrics: memoryMetrics(),
  };
  let tick = (): void => undefined;
  const { ocsp } = configSchema.parse({ cloudDomain: 'example.test', listeners: {}, tls: {} }).tls;
  const stapler = createStapler({
    config: ocsp,
    maxCertificates: 10,
    log: scene.log,
    metrics: scene.metrics,
    publish: (id, staple) => void scene.staples.set(id, staple),
    isInUse: () => scene.inUse,
    now: () => scene.time,
    ask: async (url) => {
      scene.asked.push(url);
      return scene.answer;
    },
    lookRegularly(look) {
      tick = look;
      return () => {
        tick = () => undefined;
      };
    },
    ...more,
  });
  t.after(stapler.stop);
  /** What a second brings, to its end: one certificate a turn, and none after that. */
  const look = async (): Promise<void> => {
    tick();
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...scene, scene, stapler, look };
}

test('a certificate in use is asked about once, and its response handed over with its end', async (t) => {
  const { stapler, staples, asked, metrics } = start(t);
  stapler.note(leaf);
  stapler.note(leaf);
  await eventually(() => staples.has('leaf'));
  stapler.note(leaf);
  assert.deepEqual(asked, ['http://ocsp.example.test/ca?x=1']);
  assert.deepEqual(staples.get('leaf')?.response, ocspFile('good'));
  assert.ok((staples.get('leaf')?.until ?? 0) > START);
  assert.equal(metrics.value('tls_ocsp_responses_total', { result: 'good' }), 1);
  assert.equal(metrics.value('tls_ocsp_stapled_certificates'), 1);
});

test('certificates that name no responder, and stapling that is off, ask nobody', async (t) => {
  const { stapler, staples, asked } = start(t);
  stapler.note({ id: 'unnamed', chainPem: ocspChain('unnamed') });
  stapler.note({ id: 'rubbish', chainPem: 'rubbish' });
  stapler.note(leaf);
  await eventually(() => staples.has('leaf'));
  assert.equal(asked.length, 1);
  const off = start(t, { config: { enabled: false, timeoutMs: 1, allowedAddresses: [] } });
  off.stapler.note(leaf);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(off.asked.length, 0);
});

test('a response is renewed long before its end, but only for a certificate that handshakes still get', async (t) => {
  const { scene, stapler, staples, asked, look } = start(t);
  stapler.note(leaf);
  await eventually(() => staples.has('leaf'));
  const life = (staples.get('leaf')?.until ?? 0) - START;
  scene.time = START + life * 0.44;
  await look();
  assert.equal(asked.length, 1, 'too early');
  scene.time = START + life * 0.56;
  await look();
  assert.equal(asked.length, 2);
  scene.inUse = false;
  scene.time = START + life * 0.9;
  await look();
  assert.equal(asked.length, 2, 'nobody uses it any more');
  scene.inUse = true;
  await look();
  assert.equal(asked.length, 2, 'it is forgotten');
  stapler.note(leaf);
  await look();
  assert.equal(asked.length, 3);
});

test('a failure is quiet, keeps what is stapled, and is tried again later and later', async (t) => {
  const { scene, stapler, staples, asked, log, metrics, look } = start(t);
  scene.answer = { ok: false, code: 'STAPLING_UNREACHABLE' };
  stapler.note(leaf);
  await eventually(() => metrics.value('tls_ocsp_responses_total', { result: 'STAPLING_UNREACHABLE' }) === 1);
  scene.time += 50_000;
  await look();
  assert.equal(asked.length, 1, 'not within the first minute');
  scene.time += 20_000;
  await look();
  assert.equal(asked.length, 2);
  scene.time += 70_000;
  await look();
  assert.equal(asked.length, 2, 'twice as long now');
  scene.time += HOUR_MS;
  scene.answer = good;
  await look();
  assert.ok(staples.has('leaf'));
  assert.deepEqual(
    log.lines.map(({ level, message }) => `${level} ${message}`),
    ['info no OCSP response to staple'],
  );
  const { until } = staples.get('leaf') ?? { until: 0 };
  scene.answer = { ok: true, response: ocspFile('by-stranger') };
  scene.time = START + (until - START) * 0.7;
  await look();
  assert.equal(metrics.value('tls_ocsp_responses_total', { result: 'PEM_OCSP_SIGNATURE' }), 1);
  assert.equal(staples.get('leaf')?.until, until);
});

test('a revoked certificate is said aloud and loses its response', async (t) => {
  const { scene, stapler, staples, log } = start(t);
  scene.answer = { ok: true, response: ocspFile('revoked') };
  stapler.note({ id: 'revoked', chainPem: ocspChain('revoked') });
  await eventually(() => staples.has('revoked'));
  assert.equal(staples.get('revoked'), null);
  assert.equal(log.lines[0]?.level, 'warn');
});

test('responders that hang hold up a few others, never those that answered before, and no more than a bounded number is kept in mind', async (t) => {
  const { scene, stapler, staples, asked, metrics, look } = start(t);
  stapler.note(leaf);
  await eventually(() => staples.has('leaf'));
  scene.answer = new Promise<Asked>(() => {});
  for (let n = 0; n < 30; n += 1) stapler.note({ id: `slow-${n}`, chainPem: ocspChain('second') });
  await eventually(() => asked.length === 5);
  await look();
  assert.equal(asked.length, 5, 'four at once');
  assert.ok((metrics.value('tls_ocsp_stapled_certificates') ?? 0) <= 1);
});
