/** What breaks around Headgear while it serves: traffic goes on in each case, and so do events once they can. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { connectRaw } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import {
  CLOUD_DOMAIN,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
} from '../support/headgear-process.ts';
import { skipWithout } from '../support/parts.ts';
import { addEndpoint, createApplication, removeEndpoint } from '../support/spi-bodies.ts';
import { rawStomp } from '../support/stomp-client.ts';
import { faultScene, type SceneOptions, sendFrame } from './fault-scene.ts';

const CLOCK_JUMPS = new URL('../support/clock-jumps.js', import.meta.url).href;

describe('faults', { skip: skipWithout('activemq') }, () => {
  let bus: ActiveMq;
  let gear: Gear;
  before(async () => {
    gear = await startGear();
    bus = await startActiveMq();
  });
  after(async () => {
    await bus?.stop();
    await gear?.stop();
  });

  const scene = (t: TestContext, name: string, options?: SceneOptions) =>
    faultScene(t, name, { bus, gear }, options);

  it('scenario 17: ActiveMQ hangs (SIGSTOP), is found out by its heart-beats, and goes on', async (t) => {
    const { headgear, proveEvents, proveTraffic } = await scene(t, 'paused');
    t.after(() => bus.resume());
    bus.pause();
    await headgear.untilStatus('the silence noticed', ({ bus: status }) => status?.connected === false);
    await proveTraffic();
    bus.resume();
    await headgear.untilStatus('the subscription', ({ bus: status }) => status?.connected === true);
    await proveEvents('after.pause.test');
    await proveTraffic();
  });

  it('scenario 17: ActiveMQ is gone for good, and another one of the list takes over', async (t) => {
    const second = await startActiveMq();
    t.after(() => second.stop());
    const first = await startActiveMq();
    t.after(() => first.stop());
    const { headgear, proveEvents, proveTraffic } = await scene(t, 'replaced', { hosts: [first, second] });
    await first.kill9();
    const took = await headgear.untilStatus(
      'the other one',
      ({ bus: status }) => status?.connected === true && status.server === `127.0.0.1:${second.port}`,
    );
    assert.equal(took.bus?.reconnects, 1);
    await proveEvents('after.replacement.test', second);
    await proveTraffic();
  });

  it('scenario 19: ten thousand poison messages in a row are quarantined within its bounds, and what follows them is applied', async (t) => {
    const { headgear, proveEvents, proveTraffic } = await scene(t, 'poison', {
      config: { events: { maxQuarantined: 300 } },
    });
    const poison = [
      'no map',
      '---\n:action: [',
      '---\n:action: :add_alias\n',
      '---\n- 1\n',
      '\xff\xfe',
      `${'a: &a [x]\n'}${'b: [*a, *a]\n'.repeat(40)}`,
      'x'.repeat(300),
    ];
    const raw = await rawStomp(bus.port, 'CONNECT\naccept-version:1.2\nhost:x\n\n\0');
    t.after(() => void raw.socket.destroy());
    for (let n = 0; n < 10_000; n += 1) {
      const body = Buffer.from(poison[n % poison.length] ?? '', 'latin1');
      raw.write(sendFrame('/queue/fault-poison', body));
    }
    raw.write('DISCONNECT\nreceipt:bye\n\n\0');
    await eventually(() => raw.frames.length > 1, 'all sent', PATIENCE_MS);
    await proveEvents('after.poison.test');
    await proveTraffic();
    const { control } = await headgear.status();
    assert.equal(control.quarantined, 300);
    const metrics = await headgear.adminText('/metrics');
    const counted = [...metrics.matchAll(/^headgear_events_quarantined_total\{[^}]*\} (\d+)$/gm)];
    assert.equal(
      counted.reduce((sum, [, count]) => sum + Number(count), 0),
      10_000,
    );
  });

  it('scenario 4: bodies of 1 MiB and 20 MiB and an alias bomb are quarantined, and what follows is applied', async (t) => {
    const { headgear, send, proveEvents, proveTraffic } = await scene(t, 'large');
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let n = 1; n < 9; n += 1) {
      const last = String.fromCharCode(96 + n);
      bomb.push(`${String.fromCharCode(97 + n)}: &${String.fromCharCode(97 + n)} [${`*${last},`.repeat(9)}]`);
    }
    await send([
      Buffer.alloc(1_048_576, 'x: y\n'),
      Buffer.alloc(20 * 1_048_576, 'x'),
      Buffer.from(bomb.join('\n')),
    ]);
    await proveEvents('after.large.test');
    await proveTraffic();
    const entries = await quarantined(headgear);
    assert.deepEqual(entries.reverse(), [
      ['SPI_TOO_COMPLEX', 1_048_576],
      ['SPI_TOO_LARGE', 20 * 1_048_576],
      ['SPI_TOO_MANY_ALIASES', bomb.join('\n').length],
    ]);
  });

  it('scenario 4: a body of 100 MiB, the most that ActiveMQ takes, is quarantined, and what follows is applied', async (t) => {
    const large = await startActiveMq(undefined, 1_536);
    t.after(() => large.stop());
    const { headgear, send, proveEvents, proveTraffic } = await scene(t, 'huge', { hosts: [large] });
    const bytes = 100 * 1_048_576;
    await send([Buffer.alloc(bytes, 'x')]);
    await proveEvents('after.huge.test', large);
    await proveTraffic();
    const entries = await quarantined(headgear);
    assert.deepEqual(entries, [['SPI_TOO_LARGE', bytes]]);
    const { bus: status } = await headgear.status();
    assert.deepEqual([status?.reconnects, status?.unconfirmed], [0, 0]);
  });

  it('scenario 54: while no event comes nothing is published, and one that comes costs no client its connection', async (t) => {
    const { headgear, client, proveEvents, proveTraffic } = await scene(t, 'idle');
    const held = await connectRaw({ port: headgear.httpPort, timeoutMs: PATIENCE_MS });
    t.after(() => held.destroy());
    const ask = async () => {
      await held.send(`GET / HTTP/1.1\r\nHost: living-here.${CLOUD_DOMAIN}\r\n\r\n`);
      assert.equal((await held.readResponse()).status, 200);
    };
    await ask();
    const { control } = await headgear.status();
    const goal = client.answered + 200;
    await eventually(() => client.answered >= goal, 'a while without events', PATIENCE_MS);
    assert.equal((await headgear.status()).control.generation, control.generation);
    await proveEvents('now.idle.test');
    assert.equal((await headgear.status()).control.generation, control.generation + 1);
    await ask();
    await proveTraffic();
  });

  it('scenario 55: a burst of ten thousand events is applied without a failed request', async (t) => {
    const { headgear, proveEvents, proveTraffic } = await scene(t, 'burst');
    const raw = await rawStomp(bus.port, 'CONNECT\naccept-version:1.2\nhost:x\n\n\0');
    t.after(() => void raw.socket.destroy());
    const crowd = Array.from({ length: 1_000 }, (_, n) => ({ appName: `crowd${n}`, namespace: 'burst' }));
    const at = (n: number, node: number) => ({
      gearId: `65a1f00dc0ffee00${n.toString(16).padStart(8, '0')}`,
      address: `10.${node}.${n >> 8}.${n & 255}`,
      port: 40_000,
    });
    // Each gear moves four times: add there, remove here.
    for (let move = 0; move < 5; move += 1)
      for (const [n, app] of crowd.entries()) {
        const bodies = [
          move === 0 ? createApplication(app) : removeEndpoint(app, at(n, move)),
          addEndpoint(app, at(n, move + 1)),
        ];
        for (const body of bodies.reverse()) raw.write(sendFrame('/queue/fault-burst', body));
      }
    raw.write('DISCONNECT\nreceipt:bye\n\n\0');
    await eventually(() => raw.frames.length > 1, 'all sent', PATIENCE_MS);
    await proveEvents('after.burst.test');
    await proveTraffic();
    const apps = (await headgear.apps()).filter(({ key }) => key.startsWith('burst/'));
    assert.deepEqual(
      apps.map(({ endpoints }) => endpoints.map(({ address }) => address.split('.')[1])),
      crowd.map(() => ['5']),
    );
  });

  it('the clock jumps back and ahead: nothing stops, nothing expires', async (t) => {
    const { headgear, proveEvents, proveTraffic } = await scene(t, 'clock', { preload: [CLOCK_JUMPS] });
    for (let jump = 1; jump <= 4; jump += 1) {
      process.kill(headgear.child.pid, 'SIGUSR2');
      await eventually(
        () => headgear.child.stderr().split('clock jumped').length === jump + 1,
        'the jump',
        PATIENCE_MS,
      );
      await proveEvents(`after.jump${jump}.test`);
      await proveTraffic();
    }
    const { bus: status } = await headgear.status();
    assert.equal(status?.reconnects, 0);
  });
});

/** Code and size of each message in quarantine, newest first. */
async function quarantined(headgear: HeadgearProcess): Promise<(readonly [code: string, bytes: number])[]> {
  const answer = await headgear.admin<{ entries: { code: string; content: { bytes: number } }[] }>(
    '/quarantine',
  );
  return (answer?.entries ?? []).map(({ code, content }) => [code, content.bytes] as const);
}

describe('a state folder that cannot be written', () => {
  it('is refused at the start, in words that say which', async (t) => {
    const home = headgearHome({ intake: { port: 0 } });
    t.after(() => home.remove());
    const dir = join(home.folder, 'state');
    mkdirSync(dir);
    chmodSync(dir, 0o500);
    // Root may write anywhere, unless it gives that right up.
    const through =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];
    const { code, said } = await home.startInVain({ through });
    chmodSync(dir, 0o700);
    assert.equal(code, 1);
    assert.ok(said.includes(dir), said);
    assert.match(said, /EACCES|permission/i);
  });
});
