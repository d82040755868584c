import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCertificateCalendar } from '../../src/control/certificate-calendar.ts';
import type { CertificateView, PlatformFacts } from '../../src/control/certificate-view.ts';
import { createCertificateWatch } from '../../src/control/certificate-watch.ts';
import { type CertificateFacts, packCertificate } from '../../src/table/certificate-ref.ts';
import type { TablePolicy } from '../../src/table/policy.ts';
import { recoverState } from '../../src/table/recover-state.ts';
import { type Application, emptyState } from '../../src/table/state.ts';
import { application } from '../store/samples.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { policy } from '../table/scenery.ts';

const DAY = 86_400_000;
const NOW = 20_000 * DAY + DAY / 2;

interface Alias {
  readonly name: string;
  /** Days from now. */
  readonly ends: number | null;
  readonly begins?: number;
  readonly warnings?: readonly string[];
  readonly refused?: boolean;
}

function appWith(name: string, aliases: readonly Alias[]): Application {
  const facts: CertificateFacts = {
    ...{ id: 'c0ffee', fingerprint: 'ab'.repeat(32), names: ['www.test'], keyType: 'rsa', keyBits: 2048 },
    ...{ notBefore: 0, notAfter: 0, issuer: 'CN=test', warnings: [] },
  };
  return {
    ...application(name),
    endpoints: [],
    aliases: aliases.map(({ name: alias, ends, begins = -1, warnings = [], refused = false }, n) => ({
      ...{ alias, announced: true, claim: n + 1 },
      refusal: refused ? { code: 'PEM_KEY_MISMATCH', reason: 'not its key', at: 7 } : null,
      certificate:
        ends === null
          ? null
          : packCertificate({
              ...facts,
              ...{ notBefore: NOW + begins * DAY, notAfter: NOW + ends * DAY, warnings },
            }),
    })),
  };
}

const wildcard: PlatformFacts = {
  facts: {
    ...{ id: 'p', fingerprint: 'cd'.repeat(32), names: ['*.apps.test'], keyType: 'ec', keyBits: 256 },
    ...{ notBefore: 0, notAfter: NOW + 3 * DAY, issuer: 'CN=ca' },
  },
  warnings: [],
  origin: '/etc/headgear/wildcard.pem',
};

function watching(apps: readonly Application[], rules: TablePolicy = policy, platform = [wildcard]) {
  const log = memoryLog();
  const metrics = memoryMetrics();
  const clock = { now: NOW };
  const state = apps.length === 0 ? emptyState : recoverState(apps, 100, rules);
  const watch = createCertificateWatch({
    ...{ policy: rules, alertDays: 30, state: () => state, platform: () => platform, log, metrics },
    now: () => clock.now,
  });
  for (const app of state.apps.values()) watch.changed(undefined, app);
  return { watch, log, metrics, clock };
}

const seen = (views: Iterable<CertificateView>) =>
  Array.from(views, ({ name, owner, served, alerts }) => [name, owner, served, alerts.join(' ')]);

const mixed = appWith('shop', [
  { name: 'fine.test', ends: 300 },
  { name: 'soon.test', ends: 5 },
  { name: 'expired.test', ends: -2, warnings: ['CERT_NAME_MISMATCH'] },
  { name: 'early.test', ends: 300, begins: 9, warnings: ['CERT_NOT_YET_VALID'] },
  { name: 'refused.test', ends: null, refused: true },
  { name: 'kept.test', ends: 300, refused: true },
  { name: 'bare.test', ends: null },
]);

test('every certificate is listed with its owner, its days and what is wrong with it now', () => {
  const { watch } = watching([mixed]);
  assert.deepEqual(seen(watch.all()), [
    ['*.apps.test', null, true, 'CERT_EXPIRES_SOON'],
    ['fine.test', 'demo/shop', true, ''],
    ['soon.test', 'demo/shop', true, 'CERT_EXPIRES_SOON'],
    ['expired.test', 'demo/shop', true, 'CERT_EXPIRED CERT_NAME_MISMATCH'],
    ['early.test', 'demo/shop', true, 'CERT_NOT_YET_VALID'],
    ['refused.test', 'demo/shop', false, 'CERT_REFUSED'],
    ['kept.test', 'demo/shop', true, 'CERT_REFUSED'],
  ]);
  const [platform, , soon, expired] = [...watch.all()];
  assert.equal(platform?.origin, '/etc/headgear/wildcard.pem');
  assert.equal(platform?.certificate?.notAfter, new Date(NOW + 3 * DAY).toISOString());
  assert.equal(soon?.certificate?.daysLeft, 5);
  assert.equal(expired?.certificate?.daysLeft, -2);
});

