/** Writes under TLS that pass the stream by: in use on the Nodes that we run on, one at a time, in order, whole, and ended only behind the last. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { SecureWrites } from '../../src/upstream/secure-write.ts';
import { unsentBytes } from '../../src/upstream/send-watch.ts';
import { TurnWriter } from '../../src/upstream/turn-writer.ts';
import { eventually } from '../support/eventually.ts';
import { assertOrder, received, tlsSocketPair } from '../support/socket-pair.ts';

const turn = (): Promise<unknown> => new Promise(setImmediate);

describe('what is written under TLS within one turn', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  /** A client's socket of ours to write to, or a server's, and the other end of it. */
  async function pair({
    ours = 'server',
    allowHalfOpen = true,
  }: {
    readonly ours?: 'client' | 'server';
    readonly allowHalfOpen?: boolean;
  } = {}): Promise<{ readonly socket: TLSSocket; readonly peer: TLSSocket; readonly peerBelow: net.Socket }> {
    const { client, server, clientBelow, serverBelow, close } = await tlsSocketPair({ allowHalfOpen });
    closers.push(close);
    const [socket, peer] = ours === 'client' ? [client, server] : [server, client];
    // From a socket's own write it is learnt how to pass it by.
    SecureWrites.of(socket, { onTaken() {} });
    socket.write('.');
    await eventually(() => socket.writableLength === 0, 'the first write is over');
    socket.resume();
    return { socket, peer, peerBelow: ours === 'client' ? serverBelow : clientBelow };
  }

  it('passes the stream by on this Node, of either side of a connection', async () => {
    for (const ours of ['server', 'client'] as const) {
      const { socket, peer } = await pair({ ours });
      let taken = 0;
      const writes = SecureWrites.of(socket, { onTaken: () => taken++ });
      assert.ok(writes !== null, `not on ${process.version}`);
      const bytes = Buffer.from('a\xff', 'latin1');
      assert.equal(writes.write(bytes), true);
      bytes.fill('!');
      assert.equal(taken, 0, 'it is never over at once');
      await eventually(() => taken === 1, 'the write is over');
      assert.equal(writes.write('b\xff'), true);
      assert.equal(socket.writableLength, 0);
      assert.equal(await received(peer, 5), '.a\xffb\xff');
      await eventually(() => taken === 2, 'the second write is over');
    }
  });

  it('leaves a socket alone that Node ends by itself', async () => {
    const { socket, peer } = await pair({ allowHalfOpen: false });
    assert.equal(SecureWrites.of(socket, { onTaken() {} }), null);
    const writer = new TurnWriter(socket);
    writer.writeText('as ');
    writer.writeParts(['ever', Buffer.from('.')]);
    assert.equal(await received(peer, 9), '.as ever.');
  });

  it('comes in the order in which it was written, whatever way each piece takes', async () => {
    const { socket, peer } = await pair();
    // In the turn of a write, in the midst of it, or behind it.
    await assertOrder(new TurnWriter(socket), peer, '.', (round) => round % 4);
  });

  it('comes whole, and its end behind it, whenever the connection is ended', async () => {
    for (const how of ['end', 'destroySoon'] as const) {
      for (const turnsBefore of [0, 1, 2, 5]) {
        const { socket, peer } = await pair();
        const writer = new TurnWriter(socket);
        writer.writeText('last ');
        for (let turns = turnsBefore; turns > 0; turns--) await turn();
        writer.writeParts(['wor', Buffer.from('ds')]);
        writer[how]();
        assert.equal(await received(peer), '.last words', `${how} after ${turnsBefore} turns`);
        if (how === 'destroySoon') await eventually(() => socket.destroyed, 'the socket is closed');
      }
    }
  });

  it('comes before an end that was asked for in the midst of it', async () => {
    for (const how of ['end', 'destroySoon'] as const) {
      const { socket, peer } = await pair();
      const writer = new TurnWriter(socket);
      writer.writeText('words');
      // Behind the writes of this turn, and before TLS says that they are over.
      setImmediate(() => {
        assert.equal(socket.writableLength, 0);
        assert.ok(unsentBytes(socket) > 0);
        writer[how]();
        assert.equal(socket.writableEnded, false);
      });
      assert.equal(await received(peer), '.words');
      if (how === 'destroySoon') await eventually(() => socket.destroyed, 'the socket is closed');
    }
  });

  it('is encrypted at once where it is large, and its source asked to pause until that is over', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    let drains = 0;
    socket.on('drain', () => drains++);
    let sent = '.';
    for (const parts of [1, 2]) {
      const bytes = Buffer.alloc(65_536, `large in ${parts}`);
      sent += (parts === 2 ? 'head' : '') + bytes.toString('latin1');
      writer.writeParts(parts === 2 ? ['head', bytes] : [bytes]);
      bytes.fill('!');
      assert.equal(socket.writableLength, 0, 'nothing of it waits in the stream');
      assert.equal(writer.full, true);
      await eventually(() => drains === parts, 'there is room again');
      assert.equal(writer.full, false);
    }
    writer.end();
    assert.equal(await received(peer), sent);
  });

  it('says when there is room also where more was written behind a large piece, little or much', async () => {
    for (const more of [1, 20_000, 300_000]) {
      const { socket, peer } = await pair();
      const writer = new TurnWriter(socket);
      writer.writeBytes(Buffer.alloc(65_536, 'a'));
      writer.writeBytes(Buffer.alloc(more, 'b'));
      assert.equal(writer.full, true);
      const drained = once(socket, 'drain');
      peer.resume();
      await drained;
      assert.equal(writer.full, false);
      writer.end();
      await eventually(() => peer.readableEnded, 'all has come');
      assert.equal(peer.bytesRead, 1 + 65_536 + more);
    }
  });

  it('waits for a peer that reads nothing, is known to wait, and arrives in the end', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    let sent = '.';
    peer.pause();
    for (let n = 0; n < 2_000; n++) {
      const text = String(n).padEnd(16_000, '-');
      writer.writeParts([Buffer.from(text)]);
      sent += text;
      await turn();
    }
    writer.writeText('+');
    writer.end();
    assert.ok(unsentBytes(socket) > 1_000_000);
    const text = await received(peer);
    assert.equal(text.length, sent.length + 1);
    assert.ok(text === `${sent}+`);
    assert.equal(unsentBytes(socket), 0);
  });

  it('ends the connection when the peer is gone, also in the midst of a write, and is nobody’s from then on', async () => {
    for (const reads of [true, false]) {
      const { socket, peer, peerBelow } = await pair();
      const writer = new TurnWriter(socket);
      if (!reads) peer.pause();
      for (let n = 0; n < (reads ? 3 : 600); n++) {
        writer.writeParts([Buffer.alloc(16_000)]);
        await turn();
      }
      const closed = new Promise((resolve) => socket.once('close', resolve));
      writer.writeText('in the midst');
      setImmediate(() => peerBelow.resetAndDestroy());
      while (!socket.destroyed) {
        writer.writeText('is anybody there');
        await turn();
      }
      await closed;
      writer.writeText('still?');
      writer.end();
      await turn();
    }
  });

  it('is let go of when our own side gives up in the midst of a write', async () => {
    const { socket } = await pair();
    const writer = new TurnWriter(socket);
    writer.writeText('a');
    await new Promise<void>((resolve) =>
      setImmediate(() => {
        writer.writeText('b');
        writer.destroySoon();
        socket.destroy();
        resolve();
      }),
    );
    await eventually(() => socket.closed, 'the socket is closed');
    writer.writeText('c');
    await turn();
    await turn();
  });
});
