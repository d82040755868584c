/** What a busy socket is given within a turn, and the buffers that it lies in. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { BURST_BYTES } from '../../src/upstream/arena.ts';
import { Pieces } from '../../src/upstream/pieces.ts';
import { HIGH_WATER_BYTES, TurnWriter } from '../../src/upstream/turn-writer.ts';
import { BufferPool, poolFor, tailPool } from '../../src/upstream/write-buffers.ts';
import { WriteTail } from '../../src/upstream/write-tail.ts';
import { eventually } from '../support/eventually.ts';
import { received, type SocketPair, socketPair } from '../support/socket-pair.ts';

const RECORD_BYTES = 16_384;

/** A socket that keeps what it is given and is never done with it. */
function busySocket(): { readonly socket: Socket; readonly given: Buffer[] } {
  const given: Buffer[] = [];
  const socket = new Writable({
    highWaterMark: 2 ** 30,
    write(chunk: Buffer): void {
      given.push(chunk);
    },
    writev(chunks): void {
      given.push(...chunks.map(({ chunk }) => chunk as Buffer));
    },
  });
  socket.cork();
  return { socket: socket as unknown as Socket, given };
}

function piecesOf(bytes: Buffer): Pieces {
  const pieces = new Pieces();
  pieces.bytes(bytes);
  return pieces;
}

describe('the tail of what a busy socket is written', () => {
  it('comes whole and in order, however it is cut, and is the caller’s again at once', () => {
    const size = fc.oneof(fc.nat(600), fc.nat(2 * RECORD_BYTES), fc.nat(8 * tailPool.size));
    const step = fc.record({ size, extends: fc.boolean(), gives: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { socket, given } = busySocket();
        const tail = new WriteTail(socket, undefined);
        const expected: Buffer[] = [];
        steps.forEach((one, index) => {
          const bytes = Buffer.alloc(one.size, index + 1);
          expected.push(Buffer.from(bytes));
          if (!(one.extends && tail.extend(bytes))) tail.add(piecesOf(bytes));
          bytes.fill(0);
          if (one.gives) tail.give();
        });
        tail.give();
        assert.equal(tail.length, 0);
        socket.uncork();
        assert.ok(Buffer.concat(given).equals(Buffer.concat(expected)));
      }),
      { numRuns: 60 },
    );
  });

  it('reaches the socket in few pieces', () => {
    const { socket, given } = busySocket();
    const tail = new WriteTail(socket, undefined);
    for (let count = 0; count < 16; count++) {
      const record = Buffer.alloc(RECORD_BYTES);
      if (!tail.extend(record)) tail.add(piecesOf(record));
    }
    tail.give();
    socket.uncork();
    assert.deepEqual(
      given.map(({ length }) => length),
      [4, 4, 4, 4].map((records) => records * RECORD_BYTES),
    );
  });

  it('lies in buffers that come back also where it is a whole burst', () => {
    const { socket, given } = busySocket();
    const tail = new WriteTail(socket, undefined);
    const burst = piecesOf(Buffer.alloc(BURST_BYTES, 'b'));
    burst.bytes(Buffer.alloc(RECORD_BYTES, 'r'));
    tail.add(burst);
    tail.give();
    socket.uncork();
    const kept = [poolFor(RECORD_BYTES)?.size, tailPool.size];
    for (const { buffer } of given) assert.ok(kept.includes(buffer.byteLength), `${buffer.byteLength} bytes`);
    assert.equal(Buffer.concat(given).toString(), 'b'.repeat(BURST_BYTES) + 'r'.repeat(RECORD_BYTES));
  });

  it('holds no more than a few times its bytes, though the peer takes nothing and little comes in each turn', () => {
    for (const bytes of [100, 4_095, 4_096, 5_000, 16_500, 16_600, 17_000, 40_000, 66_000]) {
      const { socket, given } = busySocket();
      const tail = new WriteTail(socket, undefined);
      tail.add(piecesOf(Buffer.alloc(bytes)));
      tail.give();
      socket.uncork();
      const [piece] = given;
      // Node cuts small ones from a piece of its own, which others use too.
      const held = bytes < 4_096 ? 0 : (piece?.buffer.byteLength ?? Number.POSITIVE_INFINITY);
      assert.ok(held <= 4.2 * bytes, `${held} bytes for ${bytes}`);
    }
  });

  it('lies in buffers that come back once they are written, and only then', () => {
    const pool = new BufferPool(1_000);
    const written: ((error?: Error) => void)[] = [];
    const to = { write: (_bytes: Buffer, onWritten: (error?: Error) => void) => written.push(onWritten) };
    const buffers = [pool.take(), pool.take()];
    for (const buffer of buffers) pool.write(to as unknown as Writable, buffer, 10, undefined);
    assert.ok(!buffers.includes(pool.take()), 'while it is under way');
    written[0]?.(new Error('gone'));
    assert.ok(!buffers.includes(pool.take()), 'after a failure, when somebody may hold it still');
    written[1]?.();
    assert.equal(pool.take(), buffers[1]);
  });

  it('has as many of them kept as many uploads at once need', () => {
    const records = poolFor(RECORD_BYTES) ?? assert.fail('none');
    const taken = Array.from({ length: 256 }, () => records.take());
    for (const buffer of taken) records.giveBack(buffer);
    const again = new Set(Array.from({ length: 256 }, () => records.take()));
    assert.ok(taken.every((buffer) => again.has(buffer)));
  });
});

describe('a socket whose peer takes nothing', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  /** The kernel has no room, and a little waits in the socket. */
  async function fullPair(): Promise<SocketPair & { readonly sent: number }> {
    const made = await socketPair();
    closers.push(made.close);
    let sent = 0;
    for (; made.socket.writableLength === 0; sent += RECORD_BYTES) {
      made.socket.write(Buffer.alloc(RECORD_BYTES, '.'));
      await new Promise(setImmediate);
    }
    return { ...made, sent };
  }

  it('is known to be full within the turn, and gets all of it and then the end', async () => {
    const { socket, peer, sent } = await fullPair();
    const before = socket.writableLength;
    const writer = new TurnWriter(socket);
    const record = Buffer.alloc(RECORD_BYTES);
    const records = HIGH_WATER_BYTES / RECORD_BYTES;
    for (let count = 0; count < records; count++) writer.writeBytes(record.fill(97 + count));
    assert.ok(writer.full);
    writer.writeText('last');
    writer.end();
    assert.ok(socket.writableLength < before + records * RECORD_BYTES, 'none of it waits for the turn’s end');
    const text = (await received(peer)).slice(sent);
    assert.equal(text.length, records * RECORD_BYTES + 4);
    for (let count = 0; count < records; count++)
      assert.equal(text.charCodeAt(count * RECORD_BYTES), 97 + count);
    assert.ok(text.endsWith('last'));
  });

  it('and that is destroyed within the turn is no failed write: its owner is told of none', async () => {
    const { socket } = await fullPair();
    const told: string[] = [];
    const tell = (error: Error): void => void told.push(error.message);
    socket.on('error', tell);
    const writer = new TurnWriter(socket, { onWriteFailed: tell, onSocketFails: tell });
    for (let count = 0; count < 8; count++) writer.writeBytes(Buffer.alloc(RECORD_BYTES));
    socket.destroy();
    await eventually(() => socket.closed, 'the close');
    await new Promise(setImmediate);
    assert.deepEqual(told, []);
  });
});