test('what the policy falls back from is listed as not served', () => {
  const fallback = { expired: 'fallback', notYetValid: 'fallback', nameMismatch: 'fallback' } as const;
  const rules = { ...policy, certificates: fallback };
  const served = new Map(
    Array.from(watching([mixed], rules).watch.all(), (view) => [view.name, view.served]),
  );
  assert.deepEqual(
    ['fine.test', 'soon.test', 'expired.test', 'early.test'].map((name) => served.get(name)),
    [true, true, false, false],
  );
});

test('alerts are those that need a look, and only those', () => {
  const { watch, clock } = watching([mixed, appWith('quiet', [{ name: 'quiet.test', ends: 200 }])]);
  const names = () => seen(watch.alerts()).map(([name]) => name);
  assert.deepEqual(names().sort(), [
    '*.apps.test',
    'early.test',
    'expired.test',
    'kept.test',
    'refused.test',
    'soon.test',
  ]);
  // Time alone makes a certificate an alert, and one that was not yet valid none.
  clock.now = NOW + 180 * DAY;
  assert.ok(names().includes('quiet.test'));
  assert.equal(names().includes('early.test'), false);
});

test('days left are metrics: buckets for all, single series for the platform’s and the soonest twenty', () => {
  const many = Array.from({ length: 50 }, (_, n) => ({ name: `w${n}.test`, ends: n % 40 }));
  const { watch, metrics, clock } = watching([mixed, appWith('many', many)]);
  const within = (bucket: string) => metrics.value('certificates_by_days_left', { within: bucket });
  assert.deepEqual(['expired', '1d', '7d', '30d', '90d', 'later'].map(within), [1, 2, 13, 26, 10, 3]);
  assert.equal(metrics.value('certificates_refused'), 2);
  assert.equal(metrics.value('certificates_name_mismatch'), 1);
  const series = metrics.labelsOf('certificate_days_left');
  assert.equal(series.length, 21);
  const labels = { source: 'platform', name: '*.apps.test', app: '' };
  assert.equal(metrics.value('certificate_days_left', labels), 3);
  const expired = { source: 'alias', name: 'expired.test', app: 'demo/shop' };
  assert.equal(metrics.value('certificate_days_left', expired), -2);
  watch.changed(mixed, undefined);
  clock.now = NOW + DAY;
  assert.equal(metrics.value('certificate_days_left', labels), 2);
  assert.deepEqual(['expired', '1d'].map(within), [2, 2]);
});

test('the log says once a day what ends soon, in few lines however many do', () => {
  const many = Array.from({ length: 500 }, (_, n) => ({ name: `w${n}.test`, ends: n % 20 }));
  const { watch, log } = watching([appWith('many', many)]);
  watch.start();
  watch.stop();
  const codes = log.lines.map(({ level, fields }) => `${level} ${fields.code}`);
  assert.ok(codes.length <= 6 && codes.includes('warn CERT_EXPIRES_SOON'));
  const last = log.lines.at(-1);
  assert.deepEqual([last?.fields.aliases, last?.fields.platform], [500, 1]);
  const quiet = watching([], policy, []);
  quiet.watch.start();
  quiet.watch.stop();
  assert.deepEqual(quiet.log.lines, []);
});

test('the calendar holds what the applications hold, whatever changes led there', () => {
  const alias = fc.record({
    name: fc.constantFrom('a.test', 'b.test', 'c.test'),
    ends: fc.option(fc.integer({ min: -3, max: 3 })),
    refused: fc.boolean(),
  });
  const aliases = fc.uniqueArray(alias, { selector: ({ name }) => name });
  const change = fc.tuple(fc.constantFrom('x', 'y', 'z'), fc.option(aliases));
  const summary = (calendar: ReturnType<typeof createCertificateCalendar>) => ({
    days: [...calendar.days()].sort(([a], [b]) => a - b),
    ending: [...calendar.endingUntil(99_999)].sort(),
    odd: [...calendar.odd()].sort(),
    refused: calendar.refused,
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const calendar = createCertificateCalendar();
      const apps = new Map<string, Application>();
      for (const [name, held] of changes) {
        const is = held === null ? undefined : appWith(name, held);
        calendar.changed(apps.get(name), is);
        if (is === undefined) apps.delete(name);
        else apps.set(name, is);
      }
      const fresh = createCertificateCalendar();
      for (const app of apps.values()) fresh.changed(undefined, app);
      assert.deepEqual(summary(calendar), summary(fresh));
    }),
    { numRuns: 200 },
  );
});
