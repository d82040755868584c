/** Large writes: they go to the kernel from where they were read, and what it has no room for waits as any other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import tls, { type TLSSocket } from 'node:tls';
import { issueCertificate, makeDevelopmentCa } from '../../src/pem/development.ts';
import { gearReads } from '../../src/upstream/arena.ts';
import { writeToKernel } from '../../src/upstream/kernel-write.ts';
import { Pieces } from '../../src/upstream/pieces.ts';
import { TurnWriter } from '../../src/upstream/turn-writer.ts';
import { eventually } from '../support/eventually.ts';
import { received, type SocketPair, socketPair } from '../support/socket-pair.ts';

describe('a large write', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  /** A socket to write to and the other end of it, which reads nothing yet. */
  async function pair(): Promise<SocketPair> {
    const made = await socketPair();
    closers.push(made.close);
    return made;
  }

  it('is with the kernel at once, so that the next read may overwrite what it came in', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    const body = randomBytes(60_000);
    body.copy(gearReads.buffer);
    writer.writeParts([gearReads.viewOf(60_000)]);
    assert.equal(socket.writableLength, 0);
    gearReads.buffer.fill(0, 0, 60_000);
    assert.ok((await received(peer, 60_000)) === body.toString('latin1'));
  });

  it('comes whole and in order when the kernel takes a part, none, or is asked from a buffer that is read into again', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    let sent = '';
    const give = (parts: (string | Buffer)[]): void => {
      for (const part of parts) sent += typeof part === 'string' ? part : part.toString('latin1');
      writer.writeParts(parts);
    };
    const fill = (): void => {
      for (let n = 0; n < 120; n++) {
        const length = [65_536, 17_000, 40, 16_385, 3_000][n % 5] ?? 1;
        randomBytes(length).copy(gearReads.buffer);
        const view = gearReads.viewOf(length);
        if (n % 3 === 0) give([`${length.toString(16)}\r\n`, view, '\r\n']);
        else give([view]);
        // The next read comes into the same place.
        gearReads.buffer.fill(n, 0, length);
      }
    };
    fill();
    assert.ok(socket.writableLength > 0, 'more than the kernel has room for');
    const got = received(peer);
    await eventually(() => socket.writableLength === 0, 'nothing waits any more', 20_000);
    // And once more now that the kernel has room.
    fill();
    writer.end();
    assert.ok((await got) === sent);
  });

  it('comes behind what the same turn wrote before it', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    const got = received(peer);
    let expected = '';
    for (const first of ['HTTP/1.1 200 OK\r\n\r\n', Buffer.from('head in bytes')]) {
      if (typeof first === 'string') writer.writeText(first);
      else writer.writeParts([first]);
      writer.writeParts([Buffer.alloc(20_000, 'b')]);
      writer.writeText('end');
      expected += `${first.toString()}${'b'.repeat(20_000)}end`;
      await new Promise(setImmediate);
    }
    writer.end();
    assert.ok((await got) === expected);
  });

  it('of a TLS connection is never seen beneath its encryption', async () => {
    const ca = makeDevelopmentCa();
    const issued = issueCertificate({ ca, names: ['localhost'] });
    const server = tls.createServer({ cert: issued.chainPem, key: issued.privateKeyPem });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = (server.address() as net.AddressInfo).port;
    const client = tls.connect({ port, host: '127.0.0.1', ca: ca.certificatePem, servername: 'localhost' });
    const [accepted] = (await once(server, 'secureConnection')) as [TLSSocket];
    closers.push(() => {
      client.destroy();
      accepted.destroy();
      server.close();
    });
    const got = received(client, 200_024);
    const writer = new TurnWriter(accepted);
    for (let n = 0; n < 4; n++) writer.writeParts(['cookie', Buffer.alloc(50_000, 's')]);
    // Plain bytes among the records would end the connection.
    assert.ok((await got) === `cookie${'s'.repeat(50_000)}`.repeat(4));
  });

  it('to a connection that is closed goes nowhere, least of all into the file that has its number now', async () => {
    const { socket } = await pair();
    const writer = new TurnWriter(socket);
    socket.destroy();
    const file = join(tmpdir(), `headgear-number-${process.pid}`);
    closers.push(() => rmSync(file, { force: true }));
    await once(socket, 'close');
    const opened = Array.from({ length: 8 }, () => openSync(file, 'w'));
    closers.push(() => {
      for (const fd of opened) closeSync(fd);
    });
    writer.writeParts([Buffer.alloc(60_000, 'x')]);
    const pieces = new Pieces();
    pieces.bytes(Buffer.alloc(60_000, 'x'));
    writeToKernel(socket, pieces);
    await new Promise(setImmediate);
    assert.equal(pieces.size, 60_000);
    assert.equal(readFileSync(file).length, 0);
  });

  it('reaches nobody else, however connections end in its midst and others get their numbers', async () => {
    const numberOf = (socket: net.Socket): number =>
      (socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle?.fd ?? -1;
    const LETTERS = 'abcdefghijklmnop';
    const numbers: number[] = [];
    const crowd = await Promise.all(Array.from({ length: 4 }, () => pair()));
    const writers = crowd.map(({ socket }) => new TurnWriter(socket));
    const letters = crowd.map((_, index) => LETTERS.charAt(index));
    const listen = ({ peer }: SocketPair, letter: string): void => {
      peer.on('data', (chunk: Buffer) => {
        for (const other of LETTERS) {
          if (other !== letter) assert.ok(!chunk.includes(other), `${other} came where ${letter} belongs`);
        }
      });
    };
    for (const [index, member] of crowd.entries()) listen(member, letters[index] ?? '');
    for (let round = 0; round < 200; round++) {
      const index = round % crowd.length;
      for (const [at, writer] of writers.entries()) {
        const letter = letters[at] ?? '';
        // Gathered for the turn's end, and at once.
        for (const size of [40, 20_000, 60_000]) {
          writer.writeParts([letter.repeat(size - 1), Buffer.from(letter)]);
        }
      }
      const leaving = crowd[index] ?? assert.fail();
      const writer = writers[index] ?? assert.fail();
      const letter = letters[index] ?? '';
      numbers.push(numberOf(leaving.socket));
      if (round % 2 === 0) leaving.socket.destroy();
      else leaving.peer.resetAndDestroy();
      // In the same turn, before anybody knows, and in later ones, when the number is another's.
      writer.writeParts([Buffer.alloc(60_000, letter)]);
      const next = await pair();
      numbers.push(numberOf(next.socket));
      writer.writeParts([Buffer.alloc(60_000, letter)]);
      writer.writeText(letter.repeat(100));
      leaving.close();
      crowd[index] = next;
      writers[index] = new TurnWriter(next.socket);
      letters[index] = LETTERS.charAt((LETTERS.indexOf(letter) + 4) % LETTERS.length);
      listen(next, letters[index] ?? '');
    }
    assert.ok(new Set(numbers).size < 100, 'numbers were used again');
  });

  it('to a peer that is gone ends the connection as any write does, and never as if the peer had ended it', async () => {
    const { socket, peer } = await pair();
    const writer = new TurnWriter(socket);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('end', () => assert.fail('an end in good order'));
    socket.resume();
    peer.resetAndDestroy();
    while (!socket.destroyed) {
      writer.writeParts([Buffer.alloc(60_000)]);
      await new Promise(setImmediate);
    }
    await closed;
  });
});
