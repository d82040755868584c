/** Hostile clients and hostile gears at once, at random: the process lives on, nothing is left open, and good requests are served. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connectRaw, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, type RawGear, startGear, startRawGear } from '../support/gear.ts';
import { requestHeadTarget, responseTarget } from './http-targets.ts';
import { Dice, fuzzCase, splits } from './mutate.ts';

const ROUNDS = 120;
const SEED = 77_001;
const BAD_HOST = 'bad-ns.apps.example.test';

describe('the data plane under clients and gears that send anything', () => {
  let edge: DataPlane;
  let good: Gear;
  let bad: RawGear;
  let dice = new Dice(SEED);
  before(async () => {
    edge = await startDataPlane({
      http: { headTimeoutMs: 400, keepAliveTimeoutMs: 400, bodyIdleTimeoutMs: 400, tunnelIdleTimeoutMs: 400 },
      upstream: { responseTimeoutMs: 400, idleTimeoutMs: 400 },
    });
    good = await startGear();
    bad = await startRawGear((socket) => {
      socket.on('error', () => {});
      const bytes = fuzzCase(responseTarget.corpus, dice);
      for (const piece of splits(bytes, dice)) socket.write(piece);
      const next = dice.below(6);
      if (next === 0) socket.end();
      else if (next === 1) socket.destroy();
      else if (next === 2) socket.resetAndDestroy();
    });
    await edge.route([endpointAt(good.port)]);
    await edge.route([endpointAt(bad.port), endpointAt(bad.port, { id: 'the same once more' })], {
      app: 'ns/bad',
      host: BAD_HOST,
    });
  });
  after(async () => {
    await edge.stop();
    await good.stop();
    await bad.stop();
  });

  /** Sends the pieces and behaves as the dice say; resolves when the connection is gone. */
  const hostileClient = (bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: dice.below(2) === 0 });
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.on('end', () => socket.end());
      for (const piece of splits(bytes, dice)) socket.write(piece);
      const next = dice.below(8);
      if (next === 0) socket.resume().end();
      else if (next === 1) setTimeout(() => socket.resetAndDestroy(), dice.below(20));
      else if (next === 2) setTimeout(() => socket.destroy(), dice.below(20));
      else socket.resume();
    });

  const nothingLeft = async (): Promise<void> => {
    await eventually(() => edge.plane.status().connections === 0, 'the end of every connection', 20_000);
    await eventually(
      () => bad.openConnections === 0 && good.openConnections === 0,
      'the end of every exchange',
      20_000,
    );
  };

  it('takes clients that send anything to a good gear', async () => {
    dice = new Dice(SEED);
    const clients = Array.from({ length: ROUNDS }, () => {
      const bytes = fuzzCase(requestHeadTarget.corpus, dice);
      return hostileClient(Buffer.from(bytes.toString('latin1').replaceAll('a.example', HOST), 'latin1'));
    });
    await Promise.all(clients);
    await nothingLeft();
    assert.equal((await request({ port: edge.port, host: HOST })).status, 200);
  });

  it('takes gears that answer anything, and well-behaved clients get a strict answer or a broken connection', async () => {
    dice = new Dice(SEED + 1);
    for (let round = 0; round < ROUNDS; round += 60) {
      await Promise.all(
        Array.from({ length: 60 }, async () => {
          const client = await connectRaw({ port: edge.port, timeoutMs: 15_000 });
          const method = dice.pick(['GET', 'HEAD', 'POST', 'PUT']);
          const upgrade = dice.below(4) === 0 ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : '';
          const body = method.startsWith('P') ? 'Content-Length: 4\r\n\r\nbody' : '\r\n';
          await client.send(`${method} / HTTP/1.1\r\nHost: ${BAD_HOST}\r\n${upgrade}${body}`);
          // The actor reads strictly: an answer that is odd in any way fails here with what is odd.
          await client.readResponse({ method }).catch((error: Error) => {
            assert.match(error.message, /ended too soon/);
          });
          client.destroy();
        }),
      );
    }
    await nothingLeft();
    assert.equal((await request({ port: edge.port, host: HOST })).status, 200);
  });

  it('takes both at once', async () => {
    dice = new Dice(SEED + 2);
    const clients = Array.from({ length: ROUNDS }, () => {
      const bytes = fuzzCase(requestHeadTarget.corpus, dice);
      return hostileClient(Buffer.from(bytes.toString('latin1').replaceAll('a.example', BAD_HOST), 'latin1'));
    });
    await Promise.all(clients);
    await nothingLeft();
    assert.equal((await request({ port: edge.port, host: HOST })).status, 200);
    // A second look: every attempt was given back.
    await eventually(() => edge.plane.status().pools <= 1, 'the end of pools that nothing uses');
  });
});
