import assert from 'node:assert/strict';
import dns from 'node:dns';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { TLSSocket } from 'node:tls';
import { backoffMs } from '../../src/stomp/backoff.ts';
import { type SubscriberStatus, startSubscriber } from '../../src/stomp/subscriber.ts';
import { testCa, testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeBusScript, startFakeBus } from '../support/fake-bus.ts';
import { liveBufferBytes } from '../support/live-memory.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { busConfig, collect, warned } from './support.ts';

const MAX_BODY = 10_000;

type LookupAll = (error: null, addresses: readonly dns.LookupAddress[]) => void;
type LookupOne = (error: null, address: string, family: number) => void;

/** A fake message bus and a subscriber to it, both torn down with the test. */
async function subscribed(t: TestContext, script: FakeBusScript, overrides: Record<string, unknown> = {}) {
  const bus = await startFakeBus(script);
  const log = memoryLog();
  const got = collect();
  const states: SubscriberStatus[] = [];
  const subscriber = startSubscriber({
    config: busConfig(bus.port, overrides),
    maxBodyBytes: MAX_BODY,
    deliver: got.deliver,
    log,
    onState: (status) => void states.push(status),
  });
  t.after(async () => {
    await subscriber.stop();
    await bus.stop();
  });
  const acks = () =>
    bus.connections.map((connection) =>
      connection.frames.flatMap((frame) => (frame.command === 'ACK' ? [frame.headers.get('id')] : [])),
    );
  return { bus, log, got, states, subscriber, acks };
}

