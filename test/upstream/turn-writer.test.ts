/** Writes that go to the kernel directly: in use on the Nodes that we run on, in order, whole, and dispensable where a Node has them not. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { BURST_BYTES } from '../../src/upstream/arena.ts';
import { type DirectHandle, directHandle, writeDirectly } from '../../src/upstream/direct-write.ts';
import { unsentBytes } from '../../src/upstream/send-watch.ts';
import { turnRoom } from '../../src/upstream/turn.ts';
import { TurnWriter } from '../../src/upstream/turn-writer.ts';
import { eventually } from '../support/eventually.ts';
import { assertOrder, received, type SocketPair, socketPair } from '../support/socket-pair.ts';

describe('what is written within one turn', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  /** A socket to write to and the other end of it, to which a first byte is under way. */
  async function pair(): Promise<SocketPair> {
    const made = await socketPair();
    closers.push(made.close);
    // From a socket's own write it is learnt how to write directly.
    directHandle(made.socket);
    made.socket.write('.');
    return made;
  }

  it('goes to the kernel directly on this Node, leaving nothing in the socket', async () => {
    const { socket, peer } = await pair();
    const handle = directHandle(socket);
    assert.ok(handle !== null, `not on ${process.version}`);
    assert.equal(writeDirectly(socket, handle, 'a\xff', { onTaken() {} }), 'taken');
    assert.equal(writeDirectly(socket, handle, Buffer.from('b'), { onTaken() {} }), 'taken');
    assert.equal(socket.writableLength, 0);
    assert.equal(await received(peer, 4), '.a\xffb');
  });

  it('whose request is in use until it is said to be over, though nothing waits any more, is held', async () => {
    const [full, other] = [await pair(), await pair()];
    const handle = directHandle(full.socket) ?? assert.fail('no handle');
    const used: object[] = [];
    // The kernel may have had no room at first and taken all of it a moment later: libuv tries twice, and then has nothing left.
    const secondAttempt: DirectHandle & { readonly writeQueueSize: number } = {
      writeQueueSize: 0,
      writeLatin1String: (request, text) => handle.writeLatin1String(request, text),
      writeBuffer(request, bytes) {
        used.push(request);
        return handle.writeBuffer(request, bytes);
      },
    };
    const big = Buffer.alloc(8_388_608, 'x');
    let taken = 0;
    const owner = { onTaken: () => void taken++ };
    assert.equal(writeDirectly(full.socket, secondAttempt, big, owner), 'held');
    // Another's write in the same turn must have a request of its own: the end of the first would be taken for its end.
    const watched: DirectHandle = {
      writeLatin1String: (request, text) => {
        used.push(request);
        return (directHandle(other.socket) ?? assert.fail('no handle')).writeLatin1String(request, text);
      },
      writeBuffer: () => assert.fail('not this one'),
    };
    assert.equal(
      writeDirectly(other.socket, watched, 'of another', { onTaken: () => assert.fail() }),
      'taken',
    );
    assert.equal(new Set(used).size, 2);
    full.peer.resume();
    await eventually(() => taken === 1, 'the end of the first');
  });

  it('comes in the order in which it was written, whatever way each piece takes', async () => {
    const { socket, peer } = await pair();
    await assertOrder(new TurnWriter(socket), peer, '.', (round) => 1 - (round % 2));
  });

  it('comes whole when the connection ends in the same turn', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    writer.writeText('last words');
    writer.end();
    assert.equal(await received(peer), '.last words');
  });

  it('never mixes up connections that write at once, more than a turn’s buffer holds', async () => {
    const pairs = await Promise.all(Array.from({ length: 12 }, pair));
    const texts = pairs.map((_, index) => String.fromCharCode(0x61 + index).repeat(9_000));
    for (const [index, { socket }] of pairs.entries()) {
      const text = texts[index] ?? '';
      new TurnWriter(socket).writeParts([text.slice(0, 10), Buffer.from(text.slice(10))]);
    }
    for (const [index, { peer }] of pairs.entries()) {
      assert.equal(await received(peer, 9_001), `.${texts[index]}`);
    }
  });

  it('waits for a peer that reads nothing, is known to wait, keeps its bytes, and arrives in the end', async () => {
    const { socket, peer } = await pair();
    const { socket: other, peer: otherPeer } = await pair();
    const writer = new TurnWriter(socket);
    const otherWriter = new TurnWriter(other);
    let sent = '.';
    for (let n = 0; unsentBytes(socket) === 0; n++) {
      const text = String(n).padEnd(16_000, '-');
      writer.writeParts([Buffer.from(text)]);
      sent += text;
      await new Promise(setImmediate);
    }
    // Whoever writes in the turns after that must not write into what still waits.
    for (let n = 0; n < 8; n++) {
      otherWriter.writeParts([Buffer.alloc(9_000, 'x')]);
      writer.writeText('+');
      sent += '+';
      await new Promise(setImmediate);
    }
    assert.ok(unsentBytes(socket) > 0);
    const [text, otherText] = await Promise.all([received(peer, sent.length), received(otherPeer, 72_001)]);
    assert.ok(text === sent);
    assert.equal(otherText, `.${'x'.repeat(72_000)}`);
    await eventually(() => unsentBytes(socket) === 0, 'nothing waits any more');
  });

  it('that is much, in small pieces, goes out as one piece, behind which its source is to rest until the turn’s end', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    let sent = '.';
    let drained = 0;
    socket.on('drain', () => drained++);
    for (let n = 1; n <= 3; n++) {
      let length = 0;
      const begin = turnRoom().end;
      let gathered = 0;
      while (!writer.full) {
        gathered = turnRoom().end - begin;
        const record = String(n).padEnd(16_384, String.fromCharCode(0x61 + (length % 23)));
        writer.writeBytes(Buffer.from(record));
        sent += record;
        length += record.length;
      }
      assert.equal(length, BURST_BYTES + 16_384);
      // All but the last lay there, and the next may lie where they did.
      assert.equal(gathered, BURST_BYTES);
      assert.equal(turnRoom().end, begin);
      writer.writeText('and a word behind it');
      sent += 'and a word behind it';
      const whole = received(peer, sent.length);
      await eventually(() => drained === n, 'it may go on');
      assert.equal(writer.full, false);
      assert.ok((await whole) === sent);
      sent = '';
    }
  });

  it('that is much lies between what others write, and leaves that as it is', async () => {
    const [before, much, behind] = [await pair(), await pair(), await pair()];
    const [first, writer, last] = [before, much, behind].map(({ socket }) => new TurnWriter(socket));
    first?.writeBytes(Buffer.alloc(9_000, 'b'));
    while (writer?.full === false) writer.writeBytes(Buffer.alloc(16_384, 'm'));
    last?.writeBytes(Buffer.alloc(9_000, 'l'));
    assert.equal(await received(before.peer, 9_001), `.${'b'.repeat(9_000)}`);
    assert.equal(await received(behind.peer, 9_001), `.${'l'.repeat(9_000)}`);
    const all = 25 * 16_384;
    assert.ok((await received(much.peer, all + 1)) === `.${'m'.repeat(all)}`);
  });

  it('is held in the room of the turn where it is little only: of what is much, what a peer does not take lies elsewhere', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    let sent = '.';
    const write = (): void => {
      const text = String(sent.length).padEnd(12_000, '-');
      writer.writeBytes(Buffer.from(text));
      sent += text;
    };
    const room = turnRoom();
    do {
      for (let n = 0; n < 6; n++) write();
      await new Promise(setImmediate);
      assert.equal(turnRoom(), room);
    } while (socket.writableLength === 0);
    for (let n = 0; n < 100; n++) write();
    assert.equal(writer.full, true);
    await new Promise(setImmediate);
    assert.equal(turnRoom(), room);
    assert.ok((await received(peer, sent.length)) === sent);
  });

  it('ends the connection when the peer is gone, also while the kernel holds a piece back', async () => {
    for (const full of [false, true]) {
      const { socket, peer } = await pair();
      const writer = new TurnWriter(socket);
      while (full && unsentBytes(socket) === 0) {
        writer.writeParts([Buffer.alloc(16_000)]);
        await new Promise(setImmediate);
      }
      const closed = new Promise((resolve) => socket.once('close', resolve));
      peer.resetAndDestroy();
      while (!socket.destroyed) {
        writer.writeText('is anybody there');
        await new Promise(setImmediate);
      }
      await closed;
      // And what is written afterwards is nobody's.
      writer.writeText('still?');
      await new Promise(setImmediate);
    }
  });

  it('is written by the socket itself where a Node has other means', async () => {
    const { socket, peer } = await pair();
    const other = new Proxy(socket, {
      get: (target, key) => {
        const value: unknown = key === '_handle' ? {} : Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    assert.equal(directHandle(other), null);
    const writer = new TurnWriter(other);
    writer.writeText('as ');
    writer.writeParts(['ever', Buffer.from('.')]);
    assert.equal(await received(peer, 9), '.as ever.');
  });
});
