/** Reads that wait for the end of their turn: each reader gets its own bytes, in order, once, whatever happens to its socket before. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { clientReads, gearReads, type ReadRoom } from '../../src/upstream/arena.ts';
import { clientTurnReads, gearTurnReads, type TurnReader, TurnReads } from '../../src/upstream/turn-reads.ts';
import { UpstreamConnection } from '../../src/upstream/upstream-connection.ts';
import { connectRaw } from '../support/client.ts';
import { collectingSink, startUpstream } from '../support/collecting-sink.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startRawGear } from '../support/gear.ts';

/** Notes what it takes in `taken`, after its name. */
function reader(name: string, taken: string[], hasRoom = true): TurnReader & { stops: number } {
  return {
    waitingReads: 0,
    stops: 0,
    take(view) {
      taken.push(`${name} ${view.toString('latin1')}`);
      return hasRoom;
    },
    stopReading() {
      this.stops++;
    },
  };
}

/** As a socket's read does it. */
function read(reads: TurnReads, room: ReadRoom, to: TurnReader, text: string, mayWait = true): boolean {
  room.buffer.write(text, 'latin1');
  return reads.offer(to, text.length, mayWait);
}

describe('reads of one turn', () => {
  it('are worked on when all are there, each reader given its own', async () => {
    const taken: string[] = [];
    const [a, b] = [reader('a', taken), reader('b', taken)];
    assert.equal(read(clientTurnReads, clientReads, a, 'first of a'), true);
    assert.equal(read(clientTurnReads, clientReads, b, 'of b'), true);
    assert.equal(read(clientTurnReads, clientReads, a, 'second of a'), true);
    assert.deepEqual([taken, a.waitingReads, b.waitingReads], [[], 2, 1]);
    await nextTurn();
    assert.deepEqual(taken, ['a first of a', 'b of b', 'a second of a']);
    assert.deepEqual([a.waitingReads, b.waitingReads], [0, 0]);
    await nextTurn();
    assert.equal(taken.length, 3);
  });

  it('of gears are worked on before those of clients, who find the connections that answers have left', async () => {
    const taken: string[] = [];
    read(clientTurnReads, clientReads, reader('client', taken), 'request');
    read(gearTurnReads, gearReads, reader('gear', taken), 'answer');
    await nextTurn();
    assert.deepEqual(taken, ['gear answer', 'client request']);
  });

  it('keep their order where a large one, or one that may not wait, comes behind a small one', () => {
    const taken: string[] = [];
    const [a, b] = [reader('a', taken), reader('b', taken)];
    const large = 'l'.repeat(5_000);
    read(clientTurnReads, clientReads, b, 'other');
    read(clientTurnReads, clientReads, a, 'small');
    read(clientTurnReads, clientReads, a, large);
    assert.deepEqual(taken, ['a small', `a ${large}`]);
    read(clientTurnReads, clientReads, a, 'at once', false);
    assert.deepEqual(taken.splice(0, 3), ['a small', `a ${large}`, 'a at once']);
    read(clientTurnReads, clientReads, b, 'more', false);
    assert.deepEqual(taken, []);
    clientTurnReads.work();
    assert.deepEqual(taken, ['b other', 'b more']);
  });

  it('can be had before, and then not again', () => {
    const taken: string[] = [];
    const [a, b] = [reader('a', taken), reader('b', taken)];
    read(clientTurnReads, clientReads, a, 'one');
    read(clientTurnReads, clientReads, b, 'two');
    clientTurnReads.workOn(b);
    assert.deepEqual(taken, ['b two']);
    clientTurnReads.work();
    assert.deepEqual(taken, ['b two', 'a one']);
  });

  it('stop a reader that has no room', () => {
    const full = reader('full', [], false);
    assert.equal(read(clientTurnReads, clientReads, full, 'waits'), true);
    clientTurnReads.work();
    assert.equal(full.stops, 1);
    assert.equal(read(clientTurnReads, clientReads, full, 'at once', false), false);
    assert.equal(full.stops, 1);
  });

  it('are worked on at once when their place is full, and none is lost or mixed up', () => {
    const taken: string[] = [];
    const expected: string[] = [];
    for (let index = 0; index < 100; index++) {
      const text = String.fromCharCode(0x21 + (index % 90)).repeat(4_096 - index);
      read(clientTurnReads, clientReads, reader(`${index}`, taken), text);
      expected.push(`${index} ${text}`);
    }
    assert.ok(taken.length > 0 && taken.length < 100, `${taken.length}`);
    clientTurnReads.work();
    assert.deepEqual(taken, expected);
  });

  it('are worked on at once when there are very many, so that no drip of bytes makes a turn’s work grow', () => {
    const taken: string[] = [];
    for (let index = 0; index < 1_500; index++)
      read(clientTurnReads, clientReads, reader(`${index}`, taken), 'x');
    assert.equal(taken.length, 1_024);
    clientTurnReads.work();
    assert.deepEqual([taken.length, taken.at(-1)], [1_500, '1499 x']);
  });
});

