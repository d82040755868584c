/**
 * Keep-awake probes: traffic through the port proxy is invisible to OpenShift's idler, so an application that only we serve would be
 * put to sleep. Each proxy gear is visited through its node's frontend, which logs the visit as activity (domain.md 6). This says nothing
 * about the health of an endpoint.
 */
import type { Config } from '../config/schema.ts';
import { outwardAddresses } from '../resolver/node-identity.ts';
import type { AppKey } from '../spi/events.ts';
import type { KeepAwakeTarget } from '../table/keep-awake-target.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { countAnswers } from './keep-awake-metrics.ts';
import { type ProbeAnswer, type ProbeRequest, probeNodeFrontend } from './probe-node-frontend.ts';
import type { KeepAwakeAnswer, KeepAwakeResult } from './types.ts';
import { createVisitSchedule, type Visit } from './visit-schedule.ts';

export interface KeepAwake {
  /**
   * Says what the application's targets are now; [] when it is gone. New ones are visited at once (within the node's rate), those that
   * are no longer named are forgotten at once with their results, and nothing happens to the others.
   */
  reconcile(app: AppKey, targets: readonly KeepAwakeTarget[]): void;
  /** Latest answer of each target that has one. */
  results(): readonly KeepAwakeResult[];
  resultsOf(app: AppKey): readonly KeepAwakeResult[];
  /** Gives up what runs; resolves when no request is open any more. */
  stop(): Promise<void>;
}

export interface KeepAwakeOptions {
  readonly config: Config['keepAwake'];
  readonly log: Log;
  readonly metrics: Metrics;
  /** Epoch milliseconds, for results. The schedule runs on the monotonic clock: a corrected wall clock must not delay it. */
  readonly now?: () => number;
  readonly random?: () => number;
  /** First wait after a "waking" answer, milliseconds; each further one is half as long again. */
  readonly firstWakeDelayMs?: number;
  readonly probe?: (request: ProbeRequest, signal: AbortSignal) => Promise<ProbeAnswer>;
  /** Addresses of this machine. */
  readonly ownAddresses?: () => ReadonlySet<string>;
}

/** Re-probes after "waking" until the next regular round: with the growing delay about 100 s, and 360 s is the longest restore. */
const MAX_WAKE_PROBES = 8;
const FIRST_WAKE_DELAY_MS = 2_000;
const WAKE_DELAY_GROWTH = 1.5;
/** Each round comes up to 10 % early or late, so that what began together does not stay together. */
const JITTER = 0.1;
/** Open probes at one time: file descriptors of ours, and room enough that many silent nodes do not hold up the others. */
const MAX_RUNNING = 256;
const MAX_TIMER_MS = 60_000;

interface Target extends Visit {
  target: KeepAwakeTarget;
  /** The fallback host is the one that the node knew last. */
  prefersFallback: boolean;
  wakeProbesLeft: number;
  result: KeepAwakeResult | null;
  abort: AbortController | null;
}