describe('the subscriber', () => {
  it('says who it is and what it wants: CONNECT and SUBSCRIBE of a durable subscription', async (t) => {
    const { bus, subscriber } = await subscribed(
      t,
      {},
      {
        destination: '/topic/routinginfo',
        login: 'routinginfo',
        passcode: 'secret\\:1',
        vhost: 'openshift',
        clientId: 'edge-1',
        subscriptionName: 'routing',
        prefetch: 7,
        heartbeatMs: 5_000,
      },
    );
    await eventually(() => subscriber.status().connected);
    const [connect, subscribe] = bus.connections[0]?.frames ?? [];
    assert.deepEqual(Object.fromEntries(connect?.headers ?? []), {
      'accept-version': '1.0,1.1,1.2',
      host: 'openshift',
      login: 'routinginfo',
      passcode: 'secret\\:1',
      'client-id': 'edge-1',
      'heart-beat': '5000,5000',
    });
    assert.deepEqual(Object.fromEntries(subscribe?.headers ?? []), {
      id: 'headgear',
      destination: '/topic/routinginfo',
      ack: 'client',
      'activemq.prefetchSize': '7',
      'activemq.subscriptionName': 'routing',
      receipt: '1',
    });
  });

  it('acks up to a message only when all deliveries up to it were acked, once, and never nacks', async (t) => {
    const { bus, got, acks, subscriber } = await subscribed(t, {});
    await eventually(() => subscriber.status().connected);
    const [connection] = bus.connections;
    connection?.message('1', 'one', ['timestamp:1700000000000']);
    connection?.message('2', Buffer.from([0, 1, 2, 0]));
    connection?.write('MESSAGE\nmessage-id:3\nack:ack-3\nsubscription:headgear\n\nno length\0\n');
    await eventually(() => got.all.length === 3);
    assert.deepEqual(
      got.all.map((delivery) => delivery.body.toString('latin1')),
      ['one', '\0\x01\x02\0', 'no length'],
    );
    assert.deepEqual(
      got.all.map((delivery) => delivery.sentAt),
      [1_700_000_000_000, null, null],
    );
    assert.equal(subscriber.status().unconfirmed, 3);
    got.all[2]?.ack();
    got.all[2]?.ack();
    got.all[0]?.ack();
    await eventually(() => acks()[0]?.length === 1);
    assert.deepEqual(acks(), [['ack-1']], 'the second is not durable yet, so nothing is said of the third');
    assert.equal(subscriber.status().unconfirmed, 1);
    got.all[1]?.ack();
    await subscriber.stop();
    assert.deepEqual(acks(), [['ack-1', 'ack-3']]);
    assert.deepEqual(
      connection?.frames.map((frame) => frame.command),
      ['CONNECT', 'SUBSCRIBE', 'ACK', 'ACK', 'DISCONNECT'],
    );
  });

  it('never acks a delivery of an old connection on the new one', async (t) => {
    const { bus, got, acks, subscriber } = await subscribed(t, {});
    await eventually(() => subscriber.status().connected);
    bus.connections[0]?.message('1', 'again');
    await eventually(() => got.all.length === 1);
    bus.connections[0]?.socket.destroy();
    await eventually(() => subscriber.status().reconnects === 1);
    bus.connections[1]?.message('1', 'again');
    await eventually(() => got.all.length === 2);
    got.all[0]?.ack();
    assert.equal(subscriber.status().unconfirmed, 1);
    got.all[1]?.ack();
    await eventually(() => acks()[1]?.length === 1);
    assert.deepEqual(acks(), [[], ['ack-1']]);
  });

  it('notices a half-open connection by the missing heart-beat and connects anew', async (t) => {
    const { states, subscriber, bus } = await subscribed(t, { heartBeat: '40,40' }, { heartbeatMs: 40 });
    await eventually(() => subscriber.status().reconnects > 0);
    assert.match(subscriber.status().lastError, /timed out/);
    assert.equal(states[0]?.connected, true);
    assert.equal(states[1]?.connected, false);
    assert.ok(bus.connections.length >= 2);
  });

  it('sends heart-beats itself', async (t) => {
    let bytes = 0;
    const { subscriber } = await subscribed(
      t,
      {
        heartBeat: '0,30',
        onConnection: (connection) =>
          connection.socket.on('data', (chunk) => {
            if (chunk.toString() === '\n') bytes += 1;
          }),
      },
      { heartbeatMs: 30 },
    );
    await eventually(() => bytes >= 3);
    assert.equal(subscriber.status().reconnects, 0);
  });

  it('stays while the other side beats', async (t) => {
    const beats: NodeJS.Timeout[] = [];
    t.after(() => beats.forEach(clearInterval));
    let sent = 0;
    const { subscriber } = await subscribed(
      t,
      {
        heartBeat: '1000,1000',
        onConnection: (connection) => {
          beats.push(
            setInterval(() => {
              sent += 1;
              connection.write('\n');
            }, 50),
          );
        },
      },
      { heartbeatMs: 1_000 },
    );
    await eventually(() => sent > 60);
    assert.equal(subscriber.status().reconnects, 0);
    assert.equal(subscriber.status().connected, true);
  });

  it('shows an ERROR of the server and tries again', async (t) => {
    const { subscriber, log, bus } = await subscribed(t, {
      onFrame(frame, connection, index) {
        if (index > 2 || frame.command !== 'CONNECT') return false;
        connection.write('ERROR\nmessage:User name or\\n password is invalid\n\ndetails\nline\0');
        return true;
      },
    });
    await eventually(() => subscriber.status().connected);
    assert.equal(bus.connections.length, 4);
    assert.ok(warned(log, 'the server sent ERROR: User name or\\\\n password is invalid details line'));
    const text = log.lines.filter((line) => line.level === 'warn');
    assert.equal(text.length, 1, 'the same reason is warned of once');
  });

  it('is not connected before its SUBSCRIBE was confirmed', async (t) => {
    const { subscriber, states } = await subscribed(
      t,
      { onFrame: (frame, _connection, index) => frame.command === 'SUBSCRIBE' && index === 0 },
      { connectTimeoutMs: 100 },
    );
    await eventually(() => subscriber.status().connected);
    assert.match(subscriber.status().lastError, /no STOMP session within 100 ms/);
    assert.equal(states.length, 1);
    assert.equal(subscriber.status().reconnects, 0);
  });

  const hostile: readonly (readonly [string, string])[] = [
    ['speaks HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n\0'],
    ['sends a line without end', 'x'.repeat(200_000)],
    ['sends NULs', '\0\0\0\0'],
    ['sends random bytes', '\x01\xff\n\x00\x12:\n\n\0'],
    ['calls a header hasOwnProperty', 'ERROR\nhasOwnProperty:1\nmessage:x\n\n\0'],
    [
      'confirms a receipt called __proto__',
      'CONNECTED\nversion:1.2\n\n\0RECEIPT\nreceipt-id:__proto__\n\n\0',
    ],
    ['sends a command called constructor', 'CONNECTED\nversion:1.2\n\n\0constructor\n\n\0'],
    [
      'agrees on impossible heart-beats',
      'CONNECTED\nversion:1.2\nheart-beat:99999999999,99999999999\n\n\0ERROR\n\n\0',
    ],
    ['says CONNECTED for ever', 'CONNECTED\nversion:1.2\n\n\0'.repeat(50)],
    ['sends a negative length', 'CONNECTED\nversion:1.2\n\n\0MESSAGE\ncontent-length:-5\n\nabc\0'],
    ['cuts a frame off and closes', 'CONNECTED\nversion:1.2\n\n\0MESSAGE\nmessage-id:1\n\nhalf'],
  ];
  for (const [what, bytes] of hostile)
    it(`survives a server that ${what}, and reaches a sane one later`, async (t) => {
      const { bus, subscriber, got } = await subscribed(
        t,
        {
          onConnection(connection, index) {
            if (index > 0) return;
            connection.socket.end(Buffer.from(bytes, 'latin1'));
          },
          onFrame: (_frame, _connection, index) => index === 0,
        },
        { connectTimeoutMs: 500 },
      );
      await eventually(() => subscriber.status().connected && bus.connections.length > 1);
      bus.connections.at(-1)?.message('1', 'sane');
      await eventually(() => got.bodies().includes('sane'));
      assert.deepEqual(got.bodies(), ['sane']);
    });

  it('survives a message for a subscription called constructor with a thousand headers and a 100 KiB line', async (t) => {
    const { bus, subscriber, got, acks } = await subscribed(t, {});
    await eventually(() => subscriber.status().connected);
    const headers = Array.from({ length: 2_000 }, (_, index) => `h${index}:v`);
    bus.connections[0]?.write(
      `MESSAGE\nsubscription:constructor\nhasOwnProperty:x\n__proto__:y\n${headers.join('\n')}\nlong:${'x'.repeat(100_000)}\n` +
        'bad:\\q\nmessage-id:m\nack:a\n\nbody\0',
    );
    bus.connections[0]?.message('2', 'next');
    await eventually(() => got.all.length === 2);
    for (const delivery of got.all) delivery.ack();
    await eventually(() => acks()[0]?.length === 1);
    assert.deepEqual(got.bodies(), ['body', 'next']);
    assert.equal(got.all[0]?.messageId, 'm');
    assert.deepEqual(acks()[0], ['ack-2']);
    assert.equal(bus.connections.length, 1);
    assert.equal(got.all[0]?.refused?.code, 'STOMP_HEAD_REFUSED');
    assert.equal(got.all[1]?.refused, undefined);
  });

  it('acks a message that breaks the framing, once it is durable, and comes again for what follows it, at once', async (t) => {
    const total = 50;
    const { bus, got, acks, subscriber } = await subscribed(
      t,
      {
        onFrame: (frame, connection, index) => {
          if (frame.command !== 'SUBSCRIBE') return false;
          connection.write(`RECEIPT\nreceipt-id:${frame.headers.get('receipt')}\n\n\0`);
          connection.message(`good${index}`, 'fine');
          // The body goes on after its length, and pretends to be another message.
          connection.write(
            `MESSAGE\nmessage-id:bad${index}\nack:ack-bad${index}\ncontent-length:2\n\nabMESSAGE\nmessage-id:forged\nack:x\n\n\0`,
          );
          connection.message(`unseen${index}`, 'comes again');
          return true;
        },
      },
      { reconnectMinMs: 10_000 },
    );
    let next = 0;
    await eventually(() => {
      while (next < got.all.length) got.all[next++]?.ack();
      return bus.connections.length > total;
    });
    assert.deepEqual(acks()[0], ['ack-bad0'], 'and with it the good one before');
    const [good, bad] = got.all;
    assert.deepEqual([good?.messageId, good?.refused], ['good0', undefined]);
    assert.deepEqual(
      [bad?.messageId, bad?.refused?.code, bad?.body.toString()],
      ['bad0', 'STOMP_NO_NUL', 'ab'],
    );
    assert.ok((bad?.bodyBytes ?? 0) > 2);
    assert.ok(got.all.every(({ messageId }) => !/forged|unseen/.test(messageId ?? '')));
    assert.match(subscriber.status().lastError, /could not be read/);
  });

  it('waits with a broken message for as long as it is not durable, and acks nothing of it', async (t) => {
    const { bus, got, acks, subscriber } = await subscribed(t, {});
    await eventually(() => subscriber.status().connected);
    bus.connections[0]?.write('MESSAGE\nmessage-id:1\nack:a\ncontent-length:x\n\nabc\0');
    await eventually(() => got.all.length === 1);
    bus.connections[0]?.message('2', 'later');
    assert.deepEqual(acks(), [[]]);
    assert.equal(bus.connections.length, 1);
    got.all[0]?.ack();
    await eventually(() => bus.connections.length === 2);
    assert.deepEqual(acks()[0], ['a']);
    assert.equal(got.all.length, 1);
  });

  it('hands a 100 MiB body on cut at one byte above the limit, in little memory', async (t) => {
    const { bus, subscriber, got, acks } = await subscribed(t, {});
    await eventually(() => subscriber.status().connected);
    const [connection] = bus.connections;
    assert.ok(connection !== undefined);
    const chunk = Buffer.alloc(1_048_576, 120);
    const before = liveBufferBytes();
    connection.write(`MESSAGE\nmessage-id:1\nack:a\ncontent-length:${100 * chunk.length}\n\n`);
    let peak = 0;
    for (let index = 0; index < 100; index += 1) {
      if (!connection.socket.write(chunk))
        await new Promise((resolve) => connection.socket.once('drain', resolve));
      if (index % 10 === 9) peak = Math.max(peak, liveBufferBytes() - before);
    }
    connection.write('\0');
    connection.message('2', 'next');
    await eventually(() => got.all.length === 2);
    assert.equal(got.all[0]?.body.length, MAX_BODY + 1);
    assert.ok(peak < 40 * 1_048_576, `peak ${peak}`);
    got.all[0]?.ack();
    await eventually(() => acks()[0]?.length === 1);
  });

  it('stops reading when the server ignores the prefetch, and reads on after acks', async (t) => {
    const { bus, subscriber, got } = await subscribed(t, {}, { prefetch: 10 });
    await eventually(() => subscriber.status().connected);
    const body = 'x'.repeat(9_000);
    for (let index = 0; index < 2_000; index += 1) bus.connections[0]?.message(String(index), body);
    // What one read brought is delivered; the rest stays in the kernel and with the server.
    await eventually(() => got.all.length > 20);
    assert.ok(subscriber.status().unconfirmed < 200, String(subscriber.status().unconfirmed));
    let next = 0;
    await eventually(() => {
      while (next < got.all.length) got.all[next++]?.ack();
      return got.all.length === 2_000;
    });
    assert.equal(subscriber.status().reconnects, 0);
  });

  it('waits longer from round to round and goes through the hosts in turn', async (t) => {
    const refuse: FakeBusScript = { onConnection: (connection) => connection.socket.destroy() };
    const [a, b] = [await startFakeBus(refuse), await startFakeBus(refuse)];
    const log = memoryLog();
    const subscriber = startSubscriber({
      config: busConfig([a.port, b.port], { reconnectMinMs: 1, reconnectMaxMs: 64 }),
      maxBodyBytes: MAX_BODY,
      deliver: collect().deliver,
      log,
    });
    t.after(async () => {
      await subscriber.stop();
      await Promise.all([a.stop(), b.stop()]);
    });
    await eventually(() => a.connections.length >= 6);
    assert.ok(Math.abs(a.connections.length - b.connections.length) <= 1);
    const delays = log.lines.flatMap((line) =>
      typeof line.fields.retryInMs === 'number' ? [line.fields.retryInMs] : [],
    );
    assert.deepEqual(delays.filter((_, index) => index % 2 === 0).slice(0, 5), [0, 0, 0, 0, 0]);
    assert.ok((delays[9] ?? 0) >= 8, `fifth round waits at least half of 16 ms: ${delays}`);
  });

  it('computes backoffs within their bounds', () => {
    assert.equal(
      backoffMs(0, 250, 10_000, () => 0),
      250,
    );
    assert.equal(
      backoffMs(3, 250, 10_000, () => 0),
      1_000,
    );
    assert.equal(
      backoffMs(3, 250, 10_000, () => 1),
      2_000,
    );
    assert.equal(
      backoffMs(1_000, 250, 10_000, () => 1),
      10_000,
    );
    assert.equal(
      backoffMs(5, 500, 100, () => 1),
      500,
    );
  });

  it('stops at once in every state, and does nothing afterwards', async (t) => {
    const silent = await startFakeBus({ onFrame: () => true });
    t.after(() => silent.stop());
    const start = (port: number) =>
      startSubscriber({
        config: busConfig(port),
        maxBodyBytes: MAX_BODY,
        deliver: collect().deliver,
        log: memoryLog(),
      });
    const connecting = start(silent.port);
    await connecting.stop();
    const handshaking = start(silent.port);
    await eventually(() => silent.connections.some((connection) => connection.frames.length > 0));
    await handshaking.stop();
    const seen = silent.connections.length;
    await silent.stop();
    const retrying = start(silent.port);
    await eventually(() => retrying.status().lastError !== '');
    await Promise.all([retrying.stop(), retrying.stop()]);
    assert.equal(retrying.status().connected, false);
    assert.equal(silent.connections.length, seen);
  });
});

