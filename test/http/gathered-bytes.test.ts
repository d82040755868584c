/** Bytes that wait: the right ones, copied no more than has to be. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatheredBytes } from '../../src/http/gathered-bytes.ts';

/** As large as the memory that all connections read into, of which a piece is a part. */
const shared = Buffer.allocUnsafeSlow(655_360);

describe('gathered bytes', () => {
  it('leave what follows a head where it is, however large the memory is that it lies in', () => {
    const gathered = new GatheredBytes();
    gathered.push(shared.subarray(0, 65_536));
    gathered.drop(150);
    assert.equal(gathered.length, 65_386);
    assert.equal(gathered.bytes.buffer, shared.buffer);
    assert.equal(gathered.bytes.byteOffset, 150);
  });

  it('let go of a large piece of which only a little is left', () => {
    const piece = Buffer.allocUnsafeSlow(65_536).fill('x');
    const gathered = new GatheredBytes();
    gathered.push(piece);
    gathered.drop(65_500);
    assert.equal(gathered.bytes.toString(), 'x'.repeat(36));
    assert.notEqual(gathered.bytes.buffer, piece.buffer);
  });

  it('let go of a large store of which only a little is left', () => {
    const gathered = new GatheredBytes();
    gathered.push(Buffer.alloc(20_000));
    gathered.push(Buffer.alloc(20_000, 'y'));
    const { buffer } = gathered.bytes;
    gathered.drop(39_990);
    assert.equal(gathered.bytes.toString(), 'y'.repeat(10));
    assert.notEqual(gathered.bytes.buffer, buffer);
  });

  it('are those that came, in order, though each view is overwritten after its turn', () => {
    const turn = fc.record({
      size: fc.integer({ min: 0, max: 70_000 }),
      drops: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 12 }), (turns) => {
        const gathered = new GatheredBytes();
        let expected = Buffer.alloc(0);
        for (const [index, { size, drops }] of turns.entries()) {
          for (let at = 0; at < size; at++) shared[at] = (at * 7 + index * 31) & 0xff;
          expected = Buffer.concat([expected, shared.subarray(0, size)]);
          if (size > 0) gathered.push(shared.subarray(0, size));
          for (const share of drops) {
            const count = Math.floor(share * gathered.length);
            gathered.drop(count);
            expected = expected.subarray(count);
            assert.ok(gathered.bytes.equals(expected));
          }
          gathered.own();
          shared.fill(0xee, 0, size);
          assert.equal(gathered.length, expected.length);
          assert.ok(gathered.bytes.equals(expected));
        }
      }),
      { numRuns: 60 },
    );
  });
});
