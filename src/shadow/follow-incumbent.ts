/**
 * A shadow beside its incumbent: holds what would be published against what nginx is configured to do, host by host, all the time. Costs
 * what changes on either side; what takes long goes in slices, with turns of the event loop in between.
 */
import type { Config } from '../config/schema.ts';
import { createBreather } from '../control/breather.ts';
import { wordsOf } from '../control/pause.ts';
import { followNginxFolder } from '../sources/nginx-follow.ts';
import type { SourceProblem } from '../sources/picture.ts';
import type { AppKey } from '../spi/events.ts';
import { endpointKey, judgeAddress } from '../table/address-policy.ts';
import type { TablePolicy } from '../table/policy.ts';
import type { TableChanges } from '../table/routing-table.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { deviationsOf, deviationText } from './deviations.ts';
import { createOwnHosts } from './own-hosts.ts';
import { createSettling, type SettledDeviation } from './settling.ts';

export interface IncumbentOptions {
  readonly nginxConfDir: string;
  readonly config: Pick<Config['shadow'], 'settleMs' | 'scanIntervalMs'>;
  readonly policy: TablePolicy;
  /** SHA-256 of an alias certificate of the table; null: it is gone meanwhile. */
  readonly fingerprintOf: (app: AppKey, alias: string, id: string) => string | null;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** A host that would be routed differently. */
export interface DifferingHost {
  readonly host: string;
  /** Whose it is here, or null. */
  readonly app: AppKey | null;
  readonly deviations: readonly (SettledDeviation & { readonly text: string })[];
}

export interface ShadowStatus {
  readonly nginxConfDir: string;
  /** Epoch milliseconds at which the folder was last read to its end, or null. */
  readonly readAt: number | null;
  /** Why it cannot be read now, or null: what is shown is what was last seen. */
  readonly trouble: string | null;
  readonly nginxHosts: number;
  readonly differingHosts: number;
  /** Differences that have not lasted long enough to count. */
  readonly settling: number;
  readonly problems: readonly SourceProblem[];
}

export interface Incumbent {
  /** The next change of the table that would be published. */
  changed(changes: TableChanges): void;
  status(): ShadowStatus;
  differing(): Iterable<DifferingHost>;
  stop(): Promise<void>;
}

const SLICE_MS = 5;
/** Files are written piece by piece: what is told within this time is one change. */
const STIR_MS = 100;
/** Between two rounds of the log, at least; and lines of each. */
const ROUND_MS = 1_000;
const MAX_LINES = 5;
const SETTLE_AT_ONCE = 1_000;

export function followIncumbent(options: IncumbentOptions): Incumbent {
  const { nginxConfDir, config, policy, metrics } = options;
  const log = options.log.child('shadow');
  const own = createOwnHosts();
  const settling = createSettling(config.settleMs, () => performance.now(), Date.now);
  const breathe = createBreather(SLICE_MS);
  const dirty = new Set<string>();
  const folder = followNginxFolder(nginxConfDir, createBreather(SLICE_MS), () => wake(STIR_MS));
  let isStopped = false;
  let readAt: number | null = null;
  let trouble: string | null = null;
  let nextScanAt = 0;
  let running: Promise<void> | null = null;
  let timer: { readonly handle: NodeJS.Timeout; readonly at: number } | null = null;

  const gauge = (name: string, help: string, value: () => number): void => {
    const measured = metrics.gauge(name, help);
    metrics.onCollect(() => measured.set(value()));
  };
  gauge('shadow_differing_hosts', 'Hosts that would be routed otherwise than the incumbent does', () =>
    settling.differingCount(),
  );
  gauge('shadow_settling_differences', 'Differences that have not lasted long enough to count', () =>
    settling.settlingCount(),
  );
  gauge('shadow_incumbent_hosts', 'Hosts that the incumbent serves', () => folder.size());
  gauge('shadow_incumbent_unreadable', '1 while the folder of the incumbent cannot be read', () =>
    trouble === null ? 0 : 1,
  );

  /** As `judgeAddress` would have it dialled; what it refuses stays as it is, and is a difference. */
  const dialText = (address: string, port: number): string => {
    const judged = judgeAddress(address, port, policy);
    return endpointKey(judged.ok ? judged.dial : address, port);
  };

  async function rest(): Promise<void> {
    const breath = breathe();
    if (breath !== null) await breath;
  }

  async function readFolder(): Promise<void> {
    const isScan = performance.now() >= nextScanAt;
    try {
      for (const host of await folder.update(isScan)) dirty.add(host);
      // What the table had before nginx was known is compared once, with all of it.
      if (readAt === null) for (const host of own.names()) dirty.add(host);
      readAt = Date.now();
      if (trouble !== null) log.info('the folder of the incumbent can be read again', { nginxConfDir });
      trouble = null;
    } catch (error) {
      const reason = wordsOf(error);
      if (trouble !== reason) {
        const fields = { code: 'SHADOW_FOLDER_UNREADABLE', nginxConfDir, reason };
        log.error('the folder of the incumbent cannot be read: what was last seen counts', fields);
      }
      trouble = reason;
    }
    if (isScan) nextScanAt = performance.now() + config.scanIntervalMs;
  }

  async function compare(): Promise<void> {
    // Before nginx is known everything would differ.
    if (readAt === null) return;
    for (const host of dirty) {
      dirty.delete(host);
      const deviations = deviationsOf(folder.host(host), own.host(host), dialText, ({ app, alias, id }) =>
        options.fingerprintOf(app, alias, id),
      );
      settling.note(host, deviations);
      await rest();
      if (isStopped) return;
    }
  }

  async function tell(): Promise<void> {
    while (settling.settle(SETTLE_AT_ONCE)) await rest();
    const { differing, agreeing } = settling.takeTurned();
    for (const host of differing.slice(0, MAX_LINES)) {
      const { app, deviations } = shown(host);
      const how = deviations.slice(0, MAX_LINES).map(({ text }) => text);
      const fields = { code: 'SHADOW_DIFFERS', host, app, how };
      log.warn('a host would be routed otherwise than the incumbent does', fields);
    }
    for (const host of agreeing.slice(0, MAX_LINES))
      log.info('a host would be routed as the incumbent does again', { code: 'SHADOW_AGREES', host });
    const unsaid = Math.max(0, differing.length - MAX_LINES) + Math.max(0, agreeing.length - MAX_LINES);
    if (unsaid === 0) return;
    const fields = { code: 'SHADOW_MORE', hosts: unsaid, differingHosts: settling.differingCount() };
    log.warn('more hosts began or ceased to be routed otherwise: headgear shadow names them', fields);
  }

  function shown(host: string): DifferingHost {
    const deviations = settling
      .settled(host)
      .map((deviation) => ({ ...deviation, text: deviationText(deviation) }));
    return { host, app: own.host(host)?.app ?? null, deviations };
  }

  async function round(): Promise<void> {
    await readFolder();
    await compare();
    if (isStopped) return;
    await tell();
    const dueInMs = settling.dueInMs();
    wake(Math.max(0, nextScanAt - performance.now()));
    if (dueInMs !== null) wake(Math.max(ROUND_MS, dueInMs));
  }

  /** The soonest of what was asked for. */
  function wake(inMs: number): void {
    const at = performance.now() + inMs;
    if (isStopped || (timer !== null && timer.at <= at)) return;
    if (timer !== null) clearTimeout(timer.handle);
    const handle = setTimeout(() => {
      timer = null;
      // What comes within a round is looked at in the next.
      if (running !== null) return void running.then(() => wake(0));
      running = round().finally(() => {
        running = null;
      });
    }, inMs);
    handle.unref();
    timer = { handle, at };
  }

  wake(0);
  return {
    changed(changes) {
      const touched = own.apply(changes);
      if (readAt === null) return;
      for (const host of touched) dirty.add(host);
      wake(STIR_MS);
    },
    status: () => ({
      ...{ nginxConfDir, readAt, trouble, nginxHosts: folder.size() },
      ...{ differingHosts: settling.differingCount(), settling: settling.settlingCount() },
      problems: folder.problems(),
    }),
    *differing() {
      for (const host of settling.differing()) {
        const one = shown(host);
        // A slow reader may come to one that agrees by now.
        if (one.deviations.length > 0) yield one;
      }
    },
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer.handle);
      folder.stop();
      await running;
    },
  };
}