describe('a message bus behind a name', () => {
  it('is looked up anew at each attempt, so one that moved to another address is found', async (t) => {
    const former = await startFakeBus();
    const moved = await startFakeBus({ at: { host: '127.0.0.2', port: former.port } });
    let address = '127.0.0.1';
    const asked: string[] = [];
    t.mock.method(dns, 'lookup', ((name: string, options: dns.LookupAllOptions, answer: LookupAll) => {
      asked.push(name);
      const family = 4;
      if (options.all) setImmediate(() => answer(null, [{ address, family }]));
      else setImmediate(() => (answer as unknown as LookupOne)(null, address, family));
    }) as typeof dns.lookup);
    const subscriber = startSubscriber({
      config: busConfig(former.port, { hosts: [{ host: 'bus.example.test', port: former.port }] }),
      maxBodyBytes: MAX_BODY,
      deliver: collect().deliver,
      log: memoryLog(),
    });
    t.after(async () => {
      await subscriber.stop();
      await moved.stop();
    });
    await eventually(() => subscriber.status().connected);
    assert.equal(former.connections.length, 1);
    address = '127.0.0.2';
    await former.stop();
    await eventually(() => moved.connections.length > 0 && subscriber.status().connected);
    assert.equal(subscriber.status().server, `bus.example.test:${former.port}`);
    assert.deepEqual([...new Set(asked)], ['bus.example.test']);
    assert.ok(asked.length >= 2);
  });
});

