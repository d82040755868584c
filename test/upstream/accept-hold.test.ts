/** Turns whose writes wait for those who are to be accepted: only while there are such, and never for long. */
import assert from 'node:assert/strict';
import { afterEach, describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { AcceptHold, acceptHold } from '../../src/upstream/accept-hold.ts';
import { TurnWriter } from '../../src/upstream/turn-writer.ts';
import { received, socketPair } from '../support/socket-pair.ts';

const MAX_TURNS = 256;
const MAX_MS = 30;
const MIN_MS = 5;

describe('a turn’s writes', () => {
  afterEach(() => mock.restoreAll());

  /** A clock that stands still unless it is moved. */
  function clock(): { now: number } {
    const time = { now: 1_000 };
    mock.method(performance, 'now', () => time.now);
    return time;
  }

  it('wait while each turn accepts a connection, and no longer', () => {
    clock();
    const hold = new AcceptHold();
    assert.equal(hold.holds(), false);
    for (let turn = 0; turn < 10; turn++) {
      hold.noteAccepted();
      assert.equal(hold.holds(), true);
    }
    assert.equal(hold.holds(), false);
    assert.equal(hold.holds(), false);
  });

  it('wait for as long as the work before took, so that a flood of connections leaves half of the time to all others', () => {
    const time = clock();
    const hold = new AcceptHold();
    const heldMs = (): number => {
      const from = time.now;
      for (;;) {
        hold.noteAccepted();
        if (!hold.holds()) return time.now - from;
        time.now += 1;
      }
    };
    assert.equal(heldMs(), MAX_MS);
    assert.equal(heldMs(), MIN_MS);
    time.now += 12;
    assert.equal(heldMs(), 12);
    time.now += 500;
    assert.equal(heldMs(), MAX_MS);
  });

  it('wait within both limits, whoever comes whenever', () => {
    const turn = fc.record({ accepts: fc.boolean(), ms: fc.double({ min: 0, max: 40, noNaN: true }) });
    const turns = fc.oneof(
      fc.array(turn),
      fc.array(fc.constant({ accepts: true, ms: 0.05 }), { minLength: 600, maxLength: 1_200 }),
    );
    fc.assert(
      fc.property(turns, (given) => {
        const time = clock();
        const hold = new AcceptHold();
        let row = 0;
        let since = 0;
        for (const { accepts, ms } of given) {
          time.now += ms;
          if (accepts) hold.noteAccepted();
          const holds = hold.holds();
          if (holds) {
            assert.ok(accepts);
            if (row === 0) since = time.now;
            row++;
            assert.ok(row <= MAX_TURNS);
            assert.ok(time.now - since < MAX_MS);
          } else row = 0;
        }
        mock.restoreAll();
      }),
      { numRuns: 300 },
    );
  });

  it('are held back whole, of more connections than one room has place for, and come in their order', async () => {
    clock();
    const pairs = await Promise.all(Array.from({ length: 12 }, () => socketPair()));
    try {
      const writers = pairs.map(({ socket }) => new TurnWriter(socket));
      const arrived = pairs.map(({ peer }) => received(peer, 27_000));
      const texts = pairs.map(() => '');
      for (let turn = 0; turn < 9; turn++) {
        acceptHold.noteAccepted();
        for (const [index, writer] of writers.entries()) {
          const text = `${turn}${String.fromCharCode(0x61 + index)}`.repeat(1_500);
          texts[index] += text;
          writer.writeParts([text.slice(0, 7), Buffer.from(text.slice(7))]);
        }
        await new Promise(setImmediate);
        assert.ok(
          pairs.every(({ peer }) => peer.bytesRead === 0),
          'nothing is out',
        );
      }
      assert.deepEqual(await Promise.all(arrived), texts);
    } finally {
      for (const { close } of pairs) close();
    }
  });

  it('come whole also where they are more than all rooms hold', async () => {
    const pairs = await Promise.all(Array.from({ length: 120 }, () => socketPair()));
    try {
      const arrived = pairs.map(({ peer }) => received(peer, 9_000));
      const texts = pairs.map((_, index) => String(index).padEnd(9_000, '.'));
      acceptHold.noteAccepted();
      for (const [index, { socket }] of pairs.entries()) {
        new TurnWriter(socket).writeParts([Buffer.from(texts[index] ?? '')]);
      }
      assert.deepEqual(await Promise.all(arrived), texts);
    } finally {
      for (const { close } of pairs) close();
    }
  });
});
