import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { clientReads, freeWriteRoom, gearReads } from '../../src/upstream/arena.ts';
import { Pieces } from '../../src/upstream/pieces.ts';

const bytesOf = fc.uint8Array({ maxLength: 300 });

describe('pieces', () => {
  it('are copied in order, whether they are text, bytes of their own or lie where sockets read into', () => {
    const part = fc.oneof(
      fc.string({ maxLength: 100 }).map((text) => text.replaceAll(/[^ -~]/g, '?')),
      bytesOf.map((bytes) => Buffer.from(bytes)),
      fc.record({
        room: fc.constantFrom(clientReads, gearReads),
        from: fc.nat(5_000),
        length: fc.nat(2_000),
      }),
    );
    for (const room of [clientReads, gearReads]) {
      for (let at = 0; at < room.buffer.length; at++) room.buffer[at] = (at * 7 + at / 256) & 0xff;
    }
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const pieces = new Pieces();
        const expected: Buffer[] = [];
        for (const one of parts) {
          if (typeof one === 'string') {
            pieces.text(one);
            expected.push(Buffer.from(one, 'latin1'));
          } else if (Buffer.isBuffer(one)) {
            pieces.bytes(one);
            expected.push(one);
          } else {
            const view = one.room.viewOf(one.from + one.length);
            pieces.range(view, one.from, view.length);
            expected.push(Buffer.from(view.subarray(one.from)));
          }
        }
        const whole = Buffer.concat(expected);
        assert.equal(pieces.size, whole.length);
        const room = freeWriteRoom();
        const start = room.end;
        assert.deepEqual(Buffer.from(room.view(start, room.take(pieces))), whole);
        const elsewhere = Buffer.alloc(whole.length + 3);
        assert.equal(pieces.copyInto(elsewhere, 3), whole.length + 3);
        assert.deepEqual(elsewhere.subarray(3), whole);
        pieces.clear();
        assert.equal(pieces.size, 0);
      }),
    );
  });

  it('of one source that lie side by side are one', () => {
    const source = Buffer.from('head and body');
    const pieces = new Pieces();
    pieces.range(source, 0, 5);
    pieces.range(source, 5, 13);
    const target = Buffer.alloc(13);
    pieces.copyInto(target, 0);
    assert.equal(target.toString(), 'head and body');
    assert.equal(pieces.size, 13);
  });
});

describe('the rooms that turns write from', () => {
  it('do not run out: who holds all of them gets the next turns a room of their own', () => {
    const held = Array.from({ length: 40 }, () => {
      const room = freeWriteRoom();
      room.hold();
      return room;
    });
    assert.equal(new Set(held).size, 40);
    for (const room of held) room.release();
    assert.ok(held.includes(freeWriteRoom()));
  });
});
