/**
 * The clock of certificates in their grace time: says when each is over. The records hold the moment (so it survives a restart); here it
 * is turned into a wait by the monotonic clock, because a wall clock that jumps must neither cut a grace time short nor prolong it.
 */
import { performance } from 'node:perf_hooks';
import { createIndexedHeap, type Timed } from '../probes/indexed-heap.ts';
import type { AppKey, AppRef } from '../spi/events.ts';
import type { Application } from '../table/state.ts';

export interface Retirement {
  readonly app: AppRef;
  readonly alias: string;
  readonly retiresAt: number;
}

export interface Retirements {
  /** Level-triggered: what the application's record says now. Costs what that application holds. */
  reconcile(key: AppKey, app: Application | undefined): void;
  size(): number;
  stop(): void;
}

interface Pending extends Timed, Retirement {
  readonly key: AppKey;
}

/** `now` and `retiresAt` are epoch milliseconds; no wait is longer than `maxMs`, whatever a clock that was set back makes of it. */
export function createRetirements(
  due: (retirement: Retirement) => void,
  now: () => number,
  maxMs: number,
): Retirements {
  const heap = createIndexedHeap<Pending>();
  const byApp = new Map<AppKey, Map<string, Pending>>();
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;

  function arm(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const first = heap.first();
    if (first === undefined || stopped) return;
    timer = setTimeout(fire, Math.max(0, Math.ceil(first.at - performance.now())));
    timer.unref();
  }

  function fire(): void {
    timer = null;
    for (let item = heap.first(); item !== undefined && item.at <= performance.now(); item = heap.first()) {
      forget(item);
      due(item);
    }
    arm();
  }

  function forget(item: Pending): void {
    heap.remove(item);
    const ofApp = byApp.get(item.key);
    if (ofApp?.get(item.alias) === item) ofApp.delete(item.alias);
    if (ofApp?.size === 0) byApp.delete(item.key);
  }

  return {
    reconcile(key, app) {
      const known = new Map(byApp.get(key));
      let isNew = false;
      for (const { alias, retiresAt } of app?.aliases ?? []) {
        if (app === undefined || retiresAt === undefined) continue;
        const former = known.get(alias);
        if (former?.retiresAt === retiresAt) {
          known.delete(alias);
          continue;
        }
        const waitMs = Math.min(maxMs, Math.max(0, retiresAt - now()));
        const { appName, namespace } = app;
        const at = performance.now() + waitMs;
        const item: Pending = { key, app: { appName, namespace }, alias, retiresAt, at, place: -1 };
        if (former !== undefined) forget(former);
        known.delete(alias);
        const ofApp = byApp.get(key) ?? new Map<string, Pending>();
        byApp.set(key, ofApp.set(alias, item));
        heap.add(item);
        isNew = true;
      }
      for (const former of known.values()) forget(former);
      if (isNew || known.size > 0) arm();
    },
    size: () => heap.size,
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
