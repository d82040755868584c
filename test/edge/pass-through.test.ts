/** TLS connections that go on undecrypted: which ones, where to, and what becomes of them. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { publishedCertificate, testCa } from '../support/certificates.ts';
import { connectRaw, headerOf, request } from '../support/client.ts';
import { captureHello } from '../support/client-hello.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import {
  type Echo,
  type Gear,
  patternBytes,
  type RawGear,
  startGear,
  startRawGear,
} from '../support/gear.ts';
import { liveBufferBytes } from '../support/live-memory.ts';
import { freePort } from '../support/ports.ts';

const SECRET = 'secret-ns.apps.example.test';
const FIXED = 'mail.example.org';
const ca = testCa().certificatePem;
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);
const INTERNAL_ERROR = Buffer.from([21, 3, 3, 0, 2, 2, 80]);

describe('pass-through', () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const part of toStop.splice(0)) await part.stop();
  });
  const start = async (
    overrides: Parameters<typeof startDataPlane>[0] = {},
    ...more: readonly string[]
  ): Promise<DataPlane> => {
    const edge = await startDataPlane(overrides, ['*.apps.example.test'], more);
    toStop.push(edge);
    return edge;
  };
  const tlsGear = async (name: string, ...names: string[]): Promise<Gear> => {
    const { chainPem: cert, keyPem: key } = publishedCertificate(names);
    const gear = await startGear({ name, tls: { cert, key } });
    toStop.push(gear);
    return gear;
  };
  /** Hands over each connection as it comes, without a word. It closes when the client has, or leaves that to the test. */
  const byteGear = async (closes = true): Promise<{ gear: RawGear; sides: Socket[] }> => {
    const sides: Socket[] = [];
    const gear = await startRawGear(() => {}, {
      onConnection(socket) {
        if (!closes) socket.removeAllListeners('end');
        sides.push(socket);
      },
    });
    toStop.push(gear);
    return { gear, sides };
  };
  /** Publishes the application `ns/secret`, which speaks nothing but TLS. */
  const publish = (edge: DataPlane, ...ports: number[]): Promise<void> =>
    edge.route([], {
      app: 'ns/secret',
      host: SECRET,
      passThrough: ports.map((port) => endpointAt(port, { id: `ns/secret 127.0.0.1:${port} through` })),
    });
  const answerer = async (edge: DataPlane, servername: string, host = servername): Promise<string> => {
    const response = await request({ port: edge.httpsPort, tls: { servername, ca }, host });
    return (JSON.parse(response.body.toString()) as Echo).gear;
  };
  /** Sends these bytes on a connection that stays open; what comes back is gathered. */
  const say = (edge: DataPlane, bytes: Buffer | string): { socket: Socket; heard(): Buffer } => {
    const socket = connect({ port: edge.httpsPort, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    socket.on('error', () => {});
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.write(bytes);
    return { socket, heard: () => Buffer.concat(received) };
  };
  const helloTo = (servername: string): Promise<Buffer> => captureHello({ servername });

  describe('is chosen by name', () => {
    it('an application that speaks only tls gets its connections undecrypted, others on the same port are terminated', async () => {
      const edge = await start();
      const secret = await tlsGear('secret', SECRET);
      const plain = await startGear({ name: 'plain' });
      toStop.push(plain);
      await publish(edge, secret.port);
      await edge.route([endpointAt(plain.port)]);
      assert.equal(await answerer(edge, SECRET), 'secret');
      assert.equal(await answerer(edge, HOST), 'plain');
      assert.equal(headerOf(secret.requests[0]?.rawHeaders ?? [], 'x-forwarded-for'), undefined);
      const client = await connectRaw({ port: edge.httpsPort, tls: { servername: SECRET, ca } });
      assert.equal(
        (client.socket as TLSSocket)
          .getPeerX509Certificate()
          ?.fingerprint256.replaceAll(':', '')
          .toLowerCase(),
        publishedCertificate([SECRET]).facts.fingerprint,
      );
      client.destroy();
    });

    it('one endpoint that speaks HTTP, and the application is terminated', async () => {
      const edge = await start();
      const plain = await startGear({ name: 'plain' });
      toStop.push(plain);
      await edge.route([endpointAt(plain.port)], { passThrough: [endpointAt(1)] });
      assert.equal(await answerer(edge, HOST), 'plain');
    });

    it('by no name, an unknown one, or an address, nothing is passed through', async () => {
      const edge = await start();
      const secret = await tlsGear('secret', SECRET);
      await publish(edge, secret.port);
      for (const tls of [{}, { servername: 'unknown.example' }, { servername: `x.${SECRET}` }]) {
        const response = await request({ port: edge.httpsPort, tls, host: 'unknown.example' });
        assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'UNKNOWN_HOST');
      }
      assert.equal(secret.acceptedConnections, 0);
    });

    it('a name in another spelling is the same name', async () => {
      const edge = await start();
      const secret = await tlsGear('secret', SECRET);
      await publish(edge, secret.port);
      assert.equal(await answerer(edge, SECRET.toUpperCase()), 'secret');
    });

    it('a hello in single bytes and in tiny records finds its gear, whole', async () => {
      const edge = await start();
      const { gear } = await byteGear();
      await publish(edge, gear.port);
      const hello = await helloTo(SECRET);
      // Hellos with post-quantum key shares are of 2 KB; more than a thousand records are not taken.
      const pieces: Buffer[] = [];
      for (let at = 5; at < hello.length; at += 3) {
        const piece = hello.subarray(at, at + 3);
        pieces.push(Buffer.from([22, 3, 1, 0, piece.length]), piece);
      }
      const inRecords = Buffer.concat(pieces);
      const { socket } = say(edge, '');
      for (const byte of inRecords) socket.write(Buffer.from([byte]));
      socket.write('more');
      await eventually(() => gear.seen() === `${inRecords.toString('latin1')}more`);
    });

    it('switched off, such an application is terminated and says that it is TLS only', async () => {
      const edge = await start({ passThrough: { tlsApplications: false } });
      const secret = await tlsGear('secret', SECRET);
      await publish(edge, secret.port);
      const response = await request({
        port: edge.httpsPort,
        tls: { servername: SECRET, ca },
        host: SECRET,
      });
      assert.equal(response.status, 421);
      assert.equal(secret.acceptedConnections, 0);
    });

    it('requests that were made on another connection, or on none of TLS, are refused clearly', async () => {
      const edge = await start();
      const secret = await tlsGear('secret', SECRET);
      await publish(edge, secret.port);
      const plain = await request({ port: edge.port, host: SECRET });
      const other = await request({ port: edge.httpsPort, tls: { servername: HOST, ca }, host: SECRET });
      for (const response of [plain, other]) {
        assert.equal(response.status, 421);
        assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'TLS_ONLY');
      }
    });
  });

  describe('by configuration', () => {
    it('names go to their fixed endpoints, wildcards for one label, whatever the table says', async () => {
      const fixed = await tlsGear('fixed', FIXED, '*.apps.example.test');
      const tenant = await tlsGear('tenant', SECRET);
      const edge = await start({
        passThrough: {
          rules: [
            { names: [FIXED, '*.apps.example.test'], to: [{ address: '127.0.0.1', port: fixed.port }] },
          ],
        },
      });
      await publish(edge, tenant.port);
      assert.equal(await answerer(edge, FIXED), 'fixed');
      assert.equal(await answerer(edge, 'any.apps.example.test'), 'fixed');
      assert.equal(await answerer(edge, SECRET), 'fixed');
      assert.equal(tenant.acceptedConnections, 0);
      for (const servername of [`x.${FIXED}`, 'a.b.apps.example.test', 'apps.example.test']) {
        const response = await request({ port: edge.httpsPort, tls: { servername }, host: 'x.example' });
        assert.equal(response.status, 404, servername);
      }
    });

    it('without endpoints of its own a name goes to what its application has for TLS, though that speaks https', async () => {
      const gear = await tlsGear('https', HOST);
      const edge = await start({ passThrough: { rules: [{ names: [HOST] }] } });
      await edge.route([endpointAt(gear.port, { tls: true })], {
        passThrough: [endpointAt(gear.port, { id: 'through' })],
      });
      assert.equal(await answerer(edge, HOST), 'https');
      assert.equal(headerOf(gear.requests[0]?.rawHeaders ?? [], 'x-forwarded-for'), undefined);
    });

    it('no connection that was decrypted carries requests for such a name', async () => {
      const gear = await tlsGear('https', HOST);
      const edge = await start({
        passThrough: { rules: [{ names: [HOST] }] },
        tls: { misdirected: 'route' },
      });
      await edge.route([endpointAt(gear.port, { tls: true })]);
      const tls = { servername: 'other.apps.example.test', ca };
      const response = await request({ port: edge.httpsPort, tls, host: HOST });
      assert.equal(headerOf(response.rawHeaders, 'headgear-failure'), 'MISDIRECTED');
      assert.equal(gear.acceptedConnections, 0);
    });

    it('a name that has nowhere to go is refused, never decrypted', async () => {
      const plain = await startGear();
      toStop.push(plain);
      const edge = await start({ passThrough: { rules: [{ names: [HOST, FIXED] }] } });
      await edge.route([endpointAt(plain.port)]);
      const known = say(edge, await helloTo(HOST));
      await eventually(() => known.heard().equals(INTERNAL_ERROR));
      const unknown = say(edge, await helloTo(FIXED));
      await eventually(() => unknown.heard().equals(UNRECOGNIZED_NAME));
      assert.deepEqual(
        edge.passed.map(({ failure }) => failure),
        ['NO_ENDPOINT', 'NO_ENDPOINT'],
      );
      assert.equal(plain.acceptedConnections, 0);
    });
  });

  describe('to its endpoints', () => {
    it('goes on to the next when one does not take connections, and is one line in the log', async () => {
      const edge = await start();
      const secret = await tlsGear('secret', SECRET);
      const dead = await freePort();
      await publish(edge, dead, secret.port);
      for (let round = 0; round < 4; round++) assert.equal(await answerer(edge, SECRET), 'secret');
      await eventually(() => edge.passed.length === 4);
      for (const context of edge.passed) {
        assert.equal(context.protocol, 'TLS');
        assert.equal(context.host, SECRET);
        assert.equal(context.app, 'ns/secret');
        assert.equal(context.endpoint, `127.0.0.1:${secret.port}`);
        assert.equal(context.failure, '');
        assert.ok(context.bytesIn > 100 && context.bytesOut > 100);
      }
      assert.deepEqual(new Set(edge.passed.map(({ attempts }) => attempts)), new Set([1, 2]));
      assert.deepEqual(edge.plane.status().ejected, [`ns/secret 127.0.0.1:${dead} through`]);
      assert.equal(edge.metrics.value('pass_through_connections_total', { failure: 'none' }), 4);
      assert.equal(edge.finished.length, 0);
    });

    it('says so with an alert when none takes connections, and counts it', async () => {
      const edge = await start();
      await publish(edge, await freePort(), await freePort());
      const { heard, socket } = say(edge, await helloTo(SECRET));
      await eventually(() => heard().equals(INTERNAL_ERROR));
      socket.end();
      await eventually(() => edge.plane.status().connections === 0);
      assert.equal(edge.passed[0]?.failure, 'CONNECT_REFUSED:ECONNREFUSED');
      assert.equal(edge.passed[0]?.attempts, 2);
      assert.equal(edge.metrics.value('pass_through_connections_total', { failure: 'CONNECT_REFUSED' }), 1);
    });

    for (const engine of ['native', 'http-proxy'] as const)
      it(`spreads over them, and leaves alone those that have as many as they may have (${engine})`, async () => {
        const edge = await start({ upstream: { maxInFlightPerEndpoint: 2 }, http: { engine } });
        const gears = [await byteGear(), await byteGear()];
        await publish(edge, ...gears.map(({ gear }) => gear.port));
        const hello = await helloTo(SECRET);
        const clients = [0, 1, 2, 3].map(() => say(edge, hello));
        await eventually(() => gears.every(({ sides }) => sides.length === 2));
        const fifth = say(edge, hello);
        await eventually(() => fifth.heard().equals(INTERNAL_ERROR));
        assert.equal(edge.passed[0]?.failure, 'ENDPOINT_FULL');
        clients[0]?.socket.destroy();
        await eventually(() => edge.passed.length === 2);
        say(edge, hello);
        await eventually(() => gears[0]?.sides.length === 3 || gears[1]?.sides.length === 3);
      });

    it('passes half-closes on, both ways, and everything that was on its way', async () => {
      const edge = await start();
      const { gear, sides } = await byteGear(false);
      await publish(edge, gear.port);
      const hello = await helloTo(SECRET);
      const { socket, heard } = say(edge, hello);
      await eventually(() => sides.length === 1);
      const [side] = sides;
      const up = patternBytes(5_000_000);
      socket.end(up);
      await new Promise((resolve) => side?.once('end', resolve));
      assert.equal(gear.seen(), Buffer.concat([hello, up]).toString('latin1'));
      const down = patternBytes(5_000_000, 7);
      side?.end(down);
      await eventually(() => heard().length === down.length);
      assert.ok(heard().equals(down));
      await eventually(() => edge.plane.status().connections === 0 && gear.openConnections === 0);
      assert.equal(edge.passed[0]?.bytesIn, hello.length + up.length);
      assert.equal(edge.passed[0]?.bytesOut, down.length);
    });

    for (const who of ['client', 'gear'] as const) {
      it(`gathers little for a ${who} that does not read`, async () => {
        const edge = await start();
        const { gear, sides } = await byteGear();
        await publish(edge, gear.port);
        const { socket } = say(edge, await helloTo(SECRET));
        await eventually(() => sides.length === 1);
        const side = sides[0] as Socket;
        const [reader, writer] = who === 'client' ? [socket, side] : [side, socket];
        reader.removeAllListeners('data');
        reader.pause();
        const total = 40_000_000;
        writer.write(patternBytes(total));
        const before = liveBufferBytes();
        let last = -1;
        let unmoved = 0;
        await eventually(() => {
          unmoved = writer.bytesWritten - writer.writableLength === last ? unmoved + 1 : 0;
          last = writer.bytesWritten - writer.writableLength;
          return unmoved > 60;
        });
        assert.ok(writer.writableLength > 0, 'the writer has to wait');
        assert.ok(liveBufferBytes() - before < 10_000_000);
        let received = 0;
        reader.on('data', (chunk: Buffer) => {
          received += chunk.length;
        });
        reader.resume();
        await eventually(() => received >= total, 'all of it, once it is read');
      });
    }

    it('whose connection breaks takes the client with it, and a client the gear’s', async () => {
      const edge = await start();
      const { gear, sides } = await byteGear();
      await publish(edge, gear.port);
      const hello = await helloTo(SECRET);
      const first = say(edge, hello);
      await eventually(() => sides.length === 1);
      sides[0]?.resetAndDestroy();
      await new Promise((resolve) => first.socket.once('end', resolve));
      first.socket.end();
      const second = say(edge, hello);
      await eventually(() => sides.length === 2);
      second.socket.resetAndDestroy();
      await eventually(() => gear.openConnections === 0 && edge.plane.status().connections === 0);
      assert.equal(edge.passed.length, 2);
    });
  });

  describe('ends', () => {
    it('after its idle time', async () => {
      const edge = await start({ passThrough: { idleTimeoutMs: 300 } });
      const { gear, sides } = await byteGear();
      await publish(edge, gear.port);
      const { socket, heard } = say(edge, await helloTo(SECRET));
      await eventually(() => sides.length === 1);
      sides[0]?.write('answer');
      await eventually(() => heard().length > 0);
      socket.write('more');
      await eventually(() => gear.openConnections === 0);
      assert.equal(edge.passed.length, 1);
    });

    it('when a client sends a hello and leaves it at that, so that nobody fills a gear with them', async () => {
      const edge = await start({ tls: { handshakeTimeoutMs: 200 } });
      const { gear, sides } = await byteGear();
      await publish(edge, gear.port);
      const hello = await helloTo(SECRET);
      const clients = Array.from({ length: 20 }, () => say(edge, hello));
      await eventually(() => sides.length === 20);
      for (const side of sides) side.write('server hello');
      await eventually(() => gear.openConnections === 0 && edge.plane.status().connections === 0);
      assert.deepEqual(new Set(edge.passed.map(({ failure }) => failure)), new Set(['CLIENT_TIMEOUT']));
      assert.equal(clients.length, edge.passed.length);
    });

    it('when a gear takes the connection and never answers', async () => {
      const edge = await start({ upstream: { responseTimeoutMs: 300 } });
      const { gear } = await byteGear();
      await publish(edge, gear.port);
      say(edge, await helloTo(SECRET));
      await eventually(() => edge.passed.length === 1);
      assert.equal(edge.passed[0]?.failure, 'RESPONSE_TIMEOUT');
      await eventually(() => gear.openConnections === 0);
    });

    it('some time after its endpoint left the table, as tunnels do; others stay', async () => {
      const edge = await start({ upstream: { tunnelDrainMs: 700 } });
      const [going, staying] = [await byteGear(), await byteGear()];
      await publish(edge, going.gear.port, staying.gear.port);
      const hello = await helloTo(SECRET);
      const clients = [say(edge, hello), say(edge, hello)];
      await eventually(() => going.sides.length === 1 && staying.sides.length === 1);
      await publish(edge, staying.gear.port);
      going.sides[0]?.write('still here');
      await eventually(() => clients.some(({ heard }) => String(heard()) === 'still here'));
      await eventually(() => going.gear.openConnections === 0);
      assert.equal(staying.gear.openConnections, 1);
      staying.sides[0]?.write('here for long');
      await eventually(() => clients.some(({ heard }) => String(heard()) === 'here for long'));
    });

    it('with the process, when the time of its drain is up', async () => {
      const edge = await start();
      const { gear, sides } = await byteGear();
      await publish(edge, gear.port);
      const { socket } = say(edge, await helloTo(SECRET));
      await eventually(() => sides.length === 1);
      const drained = edge.plane.drain(300);
      sides[0]?.write('last words');
      await new Promise((resolve) => socket.once('data', resolve));
      await drained;
      await eventually(() => gear.openConnections === 0);
    });

    it('for clients that leave while their gear is dialled, at no cost', async () => {
      const edge = await start();
      const { gear } = await byteGear();
      await publish(edge, gear.port);
      const hello = await helloTo(SECRET);
      for (let round = 0; round < 50; round++) {
        const { socket } = say(edge, hello);
        socket.once('connect', () => setImmediate(() => socket.resetAndDestroy()));
      }
      await eventually(() => edge.plane.status().connections === 0 && gear.openConnections === 0);
      const status = edge.plane.status();
      await eventually(() => edge.plane.status().pools === 0, `${status.pools} pools`);
    });
  });
});
