/** Large uploads under TLS, of which some reads are ours: nothing is lost, mixed up or read from a connection that is paused or gone. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { readInto } from '../../src/edge/read-into.ts';
import { eventually } from '../support/eventually.ts';
import { patternBytes } from '../support/gear.ts';
import { tlsSocketPair } from '../support/socket-pair.ts';

const BYTES = 3_000_000;

describe('a large upload under TLS', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  /** A server's socket on which much waits, and how often bytes were handed to its TLS since. */
  async function uploading(): Promise<{
    client: TLSSocket;
    below: Socket;
    socket: TLSSocket;
    handed: () => number;
  }> {
    const { client, server: socket, clientBelow: below, close } = await tlsSocketPair();
    closers.push(close);
    let handed = 0;
    const { _handle: handle } = socket as unknown as { _handle: { receive(bytes: Buffer): void } };
    const receive = handle.receive.bind(handle);
    handle.receive = (bytes) => {
      handed++;
      receive(bytes);
    };
    socket.pause();
    client.write(patternBytes(BYTES));
    // More than the socket's buffers of the kernel hold.
    await eventually(() => below.bytesWritten > 200_000, 'much is on its way');
    return { client, below, socket, handed: () => handed };
  }

  it('comes whole and in order, after a few reads of ours at its beginning', async () => {
    const { client, socket, handed } = await uploading();
    const hash = createHash('sha256');
    let bytes = 0;
    assert.ok(
      readInto(socket, (view) => {
        hash.update(view);
        bytes += view.length;
      }),
    );
    client.end();
    socket.resume();
    await once(socket, 'end');
    assert.equal(bytes, BYTES);
    assert.equal(hash.digest('hex'), createHash('sha256').update(patternBytes(BYTES)).digest('hex'));
    assert.ok(handed() > 0, `not in use on ${process.version}`);
    assert.ok(handed() <= 8, `${handed()} times`);
  });

  it('is not read on behind a pause, but for what TLS holds already', async () => {
    const { client, socket } = await uploading();
    let bytes = 0;
    readInto(socket, (view) => {
      bytes += view.length;
      socket.pause();
      setImmediate(() => socket.resume());
      return false;
    });
    client.end();
    let last = 0;
    let most = 0;
    socket.on('pause', () => {
      most = Math.max(most, bytes - last);
      last = bytes;
    });
    socket.resume();
    await once(socket, 'end');
    assert.equal(bytes, BYTES);
    assert.ok(most <= 150_000, `${most} bytes in spite of a pause`);
  });

  it('ends the connection, and nothing else, when it is reset in the midst', async () => {
    const { below, socket } = await uploading();
    readInto(socket, () => {});
    socket.resume();
    below.resetAndDestroy();
    await eventually(() => socket.destroyed || socket.readableEnded, 'the connection is over');
  });
});
