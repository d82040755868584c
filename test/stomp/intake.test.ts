import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startIntake } from '../../src/stomp/intake.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { freePort } from '../support/ports.ts';
import { CONNECT, MAX_BODY, send, startTestIntake } from './intake-support.ts';
import { collect, intakeConfig, warned } from './support.ts';

describe('the intake', () => {
  const negotiations: readonly (readonly [string, string])[] = [
    ['CONNECT\n\n\0', '1.0'],
    ['CONNECT\naccept-version:1.0\n\n\0', '1.0'],
    ['CONNECT\naccept-version:1.0,1.1\nhost:x\n\n\0', '1.1'],
    ['STOMP\naccept-version: 1.1, 1.2, 9.9\nhost:x\n\n\0', '1.2'],
  ];
  for (const [hello, version] of negotiations)
    it(`agrees on ${version} after ${JSON.stringify(hello)}`, async (t) => {
      const { client } = await startTestIntake(t);
      const connected = await (await client(hello)).frame(1);
      assert.equal(connected.command, 'CONNECTED');
      assert.equal(connected.headers.get('version'), version);
    });

  it('refuses versions that it does not speak, and names its own', async (t) => {
    const { client } = await startTestIntake(t);
    const stranger = await client('CONNECT\naccept-version:2.0\n\n\0');
    const error = await stranger.frame(1);
    assert.deepEqual([error.command, error.headers.get('version')], ['ERROR', '1.0,1.1,1.2']);
    await eventually(() => stranger.ended());
  });

  it('sends a RECEIPT only once the SEND was acked, and none where none was asked for', async (t) => {
    const { client, got, intake } = await startTestIntake(t);
    const publisher = await client();
    await publisher.frame(1);
    publisher.write(send('one', 'receipt:r\\c1') + send('two') + send('three', 'receipt:r3'));
    await eventually(() => got.all.length === 3);
    assert.equal(intake.status().unconfirmed, 3);
    assert.equal(publisher.frames.length, 1);
    got.all[2]?.ack();
    assert.equal((await publisher.frame(2)).headers.get('receipt-id'), 'r3');
    got.all[1]?.ack();
    got.all[0]?.ack();
    got.all[0]?.ack();
    assert.equal((await publisher.frame(3)).headers.get('receipt-id'), 'r:1');
    assert.deepEqual(got.bodies(), ['one', 'two', 'three']);
    assert.equal(got.all[0]?.source, 'intake:127.0.0.1');
    assert.equal(intake.status().unconfirmed, 0);
    assert.equal(publisher.frames.length, 3);
  });

  it('echoes a receipt of STOMP 1.0 byte for byte', async (t) => {
    const { client } = await startTestIntake(t, { ackAtOnce: true });
    const publisher = await client('CONNECT\n\n\0');
    let text = '';
    publisher.socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    publisher.write(send('x', 'receipt:a\\c:b\\q'));
    await eventually(() => text.includes('RECEIPT\nreceipt-id:a\\c:b\\q\n\n\0'));
  });

  it('answers DISCONNECT only once every SEND before it is durable', async (t) => {
    const { client, got } = await startTestIntake(t);
    const publisher = await client();
    await publisher.frame(1);
    publisher.write(`${send('one')}${send('two')}DISCONNECT\nreceipt:bye\n\n\0`);
    await eventually(() => got.all.length === 2);
    got.all[0]?.ack();
    assert.equal(publisher.frames.length, 1);
    got.all[1]?.ack();
    const receipt = await publisher.frame(2);
    assert.deepEqual([receipt.command, receipt.headers.get('receipt-id')], ['RECEIPT', 'bye']);
    await eventually(() => publisher.ended());
  });

  it('takes nothing after DISCONNECT', async (t) => {
    const { client, got } = await startTestIntake(t, { ackAtOnce: true });
    const publisher = await client();
    publisher.write(`DISCONNECT\n\n\0${send('late')}`);
    await eventually(() => publisher.ended());
    assert.equal(got.all.length, 0);
  });

  it('delivers what the OpenShift plugin sends: one connection a message, closed at once', async (t) => {
    const { port, got, intake } = await startTestIntake(t);
    const body = '---\n:action: :create_application\n';
    for (let index = 0; index < 20; index += 1) {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('error', () => undefined);
      socket.write('CONNECT\naccept-version:1.0\nlogin:routinginfo\npasscode:secret\n\n\0');
      await once(socket, 'data');
      socket.write(
        `SEND\ncontent-type:text/plain; charset=UTF-8\ncontent-length:${body.length}\ndestination:/topic/routinginfo\n\n${body}\0` +
          'DISCONNECT\n\n\0',
      );
      // Some versions of the gem close in good order, older ones as abruptly as this.
      if (index % 2 === 0) socket.end();
      else socket.destroySoon();
    }
    await eventually(() => got.all.length === 20);
    assert.deepEqual(new Set(got.bodies()), new Set([body]));
    for (const delivery of got.all) delivery.ack();
    await eventually(() => intake.status().connections === 0);
    assert.equal(intake.status().unconfirmed, 0);
  });

  it('delivers what came before the client ended its side, without any DISCONNECT', async (t) => {
    const { client, got } = await startTestIntake(t);
    const publisher = await client();
    publisher.socket.end(`${send('whole', 'receipt:1')}${send('torn').slice(0, -3)}`);
    await eventually(() => got.all.length === 1);
    got.all[0]?.ack();
    assert.equal((await publisher.frame(2)).headers.get('receipt-id'), '1');
    await eventually(() => publisher.ended());
    assert.deepEqual(got.bodies(), ['whole']);
  });

  it('bears an ack after the client has gone', async (t) => {
    const { client, got, intake } = await startTestIntake(t);
    const publisher = await client();
    publisher.write(send('x', 'receipt:1'));
    await eventually(() => got.all.length === 1);
    publisher.socket.resetAndDestroy();
    await eventually(() => intake.status().connections === 0);
    got.all[0]?.ack();
    assert.equal(intake.status().unconfirmed, 0);
  });

  for (const frame of ['BEGIN', 'COMMIT', 'ABORT', 'SUBSCRIBE', 'ACK', 'NONSENSE', 'constructor', 'CONNECT'])
    it(`answers ${frame} with ERROR and closes`, async (t) => {
      const { client, got } = await startTestIntake(t);
      const publisher = await client();
      publisher.write(`${frame}\ntransaction:t\nid:1\nreceipt:77\n\n\0${send('after')}`);
      const error = await publisher.frame(2);
      assert.equal(error.command, 'ERROR');
      assert.equal(error.headers.get('receipt-id'), '77');
      await eventually(() => publisher.ended());
      assert.equal(got.all.length, 0);
    });

  for (const [what, frame] of [
    ['without a destination', 'SEND\n\nx\0'],
    ['within a transaction', send('x', 'transaction:t')],
  ] as const)
    it(`refuses a SEND ${what}`, async (t) => {
      const { client, got } = await startTestIntake(t);
      const publisher = await client();
      publisher.write(frame);
      assert.equal((await publisher.frame(2)).command, 'ERROR');
      assert.equal(got.all.length, 0);
    });

  it('takes no SEND before CONNECT', async (t) => {
    const { client, got } = await startTestIntake(t);
    const publisher = await client(send('x'));
    assert.equal((await publisher.frame(1)).command, 'ERROR');
    assert.equal(got.all.length, 0);
  });

  it('sends heart-beats to a client that wants them, and one that beats is not idle', async (t) => {
    const { client } = await startTestIntake(t, { config: { idleTimeoutMs: 1_000 } });
    const publisher = await client('CONNECT\naccept-version:1.2\nheart-beat:50,50\n\n\0');
    const connected = await publisher.frame(1);
    assert.equal(connected.headers.get('heart-beat'), '500,500');
    const timer = setInterval(() => publisher.write('\n'), 100);
    t.after(() => clearInterval(timer));
    await eventually(() => publisher.beats() >= 3);
    assert.equal(publisher.ended(), false);
    clearInterval(timer);
    await eventually(() => publisher.ended());
  });

  it('is spoken to by stompit: publishBodies confirms each body', async (t) => {
    const { port, got } = await startTestIntake(t, {
      ackAtOnce: true,
      config: { login: 'u', passcode: 'p:\\x' },
    });
    const bodies = Array.from({ length: 500 }, (_, index) => Buffer.from(`body ${index} \0 é`));
    async function* asyncBodies() {
      yield* bodies;
    }
    const options = { host: '127.0.0.1', port, login: 'u', passcode: 'p:\\x', destination: '/queue/r' };
    const result = await publishBodies({ ...options, bodies: asyncBodies(), persistent: true });
    assert.deepEqual(result, { sent: 500 });
    assert.deepEqual(
      got.bodies(),
      bodies.map((body) => body.toString()),
    );
    await assert.rejects(
      publishBodies({ ...options, passcode: 'wrong', bodies, persistent: true }),
      /STOMP_PUBLISH_FAILED: .*login or passcode is wrong.*\(0 confirmed\)/,
    );
  });

  it('makes publishing fail, not hang, when nothing becomes durable or nobody listens', async (t) => {
    const { port } = await startTestIntake(t);
    const options = {
      host: '127.0.0.1',
      destination: '/queue/r',
      bodies: [Buffer.from('x')],
      timeoutMs: 200,
    };
    await assert.rejects(
      publishBodies({ ...options, port, persistent: true }),
      /no answer within 200 ms \(0 confirmed\)/,
    );
    await assert.rejects(
      publishBodies({ ...options, port: await freePort(), persistent: true }),
      /ECONNREFUSED/,
    );
  });

  it('stops: new clients are refused, those waiting still get their RECEIPT', async (t) => {
    const { client, got, intake, port } = await startTestIntake(t, { limits: { lingerMs: 5_000 } });
    const publisher = await client();
    const idle = await client();
    await idle.frame(1);
    publisher.write(send('x', 'receipt:1'));
    await eventually(() => got.all.length === 1);
    const stopped = intake.stop();
    await eventually(() => idle.ended());
    idle.socket.end();
    got.all[0]?.ack();
    assert.equal((await publisher.frame(2)).headers.get('receipt-id'), '1');
    publisher.socket.end();
    await stopped;
    const late = connect({ host: '127.0.0.1', port });
    const [error] = await once(late, 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  });

  it('rejects at start when its port is taken', async (t) => {
    const { port } = await startTestIntake(t);
    await assert.rejects(
      startIntake({
        config: intakeConfig({ port }),
        maxBodyBytes: MAX_BODY,
        deliver: collect().deliver,
        log: memoryLog(),
      }),
      /EADDRINUSE/,
    );
  });
});

describe('the login of the intake', () => {
  const hello = (login: string, passcode: string) => `CONNECT\nlogin:${login}\npasscode:${passcode}\n\n\0`;

  it('takes the right login and no other', async (t) => {
    const { client, intake, log } = await startTestIntake(t, {
      config: { login: 'routing', passcode: 'secret' },
    });
    assert.equal((await (await client(hello('routing', 'secret'))).frame(1)).command, 'CONNECTED');
    const bad = [hello('routing', 'Secret'), hello('other', 'secret'), hello('routing', ''), CONNECT];
    for (const bytes of bad) {
      const stranger = await client(bytes + send('x'));
      assert.equal((await stranger.frame(1)).headers.get('message'), 'login or passcode is wrong');
      await eventually(() => stranger.ended());
    }
    assert.equal(intake.status().delivered, 0);
    assert.equal(intake.status().refused, bad.length);
    assert.equal(JSON.stringify(log.lines).includes('ecret"'), false, 'no passcode in the log');
  });

  it('reads the passcode from a file', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headgear-intake-'));
    t.after(() => rm(folder, { recursive: true }));
    const passcodeFile = join(folder, 'passcode');
    writeFileSync(passcodeFile, 'from file\n');
    const { client } = await startTestIntake(t, { config: { login: 'routing', passcodeFile } });
    assert.equal((await (await client(hello('routing', 'from file'))).frame(1)).command, 'CONNECTED');
  });

  it('is warned of loudly when it is missing on an address that others reach', async (t) => {
    const log = memoryLog();
    const config = { ...intakeConfig(), host: '0.0.0.0' };
    // A destination that cannot be bound: the warning comes first, and no test listens beyond loopback.
    const { port } = await startTestIntake(t);
    const taken = startIntake({
      config: { ...config, port },
      maxBodyBytes: 1,
      deliver: collect().deliver,
      log,
    });
    await assert.rejects(taken, /EADDRINUSE/);
    assert.ok(warned(log, 'OPEN TO THE NETWORK WITHOUT A LOGIN'));
  });
});
