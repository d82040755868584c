import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import type { RawStomp } from '../support/stomp-client.ts';
import { CONNECT, MAX_BODY, send, startTestIntake } from './intake-support.ts';

/** The message of the ERROR that ends the connection. */
async function errorOf(client: RawStomp, n: number): Promise<string | undefined> {
  const error = await client.frame(n);
  assert.equal(error.command, 'ERROR');
  await eventually(() => client.ended());
  return error.headers.get('message');
}

describe('the intake under attack', () => {
  const attacks: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['an endless header line', `SEND\nx:${'y'.repeat(100_000)}`, /line is longer/],
    ['endless headers', `SEND\n${'a:b\n'.repeat(10_000)}`, /more than 64 headers/],
    ['an endless command', 'S'.repeat(100_000), /line is longer/],
    ['a giant content-length', send('x', 'content-length:999999999999'), /body is larger/],
    ['a content-length beyond all numbers', send('x', `content-length:${'9'.repeat(400)}`), /not a number/],
    ['a negative content-length', send('x', 'content-length:-1'), /not a number/],
    ['a body without length above the limit', send('x'.repeat(MAX_BODY + 1)), /body is larger/],
    ['a body longer than its length', send('x\0SEND', 'content-length:2'), /goes on after/],
    ['a NUL within the head', 'SEND\ndestination:/queue/a\0\n\nx\0', /NUL byte/],
    ['NULs instead of frames', Buffer.alloc(1_000), /NUL byte/],
    ['an undefined escape', send('x', 'a:\\t'), /escape/],
    ['a header without a colon', send('x', 'nonsense'), /no name and colon/],
    ['TLS', Buffer.from('160301020001000100', 'hex'), /NUL byte/],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n\0', /only SEND/],
  ];
  for (const [what, bytes, reason] of attacks)
    it(`refuses ${what}, and nothing else suffers`, async (t) => {
      const { client, got } = await startTestIntake(t, { ackAtOnce: true });
      const bystander = await client();
      const attacker = await client();
      attacker.write(bytes);
      assert.match((await errorOf(attacker, 2)) ?? '', reason);
      bystander.write(send('fine', 'receipt:1'));
      assert.equal((await bystander.frame(2)).command, 'RECEIPT');
      assert.deepEqual(got.bodies(), ['fine']);
    });

  it('delivers the SENDs before the bad frame, and only those', async (t) => {
    const { client, got } = await startTestIntake(t);
    const attacker = await client(`${CONNECT}${send('good')}SEND\n:bad\n\n\0${send('after')}`);
    await errorOf(attacker, 2);
    assert.deepEqual(got.bodies(), ['good']);
  });

  it('takes a body of exactly the limit, with and without length', async (t) => {
    const { client, got } = await startTestIntake(t);
    const body = 'x'.repeat(MAX_BODY);
    (await client()).write(send(body) + send(body, `content-length:${MAX_BODY}`));
    await eventually(() => got.all.length === 2);
    assert.deepEqual(
      got.all.map((delivery) => delivery.body.length),
      [MAX_BODY, MAX_BODY],
    );
  });

  it('holds at most 256 unconfirmed SENDs of a connection, and all 1,000 come in order in the end', async (t) => {
    const { client, got, intake } = await startTestIntake(t);
    const attacker = await client();
    const bodies = Array.from({ length: 1_000 }, (_, index) => `body ${index}`);
    attacker.write(bodies.map((body, index) => send(body, `receipt:${index}`)).join(''));
    await eventually(() => got.all.length === 256);
    const bystander = await client();
    bystander.write(send('bystander'));
    await eventually(() => got.all.length === 257);
    assert.equal(intake.status().unconfirmed, 257);
    let next = 0;
    await eventually(() => {
      while (next < got.all.length) got.all[next++]?.ack();
      return got.all.length === 1_001;
    });
    await attacker.frame(1_001);
    assert.deepEqual(
      got.bodies().filter((body) => body !== 'bystander'),
      bodies,
    );
  });

  it('delivers each SEND once when acks come from within the delivery', async (t) => {
    const { client, got } = await startTestIntake(t, { ackAtOnce: true });
    const publisher = await client();
    publisher.write(Array.from({ length: 1_000 }, (_, index) => send(`${index}`)).join(''));
    publisher.write('DISCONNECT\nreceipt:done\n\n\0');
    await publisher.frame(2);
    assert.deepEqual(
      got.bodies(),
      Array.from({ length: 1_000 }, (_, index) => `${index}`),
    );
  });

  it('delivers all SENDs of a client that ends its side while held back', async (t) => {
    const { client, got } = await startTestIntake(t);
    const publisher = await client();
    publisher.socket.end(Array.from({ length: 600 }, (_, index) => send(`${index}`)).join(''));
    let next = 0;
    await eventually(() => {
      while (next < got.all.length) got.all[next++]?.ack();
      return got.all.length === 600;
    });
    await eventually(() => publisher.ended());
  });

  it('stops reading everywhere when unconfirmed bodies use up the shared memory, and reads on after acks', async (t) => {
    const { client, got } = await startTestIntake(t, { limits: { maxUnconfirmedBytes: 5_000 } });
    const first = await client();
    first.write(send('x'.repeat(6_000)));
    await eventually(() => got.all.length === 1);
    const second = await client();
    second.write(send('waits'));
    first.write(send('waits too'));
    got.all[0]?.ack();
    await eventually(() => got.all.length === 3);
    assert.equal(got.bodies()[0]?.length, 6_000);
  });

  it('ends a slow drip, however busily it drips', async (t) => {
    const { client, got } = await startTestIntake(t, { limits: { frameTimeoutMs: 150 } });
    const attacker = await client();
    attacker.write('SEND\ndestination:/queue/x\n\n');
    const drip = setInterval(() => attacker.write('x'), 10);
    t.after(() => clearInterval(drip));
    assert.match((await errorOf(attacker, 2)) ?? '', /took too long/);
    assert.equal(got.all.length, 0);
  });

  it('ends a client that does not log in, however busily it beats', async (t) => {
    const { client } = await startTestIntake(t, { limits: { loginTimeoutMs: 150 } });
    const attacker = await client('\n');
    const beat = setInterval(() => attacker.write('\n'), 10);
    t.after(() => clearInterval(beat));
    assert.match((await errorOf(attacker, 1)) ?? '', /no CONNECT in time/);
  });

  it('closes an idle connection, but not one whose SEND is not durable yet', async (t) => {
    const { client, got } = await startTestIntake(t, { config: { idleTimeoutMs: 1_000 } });
    const busy = await client();
    busy.write(send('x', 'receipt:1'));
    await eventually(() => got.all.length === 1);
    const idle = await client();
    await eventually(() => idle.ended());
    assert.equal(busy.ended(), false);
    got.all[0]?.ack();
    assert.equal((await busy.frame(2)).command, 'RECEIPT');
    await eventually(() => busy.ended());
  });

  it('refuses connections above the limit, and takes new ones when old ones have gone', async (t) => {
    const { client, intake } = await startTestIntake(t, { config: { maxConnections: 2 } });
    const [first, second] = [await client(), await client()];
    await first?.frame(1);
    await second?.frame(1);
    const third = await client();
    assert.equal(await errorOf(third, 1), 'too many connections');
    third.socket.end();
    first?.socket.end();
    await eventually(() => intake.status().connections === 1);
    assert.equal((await (await client()).frame(1)).command, 'CONNECTED');
  });

  it('holds back a client that never reads its RECEIPTs, and ends it in time', async (t) => {
    const { client, got, intake } = await startTestIntake(t, {
      ackAtOnce: true,
      limits: { maxUnsentBytes: 10_000, frameTimeoutMs: 300 },
    });
    const attacker = await client();
    await attacker.frame(1);
    attacker.socket.pause();
    const batch = send('', `receipt:${'r'.repeat(8_000)}`).repeat(50);
    let closed = false;
    attacker.socket.on('close', () => {
      closed = true;
    });
    await eventually(() => {
      if (!closed && attacker.socket.writableLength < 1_000_000) attacker.write(batch);
      return intake.status().connections === 0;
    });
    // What the kernel's buffers of both sides take, and no more.
    assert.ok(got.all.length < 5_000, String(got.all.length));
  });

  it('lets an endless sender whose frame was refused not hold the connection', async (t) => {
    const { client, intake } = await startTestIntake(t);
    const attacker = await client();
    attacker.write(send('x', 'content-length:999999999'));
    const flood = setInterval(() => attacker.write(Buffer.alloc(10_000, 120)), 1);
    t.after(() => clearInterval(flood));
    await eventually(() => intake.status().connections === 0);
  });

  it('counts every refusal, but does not let a flood of them fill the log', async (t) => {
    const { client, intake, log } = await startTestIntake(t);
    for (let index = 0; index < 60; index += 1) await errorOf(await client('NONSENSE\n\n\0'), 1);
    assert.equal(intake.status().refused, 60);
    assert.ok(log.lines.filter((line) => line.level === 'warn').length < 50);
  });
});
