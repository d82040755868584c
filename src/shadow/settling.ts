/** Which differences last. Each counts only when it was there for `settleMs` without a break: two tables never change in the same moment. */
import type { Deviation } from './deviations.ts';

export interface SettledDeviation extends Deviation {
  /** Epoch milliseconds at which it was first seen. */
  readonly since: number;
}

export interface Settling {
  /** What is to be seen of a host now. */
  note(host: string, deviations: readonly Deviation[]): void;
  /** Lets those count whose time is over, `atMost` of them; true: there may be more. */
  settle(atMost: number): boolean;
  /** Milliseconds until the next is due; null: none waits. */
  dueInMs(): number | null;
  /** Hosts that began and ceased to differ since the last time this was asked; who did both is in neither. */
  takeTurned(): { readonly differing: readonly string[]; readonly agreeing: readonly string[] };
  settled(host: string): readonly SettledDeviation[];
  /** Hosts with a difference that counts, in the order in which they began to have one. */
  differing(): Iterable<string>;
  differingCount(): number;
  /** Differences that do not count yet. */
  settlingCount(): number;
}

interface Tracked extends SettledDeviation {
  /** Of the monotonic clock: wall clocks jump. */
  readonly dueAt: number;
  settled: boolean;
  gone: boolean;
}

/** `monotonic` and `now` in milliseconds. */
export function createSettling(settleMs: number, monotonic: () => number, now: () => number): Settling {
  const hosts = new Map<string, Map<string, Tracked>>();
  const differing = new Map<string, number>();
  const turned = new Map<string, 'differing' | 'agreeing'>();
  /** In the order in which they become due, from `head` on. */
  let queue: { readonly host: string; readonly tracked: Tracked }[] = [];
  let head = 0;
  let settling = 0;

  const turn = (host: string, to: 'differing' | 'agreeing'): void => {
    if (turned.has(host)) turned.delete(host);
    else turned.set(host, to);
  };
  const count = (host: string, by: 1 | -1): void => {
    const before = differing.get(host) ?? 0;
    if (before + by === 0) differing.delete(host);
    else differing.set(host, before + by);
    if (before === 0) turn(host, 'differing');
    else if (before + by === 0) turn(host, 'agreeing');
  };
  /** Those that ended before their time are passed over. */
  const skipGone = (): void => {
    while (queue[head]?.tracked.gone === true) head += 1;
    if (head < 1_024 || head < queue.length / 2) return;
    queue = queue.slice(head);
    head = 0;
  };

  return {
    note(host, deviations) {
      const held = hosts.get(host);
      if (held === undefined && deviations.length === 0) return;
      const next = new Map<string, Tracked>();
      for (const { kind, subject } of deviations) {
        const key = `${kind} ${subject}`;
        const before = held?.get(key);
        const tracked = before ?? {
          ...{ kind, subject, since: now(), dueAt: monotonic() + settleMs },
          ...{ settled: false, gone: false },
        };
        next.set(key, tracked);
        held?.delete(key);
        if (before !== undefined) continue;
        queue.push({ host, tracked });
        settling += 1;
      }
      for (const tracked of held?.values() ?? []) {
        tracked.gone = true;
        if (tracked.settled) count(host, -1);
        else settling -= 1;
      }
      if (next.size === 0) hosts.delete(host);
      else hosts.set(host, next);
    },
    settle(atMost) {
      const at = monotonic();
      for (let i = 0; i < atMost; i += 1) {
        skipGone();
        const entry = queue[head];
        if (entry === undefined || entry.tracked.dueAt > at) return false;
        head += 1;
        entry.tracked.settled = true;
        settling -= 1;
        count(entry.host, 1);
      }
      return true;
    },
    dueInMs() {
      skipGone();
      const next = queue[head];
      return next === undefined ? null : Math.max(0, next.tracked.dueAt - monotonic());
    },
    takeTurned() {
      const all = [...turned];
      turned.clear();
      const of = (to: string): readonly string[] =>
        all.flatMap(([host, verb]) => (verb === to ? [host] : []));
      return { differing: of('differing'), agreeing: of('agreeing') };
    },
    settled: (host) =>
      [...(hosts.get(host)?.values() ?? [])].flatMap(({ kind, subject, since, settled }) =>
        settled ? [{ kind, subject, since }] : [],
      ),
    differing: () => differing.keys(),
    differingCount: () => differing.size,
    settlingCount: () => settling,
  };
}
