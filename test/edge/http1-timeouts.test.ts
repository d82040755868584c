import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { type Http1Times, judgeTimes } from '../../src/edge/http1-timeouts.ts';
import { SendWatch } from '../../src/upstream/send-watch.ts';
import { eventually } from '../support/eventually.ts';

const LIMITS = {
  headTimeoutMs: 15_000,
  minHeadBytesPerSecond: 100,
  keepAliveTimeoutMs: 65_000,
  bodyIdleTimeoutMs: 60_000,
};
const QUIET: Http1Times = {
  phase: 'waiting',
  silentMs: 0,
  headAgeMs: 0,
  headBytes: 0,
  fresh: false,
  paused: false,
  unread: false,
  unreadMs: 0,
  lingeringMs: 0,
};
const judged = (times: Partial<Http1Times>): string => {
  const verdict = judgeTimes({ ...QUIET, ...times }, LIMITS);
  return typeof verdict === 'string' ? verdict : verdict.code;
};

describe('the time that a client connection has', () => {
  it('for a head is 15 s in all, however it comes', () => {
    assert.equal(judged({ phase: 'head', headBytes: 9_000, headAgeMs: 14_900, silentMs: 0 }), 'fine');
    assert.equal(
      judged({ phase: 'head', headBytes: 9_000, headAgeMs: 15_100, silentMs: 0 }),
      'HTTP_HEAD_TIMEOUT',
    );
    assert.equal(judged({ phase: 'head', fresh: true, headAgeMs: 15_100 }), 'destroy');
  });

  it('for a head is shorter when it drips', () => {
    assert.equal(judged({ phase: 'head', headBytes: 20, headAgeMs: 5_100 }), 'fine');
    assert.equal(judged({ phase: 'head', headBytes: 20, headAgeMs: 5_300 }), 'HTTP_HEAD_TOO_SLOW');
    assert.equal(judged({ phase: 'head', headBytes: 400, headAgeMs: 8_900 }), 'fine');
    assert.equal(judged({ phase: 'head', headBytes: 400, headAgeMs: 9_100 }), 'HTTP_HEAD_TOO_SLOW');
  });

  it('between requests is its silence', () => {
    assert.equal(judged({ phase: 'head', headAgeMs: 64_000, silentMs: 64_000 }), 'fine');
    assert.equal(judged({ phase: 'head', silentMs: 66_000 }), 'end');
  });

  it('for a body is its silence, unless we are the ones who do not read', () => {
    assert.equal(judged({ phase: 'body', silentMs: 61_000 }), 'body-late');
    assert.equal(judged({ phase: 'body', silentMs: 61_000, paused: true }), 'fine');
  });

  it('to take an answer ends when it takes nothing, whatever it sends meanwhile', () => {
    for (const phase of ['head', 'body', 'waiting', 'lingering'] as const) {
      assert.equal(judged({ phase, paused: true, unread: true, unreadMs: 61_000 }), 'unread', phase);
      assert.equal(
        judged({ phase, paused: true, unread: true, unreadMs: 59_000, silentMs: 3_600_000 }),
        'fine',
        phase,
      );
    }
  });

  it('to close is short, also for a client that goes on sending', () => {
    assert.equal(judged({ phase: 'lingering', silentMs: 2_100 }), 'destroy');
    assert.equal(judged({ phase: 'lingering', silentMs: 0, lingeringMs: 10_100 }), 'destroy');
    assert.equal(judged({ phase: 'lingering', unread: true, silentMs: 9_000, lingeringMs: 20_000 }), 'fine');
  });

  it('waits for a gear as long as the gear may take', () => {
    assert.equal(judged({ phase: 'waiting', silentMs: 3_600_000 }), 'fine');
    assert.equal(judged({ phase: 'tunnel', silentMs: 3_600_000, unread: true, unreadMs: 3_600_000 }), 'fine');
  });
});

describe('a watch over what is sent', () => {
  it('sees a peer that reads slowly move, long before a write is through', async () => {
    const server = createServer((socket) => socket.pause().on('error', () => {})).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    const [peer] = await accepted;
    const watch = new SendWatch();
    assert.equal(watch.stalledMs(socket, 0), 0);
    socket.write(Buffer.alloc(60_000_000));
    // Whatever the kernel takes at once it has taken now; the peer reads nothing.
    await eventually(() => watch.stalledMs(socket, 1) === 0 && watch.stalledMs(socket, 2) === 1);
    assert.equal(watch.waiting, true);
    const before = socket.writableLength;
    peer.on('data', (chunk) => {
      if (chunk.length > 0) peer.pause();
      setImmediate(() => peer.resume());
    });
    peer.resume();
    await eventually(() => watch.stalledMs(socket, 1_000) === 0, 'movement');
    assert.equal(socket.writableLength, before, 'which the stream itself does not show');
    socket.destroy();
    peer.destroy();
    server.close();
  });
});
