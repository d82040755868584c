import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createIndexedHeap, type Timed } from '../../src/probes/indexed-heap.ts';
import { createVisitSchedule, newVisit, type Visit } from '../../src/probes/visit-schedule.ts';

const policy = { maxPerSecondPerNode: 10, maxRunningPerNode: 10, maxRunning: 256 };
const begun = (schedule: { next(now: number): Visit | null }, now: number) => {
  const visits: Visit[] = [];
  for (let visit = schedule.next(now); visit; visit = schedule.next(now)) visits.push(visit);
  return visits;
};

test('the heap gives its items in order of time, whatever was taken out between', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean())), (entries) => {
      const heap = createIndexedHeap<Timed & { out: boolean }>();
      const items = entries.map(([at, out]) => ({ at, out, place: -1 }));
      for (const item of items) heap.add(item);
      for (const item of items) if (item.out) heap.remove(item);
      for (const item of items) if (item.out) heap.remove(item);
      const given: number[] = [];
      for (let first = heap.first(); first; first = heap.first()) {
        given.push(first.at);
        heap.remove(first);
      }
      const expected = items.filter(({ out }) => !out).map(({ at }) => at);
      assert.deepEqual(
        given,
        expected.sort((a, b) => a - b),
      );
    }),
  );
});

test('visits of one node begin at its rate, those of another node are not held up', () => {
  const schedule = createVisitSchedule(policy);
  for (let i = 0; i < 100; i++) schedule.add(newVisit('10.0.0.1'), 0);
  const other = newVisit('10.0.0.2');
  schedule.add(other, 0);
  const atOnce = begun(schedule, 0);
  assert.equal(atOnce.length, 2);
  assert.ok(atOnce.includes(other));
  for (const visit of atOnce) schedule.finish(visit, 900_000, true);
  let total = 1;
  for (let now = 1; now <= 1_000; now++)
    for (const visit of begun(schedule, now)) {
      total++;
      schedule.finish(visit, 900_000, true);
    }
  assert.equal(total, 11);
  assert.equal(schedule.waiting, 89);
});

test('a node that does not answer gets one visit at a time until it answers again', () => {
  const schedule = createVisitSchedule(policy);
  for (let i = 0; i < 5; i++) schedule.add(newVisit('10.0.0.1'), 0);
  const [first] = begun(schedule, 0);
  assert.ok(first);
  schedule.finish(first, 900_000, false);
  const [second, ...more] = begun(schedule, 10_000);
  assert.ok(second);
  assert.equal(more.length, 0);
  assert.equal(begun(schedule, 20_000).length, 0);
  schedule.finish(second, 900_000, true);
  assert.equal(begun(schedule, 30_000).length, 1);
  assert.equal(begun(schedule, 30_100).length, 1);
});

test('silent nodes cannot take up every place', () => {
  const schedule = createVisitSchedule({ ...policy, maxRunning: 4 });
  for (let node = 0; node < 3; node++) {
    const visit = newVisit(`10.0.0.${node}`);
    schedule.add(visit, 0);
    schedule.add(newVisit(`10.0.0.${node}`), 0);
  }
  for (const visit of begun(schedule, 0)) schedule.finish(visit, 900_000, false);
  assert.equal(begun(schedule, 1_000).length, 3);
  schedule.add(newVisit('10.0.0.9'), 2_000);
  assert.equal(begun(schedule, 2_000)[0]?.address, '10.0.0.9');
});

test('a new visit and a routine one take turns on a busy node', () => {
  const schedule = createVisitSchedule(policy);
  const old = Array.from({ length: 20 }, () => newVisit('10.0.0.1'));
  for (const visit of old) schedule.add(visit, 0);
  for (let now = 0; now < 2_000; now += 100)
    for (const visit of begun(schedule, now)) schedule.finish(visit, 5_000, true);
  const fresh = Array.from({ length: 20 }, () => newVisit('10.0.0.1'));
  for (const visit of fresh) schedule.add(visit, 5_000);
  const order: boolean[] = [];
  for (let now = 5_000; now < 5_600; now += 100)
    for (const visit of begun(schedule, now)) {
      order.push(fresh.includes(visit));
      schedule.finish(visit, 900_000, true);
    }
  assert.equal(order.filter((isFresh) => isFresh).length, 3);
  assert.equal(order.length, 6);
});

test('a further request of a running visit counts against the rate of its node', () => {
  const schedule = createVisitSchedule(policy);
  schedule.add(newVisit('10.0.0.1'), 0);
  schedule.add(newVisit('10.0.0.1'), 0);
  const [first] = begun(schedule, 0);
  assert.ok(first);
  schedule.charge(first, 0);
  assert.equal(schedule.wakeAt(), 200);
  assert.equal(begun(schedule, 199).length, 0);
  assert.equal(begun(schedule, 200).length, 1);
});

test('what is removed in any state leaves nothing behind', () => {
  const schedule = createVisitSchedule(policy);
  const visits = [newVisit('10.0.0.1'), newVisit('10.0.0.1'), newVisit('10.0.0.2')];
  for (const visit of visits) schedule.add(visit, 0);
  const running = begun(schedule, 0);
  const [later] = running;
  assert.ok(later);
  schedule.finish(later, 900_000, true);
  for (const visit of visits) schedule.remove(visit);
  for (const visit of visits) schedule.remove(visit);
  for (const visit of running) if (visit !== later) schedule.finish(visit, 900_000, null);
  assert.deepEqual(
    {
      waiting: schedule.waiting,
      running: schedule.running,
      nodes: schedule.nodes,
      wakeAt: schedule.wakeAt(),
    },
    { waiting: 0, running: 0, nodes: 0, wakeAt: null },
  );
});

test('whatever happens, no bound is passed and no visit is lost or doubled', () => {
  const small = { maxPerSecondPerNode: 5, maxRunningPerNode: 2, maxRunning: 3 };
  const step = fc.record({
    act: fc.constantFrom('add', 'remove', 'finish', 'wait'),
    pick: fc.nat(20),
    reached: fc.constantFrom(true, false),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const schedule = createVisitSchedule(small);
      const present: Visit[] = [];
      const running: Visit[] = [];
      let now = 0;
      for (const { act, pick, reached } of steps) {
        if (act === 'add') {
          const visit = newVisit(`10.0.0.${pick % 3}`);
          present.push(visit);
          schedule.add(visit, now);
        } else if (act === 'remove') {
          const [visit] = present.splice(pick % Math.max(1, present.length), 1);
          if (visit) schedule.remove(visit);
        } else if (act === 'finish') {
          const [visit] = running.splice(pick % Math.max(1, running.length), 1);
          if (visit) schedule.finish(visit, now + 500, reached);
        } else now += pick * 20;
        running.push(...begun(schedule, now));
        assert.ok(running.length <= small.maxRunning);
        assert.equal(new Set(running).size, running.length);
        for (let node = 0; node < 3; node++)
          assert.ok(
            running.filter(({ address }) => address === `10.0.0.${node}`).length <= small.maxRunningPerNode,
          );
        assert.equal(schedule.running, running.length);
      }
      // Everything still present comes round again.
      const seen = new Set<Visit>(running);
      for (let round = 0; round < 2_000 && present.some((visit) => !seen.has(visit)); round++) {
        for (const visit of running.splice(0)) schedule.finish(visit, now + 500, true);
        now += 100;
        const next = begun(schedule, now);
        for (const visit of next) seen.add(visit);
        running.push(...next);
      }
      for (const visit of present) assert.ok(seen.has(visit));
    }),
  );
});