describe('a turn in which much happens', () => {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function started(): Promise<{ readonly edge: DataPlane; readonly sockets: Socket[] }> {
    const edge = await startDataPlane();
    closers.push(() => edge.stop());
    const sockets: Socket[] = [];
    const gear = await startRawGear(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'),
      { onConnection: (socket) => void sockets.push(socket) },
    );
    closers.push(() => gear.stop());
    await edge.route([endpointAt(gear.port)]);
    return { edge, sockets };
  }

  for (const [what, fieldBytes] of [
    ['waits', 10],
    ['is too large to wait', 6_000],
  ] as const) {
    it(`gives no request what a gear said unasked before it, where the request ${what}`, async () => {
      const { edge, sockets } = await started();
      const client = await connectRaw({ port: edge.port });
      closers.push(() => client.destroy());
      const request = `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-Filler: ${'x'.repeat(fieldBytes)}\r\n\r\n`;
      await client.send(request);
      assert.equal((await client.readResponse()).body.toString(), 'good');
      // Both before the event loop goes on: the edge reads both in one turn.
      sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
      void client.send(request);
      assert.equal((await client.readResponse()).body.toString(), 'good');
      assert.equal(sockets.length, 2);
    });
  }

  it('ends with an answer to what was read, also when draining begins in it', async () => {
    const { edge } = await started();
    const client = await connectRaw({ port: edge.port });
    closers.push(() => client.destroy());
    const { offer } = TurnReads.prototype;
    let drained: Promise<void> | null = null;
    clientTurnReads.offer = (...parameters) => {
      const goOn = offer.apply(clientTurnReads, parameters);
      drained ??= edge.plane.drain(5_000);
      return goOn;
    };
    try {
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      const response = await client.readResponse();
      assert.equal(response.body.toString(), 'good');
      await client.closed;
    } finally {
      Reflect.deleteProperty(clientTurnReads, 'offer');
    }
    await eventually(() => drained !== null);
    await drained;
  });

  it('ends with the answer whose gear resets the connection behind it', async () => {
    const edge = await startDataPlane();
    closers.push(() => edge.stop());
    const gear = await startRawGear((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
      socket.resetAndDestroy();
    });
    closers.push(() => gear.stop());
    await edge.route([endpointAt(gear.port)]);
    const client = await connectRaw({ port: edge.port });
    closers.push(() => client.destroy());
    for (let round = 0; round < 20; round++) {
      await client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 0\r\n\r\n`);
      assert.equal((await client.readResponse()).body.toString(), 'good');
    }
  });

  it('gives a connection that is known to have ended to no request, not even to one that the answer lets begin', async () => {
    const upstream = startUpstream();
    closers.push(() => upstream.close());
    const gear = await startRawGear((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
    });
    closers.push(() => gear.stop());
    const endpoints = [endpointAt(gear.port)];
    // No request that may be sent again: on the former connection it would be lost.
    const post = { method: 'POST' };
    const next = collectingSink();
    const connections: Socket[] = [];
    const note = (message: unknown) => void connections.push((message as { socket: Socket }).socket);
    subscribe('net.client.socket', note);
    closers.push(() => unsubscribe('net.client.socket', note));
    const first = collectingSink({
      // A read of the same turn found a reset, as it does on Node 20: Node tells of it before the answer is worked on.
      onHead: () =>
        void connections[0]?.emit('error', Object.assign(new Error('read'), { code: 'ECONNRESET' })),
      onEnd: () => void upstream.start(post, next, endpoints),
    });
    upstream.start(post, first, endpoints);
    await eventually(() => next.ended || next.failure !== null, 'an end of the next request');
    assert.deepEqual([first.body.toString(), next.failure, next.body.toString()], ['good', null, 'good']);
    assert.equal(connections.length, 2);
  });

  it('records what a client asked for before it reset the connection', async () => {
    const { edge } = await started();
    const client = await connectRaw({ port: edge.port });
    void client.send(`GET /last HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    (client.socket as Socket).resetAndDestroy();
    await eventually(() => edge.finished.length === 1);
    assert.equal(edge.finished[0]?.target, '/last');
  });

  for (const [who, overrides] of [
    ['a gear', { upstream: { responseTimeoutMs: 300 } }],
    ['a client', { http: { keepAliveTimeoutMs: 300 } }],
  ] as const) {
    it(`finds nobody silent because the process was, not even ${who} that is allowed 0.3 s`, async () => {
      const edge = await startDataPlane(overrides);
      closers.push(() => edge.stop());
      let answer = (): void => {};
      const gear = await startRawGear((socket) => {
        answer = () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
        if (who === 'a client') answer();
      });
      closers.push(() => gear.stop());
      await edge.route([endpointAt(gear.port)]);
      const client = await connectRaw({ port: edge.port });
      closers.push(() => client.destroy());
      const request = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
      await client.send(request);
      if (who === 'a gear') await eventually(() => gear.requests.length === 1);
      else assert.equal((await client.readResponse()).status, 200);
      await nextTurn();
      if (who === 'a gear') answer();
      else void client.send(request);
      const until = performance.now() + 1_200;
      while (performance.now() < until);
      assert.equal((await client.readResponse()).body.toString(), 'good');
    });
  }
});

describe('two reads of a gear in one turn', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  let upstream = startUpstream();
  const { takeView } = UpstreamConnection.prototype;
  afterEach(() => {
    UpstreamConnection.prototype.takeView = takeView;
    upstream.close();
    upstream = startUpstream();
  });
  after(() => upstream.close());

  /** Each read is two from now on: the second begins where `text` does. */
  function cutReadsBefore(text: string): void {
    UpstreamConnection.prototype.takeView = function (length) {
      const second = Buffer.from(gearReads.viewOf(length));
      const at = second.indexOf(text, 1);
      if (at < 0) return takeView.call(this, length);
      const goOn = takeView.call(this, at);
      gearReads.buffer.set(second.subarray(at));
      return takeView.call(this, length - at) && goOn;
    };
  }

  it('leave the connection ready for the next answer, although the client of this one had no room in between', async () => {
    cutReadsBefore('0\r\n\r\n');
    const gear = await startRawGear(
      (socket) =>
        void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n'),
    );
    try {
      for (let round = 0; round < 3; round++) {
        const slow = collectingSink({ flush: () => false });
        upstream.start({}, slow, [endpointAt(gear.port)]);
        await eventually(() => slow.ended, 'the whole answer');
        assert.equal(slow.body.toString(), 'good');
      }
      assert.equal(gear.acceptedConnections, 1);
    } finally {
      await gear.stop();
    }
  });

  it('end the use of the connection where the second is behind the answer', async () => {
    cutReadsBefore('HTTP/1.1 200 OK');
    const gear = await startRawGear((socket) => void socket.write(OK + OK.replaceAll('ok', 'no')));
    try {
      const endpoints = [endpointAt(gear.port)];
      const next = collectingSink();
      // As of a client that had sent both requests: the second goes out while the answer to the first is worked on.
      const first = collectingSink({ onEnd: () => void upstream.start({}, next, endpoints) });
      upstream.start({}, first, endpoints);
      await eventually(() => next.ended, 'the answer to the next request');
      assert.deepEqual([first.body.toString(), next.body.toString()], ['ok', 'ok']);
      assert.equal(gear.acceptedConnections, 2);
    } finally {
      await gear.stop();
    }
  });
});
