import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { dialFailure } from '../../src/upstream/failure.ts';
import { collectingSink, startUpstream, type Upstream } from '../support/collecting-sink.ts';
import { endpointAt } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startGear, startRawGear } from '../support/gear.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('an exchange with a gear', () => {
  let upstream: Upstream = startUpstream();
  const toStop: { stop(): Promise<void> }[] = [];
  const open = (...options: Parameters<typeof startUpstream>): Upstream => {
    upstream.close();
    upstream = startUpstream(...options);
    return upstream;
  };
  const rawGear = async (...script: Parameters<typeof startRawGear>) => {
    const gear = await startRawGear(...script);
    toStop.push(gear);
    return gear;
  };
  const deadPort = async (): Promise<number> => {
    const gear = await startGear();
    await gear.stop();
    return gear.port;
  };
  afterEach(async () => {
    upstream.close();
    for (const part of toStop.splice(0)) await part.stop();
  });

  it('leaves a connection ready to read, although the client took the end of its answer slowly', async () => {
    const { start } = open();
    const gear = await rawGear((socket) => void socket.write(OK));
    const endpoints = [endpointAt(gear.port)];
    const slow = collectingSink({ flush: () => false });
    start({}, slow, endpoints);
    await eventually(() => slow.ended);
    const next = collectingSink();
    start({}, next, endpoints);
    await eventually(() => next.ended, 'the answer to the next request on the kept connection');
    assert.equal(gear.acceptedConnections, 1);
  });

  it('asks for the body when a retry falls on a kept connection', async () => {
    const { start } = open();
    const gear = await rawGear((socket) => void socket.write(OK));
    const alive = endpointAt(gear.port);
    const warming = collectingSink();
    start({}, warming, [alive]);
    await eventually(() => warming.ended);
    const sink = collectingSink();
    const exchange = start({ method: 'POST', body: 'length' }, sink, [endpointAt(await deadPort()), alive]);
    assert.equal(exchange.writable, false);
    await eventually(() => sink.writables > 0, 'word that the gear takes the body');
    exchange.write([Buffer.from('body')]);
    exchange.finish('');
    await eventually(() => sink.ended);
    assert.match(gear.requests[1]?.toString() ?? '', /body$/);
  });

  it('does not send a request with an empty chunked body again without its last chunk', async () => {
    const { start } = open();
    const gear = await rawGear((socket) =>
      gear.requests.length === 2 ? socket.destroy() : socket.write(OK),
    );
    const endpoints = [endpointAt(gear.port)];
    const warming = collectingSink();
    start({}, warming, endpoints);
    await eventually(() => warming.ended);
    const sink = collectingSink();
    const exchange = start({ method: 'PUT', body: 'chunked' }, sink, endpoints);
    exchange.finish('');
    await eventually(() => sink.failure !== null);
    assert.match(sink.failure?.code ?? '', /_BEFORE_RESPONSE$/);
    assert.equal(upstream.attempts.length, 2);
  });

  it('never writes an empty chunk, which would end the body and let the rest pass for another request', async () => {
    const { start } = open();
    const gear = await rawGear((socket) => void socket.write(OK));
    const endpoints = [endpointAt(gear.port)];
    const sink = collectingSink();
    const exchange = start({ method: 'POST', body: 'chunked' }, sink, endpoints);
    await eventually(() => exchange.writable);
    exchange.write([Buffer.alloc(0)]);
    exchange.write([Buffer.from('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')]);
    exchange.finish('');
    await eventually(() => sink.ended);
    assert.equal(gear.requests.length, 1);
  });

  it('does not hand out a kept connection that is already dead', async () => {
    const { start, pools } = open();
    const gear = await rawGear((socket) => void socket.write(OK));
    const endpoint = endpointAt(gear.port);
    const warming = collectingSink();
    start({}, warming, [endpoint]);
    await eventually(() => warming.ended);
    const pool = pools.of(endpoint);
    const kept = pool.take('gear.example');
    assert.ok(kept !== null);
    pool.onIdle(kept, true);
    kept.destroy();
    assert.equal(pool.take('gear.example'), null);
    await eventually(() => pool.load === 0 && pool.idle === 0);
  });

  it('counts a dial once, however often and whenever it is given up', async () => {
    const { pools } = open();
    const gear = await rawGear(() => {});
    const pool = pools.of(endpointAt(gear.port));
    const giveUp = pool.dial(
      'a',
      () => {},
      () => {},
    );
    giveUp();
    giveUp();
    assert.equal(pool.load, 0);
    let failed = false;
    const late = pools.of(endpointAt(await deadPort())).dial(
      'a',
      () => {},
      () => {
        failed = true;
      },
    );
    await eventually(() => failed);
    late();
    let opened = false;
    const afterwards = pool.dial(
      'a',
      (connection) => {
        opened = true;
        connection.destroy();
      },
      () => {},
    );
    await eventually(() => opened);
    afterwards();
    await eventually(() => pools.load(endpointAt(gear.port).id) === 0);
    assert.equal(pool.load, 0);
  });

  it('closes a dial that hangs when the client leaves meanwhile', async () => {
    const { start, pools } = open();
    // TCP is up, but no TLS ever comes.
    const gear = await rawGear(() => {});
    const endpoint = endpointAt(gear.port, { tls: true });
    const exchange = start({}, collectingSink(), [endpoint]);
    await eventually(() => gear.openConnections === 1);
    exchange.abort();
    exchange.abort();
    await eventually(() => gear.openConnections === 0);
    assert.equal(pools.load(endpoint.id), 0);
  });

  it('forgets a pool that nothing uses, also one that a late retry made anew after its endpoint was gone', async () => {
    const { start, pools } = open({ idleTimeoutMs: 100 });
    const gear = await rawGear((socket) => void socket.write(OK));
    const gone = endpointAt(gear.port);
    const sink = collectingSink();
    start({}, sink, [endpointAt(await deadPort()), gone]);
    pools.retire(gone.id);
    await eventually(() => sink.ended);
    await eventually(() => pools.size() === 0);
  });

  it('does not let a gear hold a request by dripping its head', async () => {
    const { start } = open({ responseTimeoutMs: 400 });
    const gear = await rawGear((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write('X: y\r\n'), 50);
      socket.on('close', () => clearInterval(drip));
    });
    const sink = collectingSink();
    start({}, sink, [endpointAt(gear.port)]);
    await eventually(() => sink.failure !== null);
    assert.equal(sink.failure?.code, 'RESPONSE_TIMEOUT');
  });

  it('lets a gear stream for as long as it likes, a byte now and then', async () => {
    const { start } = open({ responseTimeoutMs: 700 });
    const gear = await rawGear((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 60);
      socket.on('close', () => clearInterval(drip));
    });
    const sink = collectingSink();
    start({}, sink, [endpointAt(gear.port)]);
    await eventually(() => sink.ended);
    assert.equal(sink.body.length, 30);
  });

  it('blames a gear that takes no more of the request, not the client', async () => {
    const { start } = open({ responseTimeoutMs: 300 });
    const gear = await rawGear(() => {}, { onConnection: (socket) => void socket.pause() });
    const sink = collectingSink();
    const exchange = start({ method: 'POST', body: 'chunked' }, sink, [endpointAt(gear.port)]);
    await eventually(() => exchange.writable);
    const piece = Buffer.alloc(65_536);
    while (exchange.write([piece])) await new Promise((resolve) => setImmediate(resolve));
    await eventually(() => sink.failure !== null);
    assert.equal(sink.failure?.code, 'RESPONSE_TIMEOUT');
  });

  it('drops a kept connection on which a gear speaks unasked, and the next request gets its own answer', async () => {
    const { start } = open();
    const gear = await rawGear((socket, request) => {
      const path = /^GET (\S+)/.exec(request.toString())?.[1] ?? '';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`, () => {
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'), 20);
      });
    });
    const endpoints = [endpointAt(gear.port)];
    for (const path of ['/one', '/two']) {
      const sink = collectingSink();
      start({ head: `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n` }, sink, endpoints);
      await eventually(() => sink.ended);
      assert.equal(sink.body.toString(), path);
      await eventually(() => gear.openConnections === 0);
    }
  });

  it('refuses what is above the limit of requests in flight, and takes it again when there is room', async () => {
    const { start } = open({ maxInFlightPerEndpoint: 2 });
    const held: { write(text: string): void }[] = [];
    const gear = await rawGear((socket) => void held.push({ write: (text) => void socket.write(text) }));
    const endpoints = [endpointAt(gear.port)];
    const sinks = [collectingSink(), collectingSink(), collectingSink()];
    for (const sink of sinks) start({}, sink, endpoints);
    assert.equal(sinks[2]?.failure?.code, 'ENDPOINT_FULL');
    await eventually(() => held.length === 2);
    for (const one of held) one.write(OK);
    await eventually(() => sinks[0]?.ended && sinks[1]?.ended);
    const late = collectingSink();
    start({}, late, endpoints);
    await eventually(() => held.length === 3);
    held[2]?.write(OK);
    await eventually(() => late.ended);
  });

  it('goes on to an endpoint that has room', async () => {
    const { start } = open({ maxInFlightPerEndpoint: 1 });
    const silent = await rawGear(() => {});
    const other = await rawGear((socket) => void socket.write(OK));
    start({}, collectingSink(), [endpointAt(silent.port)]);
    const sink = collectingSink();
    start({ method: 'POST' }, sink, [endpointAt(silent.port), endpointAt(other.port)]);
    await eventually(() => sink.ended);
  });

  it('does not hold against an endpoint what this machine ran out of', () => {
    for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL']) {
      const error = Object.assign(new Error(code), { code });
      assert.equal(dialFailure(error, false).code, 'CONNECT_EXHAUSTED', code);
    }
  });

  it('takes an answer that comes before the upload is whole, although the gear closes at once', async () => {
    const { start } = open();
    const gear = await rawGear(() => {}, {
      onConnection: (socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')),
    });
    const sink = collectingSink();
    const exchange = start({ method: 'POST', body: 'chunked' }, sink, [endpointAt(gear.port)]);
    await eventually(() => exchange.writable || sink.ended);
    exchange.write([Buffer.from('some')]);
    await eventually(() => sink.ended);
    assert.equal(sink.heads[0]?.status, 413);
    await eventually(() => gear.openConnections === 0);
  });

  it('does not keep a tunnel whose both ends have ended for a gear that never reads the rest', async () => {
    const { start, pools } = open({ responseTimeoutMs: 400 });
    const gear = await rawGear((socket) => {
      socket.pause();
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
    });
    let ended = false;
    const sink = collectingSink({
      onUpgrade(_head, raw) {
        raw.startTunnel(
          () => true,
          () => {
            ended = true;
          },
          () => {},
          () => {},
        );
        // More than the kernel takes for a gear that does not read.
        raw.write(Buffer.alloc(30_000_000));
        raw.end();
      },
    });
    const endpoint = endpointAt(gear.port);
    start({ asksUpgrade: true, upgrade: 'chat' }, sink, [endpoint]);
    await eventually(() => ended);
    await eventually(() => pools.load(endpoint.id) === 0, 'the end of the connection to the gear');
  });

  it('survives a gear that resets at every moment of an exchange', async () => {
    const { start } = open();
    let step = 0;
    const gear = await rawGear(
      (socket) => {
        step++;
        if (step % 4 === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
        if (step % 4 === 2) socket.write('HTTP/1.1 20');
        socket.resetAndDestroy();
      },
      { onConnection: (socket) => (step % 5 === 4 ? socket.resetAndDestroy() : undefined) },
    );
    for (let round = 0; round < 40; round++) {
      const sink = collectingSink();
      start({ method: round % 2 === 0 ? 'GET' : 'POST' }, sink, [endpointAt(gear.port)]);
      await eventually(() => sink.failure !== null);
    }
    await eventually(() => upstream.pools.load(endpointAt(gear.port).id) === 0);
    connect({ port: gear.port, host: '127.0.0.1' })
      .on('error', () => {})
      .destroy();
  });
});
