/** Gears that answer in the midst of an upload and close at once, with bytes of it unread: the kernel makes a reset of that, behind the answer. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, headerOf, type RawClient } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { startRawGear } from '../support/gear.ts';

const REFUSAL = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big';
/** The gear has seen enough. */
const ENOUGH_BYTES = 200_000;

describe('an upload that the gear breaks off', () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const clients: RawClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    for (const part of toStop.splice(0)) await part.stop();
  });

  /** A gear that says `answer` once it has enough of a body, and closes. */
  const start = async (answer: string): Promise<DataPlane> => {
    const edge = await startDataPlane();
    const gear = await startRawGear(() => {}, {
      onConnection(socket: Socket) {
        let seen = 0;
        socket.on('data', (chunk: Buffer) => {
          seen += chunk.length;
          if (seen < ENOUGH_BYTES || socket.isPaused()) return;
          // What comes from now on stays unread.
          socket.pause();
          if (answer === '') socket.destroy();
          else socket.write(answer, () => socket.destroy());
        });
      },
    });
    toStop.push(edge, gear);
    await edge.route([endpointAt(gear.port)]);
    return edge;
  };
  /** Uploads for as long as it is let, in pieces of this size. */
  const upload = async (edge: DataPlane, pieceBytes: number, framing = 'Content-Length: 50000000') => {
    const client = await connectRaw({ port: edge.port });
    clients.push(client);
    const piece = Buffer.alloc(pieceBytes, 'u');
    const chunked = framing.startsWith('Transfer-Encoding');
    const wrapped = chunked
      ? Buffer.concat([Buffer.from(`${pieceBytes.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
      : piece;
    const pump = async (): Promise<void> => {
      await client.send(`POST /up HTTP/1.1\r\nHost: ${HOST}\r\n${framing}\r\n\r\n`);
      for (let sent = 0; sent < 40_000_000 && !client.ended; sent += pieceBytes) await client.send(wrapped);
    };
    // The connection ends under it.
    void pump().catch(() => {});
    return client;
  };

  for (const [what, pieceBytes, framing] of [
    ['small pieces', 4_000, undefined],
    ['large pieces', 60_000, undefined],
    ['chunks', 30_000, 'Transfer-Encoding: chunked'],
  ] as const) {
    it(`shows its answer to the client all the same (${what})`, async () => {
      const edge = await start(REFUSAL);
      for (let turn = 0; turn < 10; turn++) {
        const { status, body } = await (await upload(edge, pieceBytes, framing)).readResponse();
        assert.deepEqual([status, body.toString()], [413, 'too big']);
      }
      assert.equal(edge.finished.filter(({ failure }) => failure !== '').length, 0);
    });
  }

  it('without an answer is a reset before one, and not sent again', async () => {
    const edge = await start('');
    const { status, rawHeaders } = await (await upload(edge, 60_000)).readResponse();
    assert.deepEqual([status, headerOf(rawHeaders, 'headgear-failure')], [502, 'RESET_BEFORE_RESPONSE']);
  });

  it('with an answer that only the end would make whole leaves it broken', async () => {
    const edge = await start('HTTP/1.1 200 OK\r\n\r\npart of');
    for (let turn = 0; turn < 10; turn++) {
      const client = await upload(edge, 60_000);
      await client.readUntil('part of\r\n');
      await client.closed;
      assert.equal(client.pending().toString(), '', 'no last chunk');
    }
    for (const { failure } of edge.finished) assert.match(failure, /^RESPONSE_CUT_SHORT/);
  });

  it('with an answer that is cut short leaves it broken', async () => {
    const edge = await start('HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\npart of');
    const client = await upload(edge, 60_000);
    await client.readUntil('part of');
    await client.closed;
    assert.equal(client.pending().toString(), '');
    assert.match(edge.finished[0]?.failure ?? '', /^RESPONSE_CUT_SHORT/);
  });
});