export function startKeepAwake(options: KeepAwakeOptions): KeepAwake {
  const { config, log, metrics } = options;
  if (!config.enabled) return disabled;
  const now = options.now ?? Date.now;
  const random = options.random ?? Math.random;
  const clock = () => performance.now();
  const firstWakeDelayMs = options.firstWakeDelayMs ?? FIRST_WAKE_DELAY_MS;
  const probe = options.probe ?? probeNodeFrontend;
  const ownAddresses = (options.ownAddresses ?? outwardAddresses)();
  const schedule = createVisitSchedule<Target>({
    maxPerSecondPerNode: config.maxPerSecondPerNode,
    maxRunningPerNode: config.maxPerSecondPerNode,
    maxRunning: MAX_RUNNING,
  });
  const apps = new Map<AppKey, readonly Target[]>();
  const open = new Set<Promise<void>>();
  const warnedOwn = new Set<string>();
  const count = countAnswers(metrics, schedule);
  let timer: NodeJS.Timeout | null = null;
  let timerFor: number | null = null;
  let stopped = false;

  /** Begins whatever may begin, and sets the one timer for the rest. */
  function pump(): void {
    if (stopped) return;
    for (let visit = schedule.next(clock()); visit; visit = schedule.next(clock())) {
      const running = run(visit);
      open.add(running);
      void running.finally(() => {
        open.delete(running);
        pump();
      });
    }
    arm();
  }

  function arm(): void {
    const at = schedule.wakeAt();
    if (timer && at === timerFor) return;
    if (timer) clearTimeout(timer);
    timer = null;
    timerFor = at;
    if (at === null) return;
    timer = setTimeout(
      () => {
        timer = null;
        pump();
      },
      Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(at - clock()))),
    );
    timer.unref();
  }

  async function run(visit: Target): Promise<void> {
    const { target } = visit;
    const abort = new AbortController();
    visit.abort = abort;
    const begun = clock();
    const ask = (host: string) => {
      const { port, path, timeoutMs } = config;
      return probe({ address: target.address, port, path, host, timeoutMs }, abort.signal);
    };
    const hosts = visit.prefersFallback
      ? [target.fallbackHost, target.host]
      : [target.host, target.fallbackHost];
    const [first = target.host, other = target.host] = hosts;
    let host = first;
    let answer = await ask(host);
    if (answer.answer === 'not-here' && other !== first && !abort.signal.aborted) {
      schedule.charge(visit, clock());
      host = other;
      answer = await ask(host);
    }
    visit.abort = null;
    if (visit.state === 'gone') {
      // A late answer for what is no longer there: nobody may hear of it.
      schedule.finish(visit, 0, null);
      return;
    }
    if (answer.answer === 'awake' || answer.answer === 'waking') visit.prefersFallback = host !== target.host;
    if (answer.answer === 'not-here') visit.prefersFallback = false;
    const former = visit.result?.answer ?? null;
    visit.result = {
      target: visit.target,
      host,
      answer: answer.answer,
      status: answer.status,
      detail: host === target.host ? answer.detail : `${answer.detail} (asked as ${host})`,
      at: now(),
      tookMs: Math.round(clock() - begun),
    };
    count.answered(former, answer.answer);
    if (former !== answer.answer)
      log.debug('keep-awake answer changed', {
        app: target.app,
        gear: target.gearId,
        answer: answer.answer,
        detail: answer.detail,
      });
    schedule.finish(visit, clock() + delayAfter(visit, answer.answer), answer.answer !== 'unreachable');
  }

  function delayAfter(visit: Target, answer: KeepAwakeAnswer): number {
    // An application that never wakes gets one series of re-probes, not one a round: each makes the node try a restore.
    if (answer === 'awake') visit.wakeProbesLeft = MAX_WAKE_PROBES;
    if (answer === 'waking' && visit.wakeProbesLeft > 0) {
      const done = MAX_WAKE_PROBES - visit.wakeProbesLeft--;
      return firstWakeDelayMs * WAKE_DELAY_GROWTH ** done;
    }
    return config.intervalMs * (1 - JITTER + 2 * JITTER * random());
  }

  function add(target: KeepAwakeTarget): Target {
    if (ownAddresses.has(target.address) && !warnedOwn.has(target.address)) {
      warnedOwn.add(target.address);
      log.warn('keep-awake probes to an address of this machine have no effect: the idler ignores them', {
        address: target.address,
      });
    }
    const visit: Target = {
      address: target.address,
      state: 'gone',
      fresh: true,
      at: 0,
      place: -1,
      target,
      prefersFallback: false,
      wakeProbesLeft: MAX_WAKE_PROBES,
      result: null,
      abort: null,
    };
    schedule.add(visit, clock());
    return visit;
  }

  function drop(visit: Target): void {
    schedule.remove(visit);
    visit.abort?.abort();
    if (visit.result) count.forgotten(visit.result.answer);
    visit.result = null;
  }

  function resultsOf(visits: readonly Target[]): KeepAwakeResult[] {
    const found: KeepAwakeResult[] = [];
    for (const { result } of visits) if (result) found.push(result);
    return found;
  }

  return {
    reconcile(app, targets) {
      if (stopped) return;
      const former = new Map((apps.get(app) ?? []).map((visit) => [keyOf(visit.target), visit]));
      const present = new Map<string, Target>();
      for (const target of targets) {
        const key = keyOf(target);
        if (present.has(key)) continue;
        const known = former.get(key);
        if (known) known.target = target;
        present.set(key, known ?? add(target));
        former.delete(key);
      }
      for (const visit of former.values()) drop(visit);
      if (present.size > 0) apps.set(app, [...present.values()]);
      else apps.delete(app);
      pump();
    },
    results: () => [...apps.values()].flatMap(resultsOf),
    resultsOf: (app) => resultsOf(apps.get(app) ?? []),
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      timer = null;
      for (const visits of apps.values()) for (const visit of visits) drop(visit);
      apps.clear();
      await Promise.all(open);
    },
  };
}

const disabled: KeepAwake = {
  reconcile: () => {},
  results: () => [],
  resultsOf: () => [],
  stop: () => Promise.resolve(),
};

/** Same key: same visit. A gear that moved, or whose name changed, is a new one and is visited at once. */
function keyOf(target: KeepAwakeTarget): string {
  return `${target.gearId} ${target.address} ${target.host} ${target.fallbackHost}`;
}
