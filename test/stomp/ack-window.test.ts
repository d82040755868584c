import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AckWindow } from '../../src/stomp/ack-window.ts';

test('whatever is acked in whatever order, only what follows nothing unacked is confirmed, each once, in order', () => {
  const step = fc.oneof(
    fc.constant('deliver' as const),
    fc.constant('take' as const),
    fc.nat(2_000).map((which) => ({ which })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const row = new AckWindow<number>();
      const acks: (() => boolean)[] = [];
      const acked = new Set<number>();
      let confirmed = 0;
      for (const one of steps) {
        if (one === 'deliver') {
          acks.push(row.deliver(acks.length + 1));
        } else if (one !== 'take') {
          const index = acks.length === 0 ? -1 : one.which % acks.length;
          const ack = acks[index];
          if (ack !== undefined) assert.equal(ack(), !acked.has(index + 1));
          if (ack !== undefined) acked.add(index + 1);
        } else {
          let expected = confirmed;
          while (acked.has(expected + 1)) expected += 1;
          assert.equal(row.take(), expected === confirmed ? null : expected);
          confirmed = expected;
        }
        assert.equal(row.open, acks.length - acked.size);
      }
    }),
  );
});

test('a long row that is acked as it comes holds no more than what is open', () => {
  const row = new AckWindow<number>();
  for (let message = 0; message < 100_000; message += 1) {
    row.deliver(message)();
    assert.equal(row.take(), message);
  }
  const waiting = Array.from({ length: 5_000 }, (_, message) => row.deliver(message));
  for (const [message, ack] of waiting.entries()) {
    ack();
    if (message % 100 === 99) assert.equal(row.take(), message);
  }
  assert.equal(row.open, 0);
});
