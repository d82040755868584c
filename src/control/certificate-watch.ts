/** Certificates as an operator sees them: the list, what needs a look, the days left as metrics, and a line a day in the log. */
import type { TablePolicy } from '../table/policy.ts';
import type { Application, RoutingState } from '../table/state.ts';
import type { Labels, Log, Metrics } from '../telemetry/types.ts';
import { createCertificateCalendar } from './certificate-calendar.ts';
import {
  aliasView,
  type CertificateView,
  type Clock,
  DAY_MS,
  daysLeft,
  type PlatformFacts,
  platformView,
} from './certificate-view.ts';

/** Series of single certificates, at most: those that end soonest. */
const SOONEST = 20;
const LOGGED = 5;
const LOOK_MS = 3_600_000;
/** Upper ends of the buckets, in days left; what has more is `later`. */
const BUCKETS = [1, 7, 30, 90] as const;

export interface CertificateWatchOptions {
  readonly policy: TablePolicy;
  readonly alertDays: number;
  readonly state: () => RoutingState;
  readonly platform: () => readonly PlatformFacts[];
  readonly log: Log;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export interface CertificateWatch {
  changed(was: Application | undefined, is: Application | undefined): void;
  /** Every certificate, the platform's first. Read slowly it stays the state of one moment. */
  all(): Iterable<CertificateView>;
  /** Those that need a look, the soonest end first among the aliases'. Costs what it shows, not what there is. */
  alerts(): Iterable<CertificateView>;
  /** From now on a line a day says what ends soon. */
  start(): void;
  stop(): void;
}

export function createCertificateWatch(options: CertificateWatchOptions): CertificateWatch {
  const { policy, alertDays, platform, log, metrics, now } = options;
  const calendar = createCertificateCalendar();
  let timer: NodeJS.Timeout | null = null;
  let saidOn = Number.NaN;

  const clock = (): Clock => ({ now: now(), alertDays });
  const dayOf = (time: number): number => Math.floor(time / DAY_MS);

  function* viewsOf(
    state: RoutingState,
    apps: Iterable<Application | undefined>,
    at: Clock,
  ): Generator<CertificateView> {
    for (const app of apps) {
      for (const record of app?.aliases ?? []) {
        const view = app === undefined ? null : aliasView(state, policy, app, record, at);
        if (view !== null) yield view;
      }
    }
  }

  function* alertsOf(at: Clock): Generator<CertificateView> {
    const state = options.state();
    for (const one of platform()) {
      const view = platformView(one, at);
      if (view.alerts.length > 0) yield view;
    }
    const keys = new Set([...calendar.endingUntil(dayOf(at.now) + alertDays), ...calendar.odd()]);
    const apps = Array.from(keys, (key) => state.apps.get(key));
    for (const view of viewsOf(state, apps, at)) if (view.alerts.length > 0) yield view;
  }

  /** By name of the soonest ends among aliases, within the alert days; the days before the last are looked at whole. */
  function soonest(at: Clock): CertificateView[] {
    const state = options.state();
    const found: CertificateView[] = [];
    for (const key of calendar.endingUntil(dayOf(at.now) + alertDays)) {
      for (const view of viewsOf(state, [state.apps.get(key)], at)) {
        const left = view.certificate?.daysLeft ?? alertDays;
        if (left < alertDays) found.push(view);
      }
      if (found.length >= SOONEST) break;
    }
    return found.slice(0, SOONEST);
  }

  reportTo(metrics, { calendar, clock, soonest, platform, dayOf });

  function look(): void {
    const at = clock();
    const today = dayOf(at.now);
    if (today === saidOn) return;
    saidOn = today;
    let ending = 0;
    for (const [day, certificates] of calendar.days()) {
      if (day <= today + alertDays - 1) ending += certificates;
    }
    const ofPlatform = platform()
      .map((one) => platformView(one, at))
      .filter(({ certificate }) => (certificate?.daysLeft ?? alertDays) < alertDays);
    if (ending + ofPlatform.length === 0) return;
    for (const { name, owner, origin, certificate } of [...ofPlatform, ...soonest(at)].slice(0, LOGGED)) {
      const left = certificate?.daysLeft ?? 0;
      log.warn(left < 0 ? 'a certificate is expired' : 'a certificate expires soon', {
        ...{ code: left < 0 ? 'CERT_EXPIRED' : 'CERT_EXPIRES_SOON', name, app: owner, origin },
        ...{ notAfter: certificate?.notAfter, daysLeft: left },
      });
    }
    log.warn('certificates that are expired or expire soon; headgear certs --alerts lists them', {
      ...{ code: 'CERT_EXPIRY', aliases: ending, platform: ofPlatform.length, withinDays: alertDays },
    });
  }

  return {
    changed: calendar.changed,
    *all() {
      const at = clock();
      const state = options.state();
      for (const one of platform()) yield platformView(one, at);
      yield* viewsOf(state, state.apps.values(), at);
    },
    alerts: () => alertsOf(clock()),
    start() {
      look();
      timer = setInterval(look, LOOK_MS);
      timer.unref();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
    },
  };
}

function reportTo(
  metrics: Metrics,
  parts: {
    readonly calendar: ReturnType<typeof createCertificateCalendar>;
    readonly clock: () => Clock;
    readonly soonest: (at: Clock) => readonly CertificateView[];
    readonly platform: () => readonly PlatformFacts[];
    readonly dayOf: (time: number) => number;
  },
): void {
  const { calendar, clock, soonest, platform, dayOf } = parts;
  const byDays = metrics.gauge('certificates_by_days_left', 'Alias certificates by whole days left', [
    'within',
  ]);
  const left = metrics.gauge(
    'certificate_days_left',
    `Whole days left of each platform certificate and of the ${SOONEST} alias certificates that end soonest, within certificates.expiryAlertDays`,
    ['source', 'name', 'app'],
  );
  const refused = metrics.gauge('certificates_refused', 'Aliases whose latest certificate was refused');
  const mismatched = metrics.gauge(
    'certificates_name_mismatch',
    'Certificates that do not stand for their alias',
  );
  let series: Labels[] = [];
  metrics.onCollect(() => {
    const at = clock();
    const counts = new Map<string, number>(
      ['expired', ...BUCKETS.map((end) => `${end}d`), 'later'].map((w) => [w, 0]),
    );
    for (const [day, certificates] of calendar.days()) {
      const within = bucketOf(day - dayOf(at.now));
      counts.set(within, (counts.get(within) ?? 0) + certificates);
    }
    for (const [within, certificates] of counts) byDays.set(certificates, { within });
    refused.set(calendar.refused);
    mismatched.set(calendar.mismatched);
    for (const labels of series) left.remove(labels);
    series = [];
    const put = (source: string, name: string, app: string, days: number): void => {
      const labels = { source, name, app };
      series.push(labels);
      left.set(days, labels);
    };
    for (const { facts, origin } of platform()) {
      put('platform', facts.names[0] ?? origin, '', daysLeft(facts.notAfter, at.now));
    }
    for (const { name, owner, certificate } of soonest(at)) {
      put('alias', name, owner ?? '', certificate?.daysLeft ?? 0);
    }
  });
}

/** `days`: from today to the day of the end. */
function bucketOf(days: number): string {
  if (days < 0) return 'expired';
  const end = BUCKETS.find((most) => days < most);
  return end === undefined ? 'later' : `${end}d`;
}