describe('the subscriber over TLS', () => {
  const server = testCertificate(['bus.example.test']);
  const client = testCertificate(['client.example.test']);
  const folder = mkdtempSync(join(tmpdir(), 'headgear-bus-tls-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const caFile = file('ca.pem', testCa().certificatePem);
  const certFile = file('client.pem', client.chainPem);
  const keyFile = file('client.key', client.privateKeyPem);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

  async function over(t: TestContext, tls: Record<string, unknown>) {
    const bus = await startFakeBus({
      tls: { cert: server.chainPem, key: server.privateKeyPem, ca: testCa().certificatePem },
    });
    const log = memoryLog();
    const hosts = [{ host: '127.0.0.1', port: bus.port, tls }];
    const subscriber = startSubscriber({
      config: busConfig(bus.port, { hosts }),
      maxBodyBytes: MAX_BODY,
      deliver: collect().deliver,
      log,
    });
    t.after(async () => {
      await subscriber.stop();
      await bus.stop();
    });
    return { subscriber, log, bus };
  }

  it('verifies the server by its name and shows its own certificate', async (t) => {
    const { subscriber, bus } = await over(t, { caFile, certFile, keyFile, servername: 'bus.example.test' });
    await eventually(() => subscriber.status().connected);
    const socket = bus.connections[0]?.socket;
    assert.ok(socket instanceof TLSSocket);
    assert.equal(socket.getPeerCertificate().subject.CN, 'client.example.test');
  });

  it('refuses a server of another name, and sends it no passcode', async (t) => {
    const { subscriber, bus } = await over(t, {
      caFile,
      certFile,
      keyFile,
      servername: 'other.example.test',
    });
    await eventually(() => /altnames|does not match/i.test(subscriber.status().lastError));
    assert.deepEqual(
      bus.connections.flatMap((connection) => connection.frames),
      [],
    );
  });

  it('refuses a server under an unknown CA', async (t) => {
    const { subscriber } = await over(t, { certFile, keyFile, servername: 'bus.example.test' });
    await eventually(() => /certificate|self.signed/i.test(subscriber.status().lastError));
  });

  it('warns loudly when the server is not to be verified', async (t) => {
    const { subscriber, log } = await over(t, { certFile, keyFile, verify: false });
    assert.ok(warned(log, 'THE MESSAGE BUS IS NOT AUTHENTICATED'));
    await eventually(() => subscriber.status().connected);
  });

  it('keeps trying while a TLS file is missing or no PEM, and comes up when it is right', async (t) => {
    const late = join(folder, 'late.pem');
    const { subscriber } = await over(t, { caFile: late, certFile, keyFile, servername: 'bus.example.test' });
    await eventually(() => /ENOENT/.test(subscriber.status().lastError));
    writeFileSync(late, 'no certificate');
    await eventually(() => !/ENOENT/.test(subscriber.status().lastError));
    writeFileSync(late, testCa().certificatePem);
    await eventually(() => subscriber.status().connected);
  });
});
