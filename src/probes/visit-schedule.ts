/**
 * When which visit may begin: a due time for each visit, a rate and a bound for each node, one bound for all. Time is handed in,
 * so this is tested without waiting. 100,000 visits cost one heap entry each and no timer.
 */
import { createIndexedHeap, type IndexedHeap, type Timed } from './indexed-heap.ts';

/** Something to be visited again and again. Created by `newVisit`; the fields belong to the schedule. */
export interface Visit extends Timed {
  readonly address: string;
  state: 'later' | 'queued' | 'running' | 'gone';
  /** Never visited so far. */
  fresh: boolean;
}

export interface SchedulePolicy {
  readonly maxPerSecondPerNode: number;
  /** Visits that may run at one time on one node while it answers; on one that does not answer it is 1. */
  readonly maxRunningPerNode: number;
  readonly maxRunning: number;
}

export interface VisitSchedule<V extends Visit> {
  /** Due at once. */
  add(visit: V, now: number): void;
  /** Forgets it; one that runs is forgotten too but holds its place until `finish`. */
  remove(visit: V): void;
  /** A visit that may begin now (it is `running` then), or null. */
  next(now: number): V | null;
  /** The running visit sends one more request to its node. */
  charge(visit: V, now: number): void;
  /** The running visit is over; `reached` says whether the node answered (null: not known, it was given up). */
  finish(visit: V, dueAt: number, reached: boolean | null): void;
  /** When `next` may have something again; null while only `add` or `finish` can change that. */
  wakeAt(): number | null;
  /** Due but not begun. */
  readonly waiting: number;
  readonly running: number;
  readonly nodes: number;
}

interface Node<V extends Visit> extends Timed {
  readonly address: string;
  /**
   * Two queues, served in turn: on a node with thousands of routine visits due, a new application is still visited at once, and
   * a flood of new ones cannot starve the others.
   */
  readonly fresh: Set<V>;
  readonly routine: Set<V>;
  freshTurn: boolean;
  running: number;
  visits: number;
  failing: boolean;
}

export function newVisit(address: string): Visit {
  return { address, state: 'gone', fresh: true, at: 0, place: -1 };
}

export function createVisitSchedule<V extends Visit>(policy: SchedulePolicy): VisitSchedule<V> {
  const later: IndexedHeap<V> = createIndexedHeap();
  const nodes = new Map<string, Node<V>>();
  /** Nodes that have someone waiting and room to run; `at` is when their rate allows the next one. */
  const ready: IndexedHeap<Node<V>> = createIndexedHeap();
  const spacingMs = 1000 / policy.maxPerSecondPerNode;
  let running = 0;
  let waiting = 0;

  function nodeOf(address: string): Node<V> {
    let node = nodes.get(address);
    if (!node) {
      node = {
        address,
        fresh: new Set(),
        routine: new Set(),
        freshTurn: true,
        running: 0,
        visits: 0,
        failing: false,
        at: 0,
        place: -1,
      };
      nodes.set(address, node);
    }
    return node;
  }
  /** Puts the node where it belongs after any change of it. */
  function settle(node: Node<V>): void {
    ready.remove(node);
    const room = node.failing ? 1 : policy.maxRunningPerNode;
    if (node.fresh.size + node.routine.size > 0 && node.running < room) ready.add(node);
    if (node.visits === 0 && node.running === 0) nodes.delete(node.address);
  }
  function queue(visit: V): void {
    const node = nodeOf(visit.address);
    visit.state = 'queued';
    (visit.fresh ? node.fresh : node.routine).add(visit);
    waiting++;
    settle(node);
  }
  function spend(node: Node<V>, now: number): void {
    ready.remove(node);
    node.at = Math.max(now, node.at) + spacingMs;
  }
  function pick(node: Node<V>): V | null {
    const [first, second] = node.freshTurn ? [node.fresh, node.routine] : [node.routine, node.fresh];
    const from = first.size > 0 ? first : second;
    node.freshTurn = from !== node.fresh;
    for (const visit of from) {
      from.delete(visit);
      return visit;
    }
    return null;
  }

  return {
    add(visit, now) {
      if (visit.state !== 'gone') return;
      const node = nodeOf(visit.address);
      node.visits++;
      visit.at = now;
      queue(visit);
    },
    remove(visit) {
      if (visit.state === 'gone') return;
      const node = nodeOf(visit.address);
      if (visit.state === 'later') later.remove(visit);
      if (visit.state === 'queued') {
        node.fresh.delete(visit);
        node.routine.delete(visit);
        waiting--;
      }
      visit.state = 'gone';
      node.visits--;
      settle(node);
    },
    next(now) {
      for (let due = later.first(); due && due.at <= now; due = later.first()) {
        later.remove(due);
        queue(due);
      }
      const node = ready.first();
      if (running >= policy.maxRunning || !node || node.at > now) return null;
      const visit = pick(node);
      if (!visit) return null;
      visit.state = 'running';
      visit.fresh = false;
      waiting--;
      running++;
      node.running++;
      spend(node, now);
      settle(node);
      return visit;
    },
    charge(visit, now) {
      const node = nodes.get(visit.address);
      if (!node) return;
      spend(node, now);
      settle(node);
    },
    finish(visit, dueAt, reached) {
      const node = nodeOf(visit.address);
      running--;
      node.running--;
      if (reached !== null) node.failing = !reached;
      if (visit.state === 'running') {
        visit.state = 'later';
        visit.at = dueAt;
        later.add(visit);
      }
      settle(node);
    },
    wakeAt() {
      const due = later.first()?.at ?? Number.POSITIVE_INFINITY;
      const free =
        running < policy.maxRunning
          ? (ready.first()?.at ?? Number.POSITIVE_INFINITY)
          : Number.POSITIVE_INFINITY;
      const at = Math.min(due, free);
      return at === Number.POSITIVE_INFINITY ? null : at;
    },
    get waiting() {
      return waiting;
    },
    get running() {
      return running;
    },
    get nodes() {
      return nodes.size;
    },
  };
}
