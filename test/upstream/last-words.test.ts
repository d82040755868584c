/**
 * What a gear says before it resets a connection, where the first to find the reset is a write of the socket's own: of bytes that the kernel
 * had no room for. In what turn the reset comes is chosen here, so that nothing can have been read before.
 */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { ResponseSink } from '../../src/upstream/sink.ts';
import { UpstreamConnection } from '../../src/upstream/upstream-connection.ts';
import { endpointAt } from '../support/data-plane.ts';
import { socketPair } from '../support/socket-pair.ts';

const KERNEL_HAS_NO_ROOM_FOR = Buffer.alloc(16_777_216, 'u');

describe('the last words of a gear that resets the connection under our write', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  async function connectionAndGear(): Promise<{
    connection: UpstreamConnection;
    socket: Socket;
    gear: Socket;
  }> {
    const { socket, peer, close } = await socketPair();
    closers.push(close);
    const owner = { onIdle() {}, onClose() {} };
    const connection = UpstreamConnection.adopt(owner, endpointAt(1), '', socket);
    // In the phase of the event loop in which sockets are read: the end of a turn comes next, before they are read again.
    await stat('.');
    return { connection, socket, gear: peer };
  }

  /** Both reach our kernel before this returns. */
  function sayAndReset(gear: Socket, words: string | Buffer): void {
    gear.write(words);
    gear.resetAndDestroy();
  }

  function openTunnel(connection: UpstreamConnection, onData: (view: Buffer) => boolean): void {
    const ignore = (): void => {};
    connection.openTunnel();
    connection.startTunnel(onData, () => assert.fail('no end in good order'), ignore, ignore);
  }

  /** However it was closed. */
  function closed(socket: Socket): Promise<unknown> {
    return new Promise((resolve) => socket.once('close', resolve));
  }

  /** `told`: what it was, in order. */
  function listener(): { sink: ResponseSink; told: string[] } {
    const told: string[] = [];
    const sink: ResponseSink = {
      onInterim: () => assert.fail(),
      onHead: ({ status }) => void told.push(String(status)),
      onBody: (view, start, end) => void told.push(view.toString('latin1', start, end)),
      onEnd: () => void told.push('whole'),
      onUpgrade: () => assert.fail(),
      onFailure: ({ code }) => void told.push(code),
      flush: () => true,
      onWritable() {},
    };
    return { sink, told };
  }

  it('go through a tunnel', async () => {
    const { connection, socket, gear } = await connectionAndGear();
    let heard = '';
    openTunnel(connection, (view) => {
      heard += view.toString('latin1');
      return true;
    });
    connection.write(KERNEL_HAS_NO_ROOM_FOR);
    assert.ok(connection.full);
    sayAndReset(gear, 'last words');
    await closed(socket);
    assert.equal(heard, 'last words');
  });

  it('go no further than there is room for, so that a client that does not read holds none of them', async () => {
    const { connection, socket, gear } = await connectionAndGear();
    let heardBytes = 0;
    openTunnel(connection, (view) => {
      heardBytes += view.length;
      return false;
    });
    connection.write(KERNEL_HAS_NO_ROOM_FOR);
    sayAndReset(gear, Buffer.alloc(200_000));
    await closed(socket);
    assert.ok(heardBytes > 0 && heardBytes <= 65_536, `${heardBytes} bytes`);
  });

  it('may be the answer to an upload, whole; the connection is not used again', async () => {
    const { connection, socket, gear } = await connectionAndGear();
    const { sink, told } = listener();
    const head = `POST /up HTTP/1.1\r\nContent-Length: ${KERNEL_HAS_NO_ROOM_FOR.length}\r\n\r\n`;
    connection.begin(sink, { head }, { isHead: false, upgrade: null, whole: false });
    connection.write(KERNEL_HAS_NO_ROOM_FOR);
    sayAndReset(gear, 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big');
    await closed(socket);
    assert.deepEqual(told, ['413', 'too big', 'whole']);
    assert.equal(connection.open, false);
  });

  it('that break off leave the answer cut short', async () => {
    const { connection, socket, gear } = await connectionAndGear();
    const { sink, told } = listener();
    connection.begin(
      sink,
      { head: 'POST / HTTP/1.1\r\n\r\n' },
      { isHead: false, upgrade: null, whole: false },
    );
    connection.write(KERNEL_HAS_NO_ROOM_FOR);
    // Up to the connection's end, of which a reset is none.
    sayAndReset(gear, 'HTTP/1.1 413 Content Too Large\r\n\r\ntoo b');
    await closed(socket);
    assert.deepEqual(told, ['413', 'too b', 'RESPONSE_CUT_SHORT']);
  });
});
