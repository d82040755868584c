import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deviation } from '../../src/shadow/deviations.ts';
import { createSettling } from '../../src/shadow/settling.ts';

const missing: Deviation = { kind: 'missing', subject: '' };
const endpoint = (subject: string): Deviation => ({ kind: 'endpoint-missing', subject });

function scene() {
  let time = 0;
  const settling = createSettling(
    30_000,
    () => time,
    () => 1_000_000 + time,
  );
  const at = (ms: number) => {
    time = ms;
    while (settling.settle(1));
    return settling.takeTurned();
  };
  return { settling, at };
}

test('a difference counts when it has lasted, and is told once', () => {
  const { settling, at } = scene();
  settling.note('a.test', [missing]);
  assert.deepEqual([at(29_999), settling.settlingCount()], [{ differing: [], agreeing: [] }, 1]);
  assert.equal(settling.dueInMs(), 1);
  assert.deepEqual(at(30_000), { differing: ['a.test'], agreeing: [] });
  settling.note('a.test', [missing]);
  assert.deepEqual(at(90_000), { differing: [], agreeing: [] });
  assert.deepEqual(settling.settled('a.test'), [{ ...missing, since: 1_000_000 }]);
  settling.note('a.test', []);
  assert.deepEqual(at(90_001), { differing: [], agreeing: ['a.test'] });
  assert.deepEqual([settling.differingCount(), settling.settlingCount(), settling.dueInMs()], [0, 0, null]);
});

test('an incumbent that is always some seconds behind never differs, however often it changes', () => {
  const { settling, at } = scene();
  for (let i = 0; i < 5_000; i += 1) {
    settling.note('a.test', [endpoint(`10.0.0.1:${i}`)]);
    assert.deepEqual(at(i * 10_000 + 5_000), { differing: [], agreeing: [] });
    settling.note('a.test', []);
    at((i + 1) * 10_000);
  }
  assert.deepEqual([settling.settlingCount(), settling.dueInMs()], [0, null]);
});

test('an endpoint that stays different counts beside others that come and go', () => {
  const { settling, at } = scene();
  for (let i = 0; i <= 3; i += 1) {
    settling.note('a.test', [endpoint('10.0.0.9:1'), endpoint(`10.0.0.1:${i}`)]);
    at(i * 10_000);
  }
  assert.deepEqual(
    settling.settled('a.test').map(({ subject }) => subject),
    ['10.0.0.9:1'],
  );
  assert.equal(settling.differingCount(), 1);
});

test('a host with two differences agrees when both are gone', () => {
  const { settling, at } = scene();
  settling.note('a.test', [endpoint('x'), endpoint('y')]);
  at(30_000);
  settling.note('a.test', [endpoint('y')]);
  assert.deepEqual(at(30_001).agreeing, []);
  settling.note('a.test', []);
  assert.deepEqual(at(30_002).agreeing, ['a.test']);
});
