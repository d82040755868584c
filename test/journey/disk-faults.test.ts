/** Disks that fail under a running Headgear: traffic goes on in each case, and events once they can. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { failingDisks, forbidWriting } from '../support/disks.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { skipWithout } from '../support/parts.ts';
import { createApplication } from '../support/spi-bodies.ts';
import { faultScene, type SceneOptions } from './fault-scene.ts';

const scratch = mkdtempSync(join(tmpdir(), 'headgear-disks-'));
const disks = failingDisks(scratch);
rmSync(scratch, { recursive: true });

describe('disk faults', { skip: skipWithout('activemq') }, () => {
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
  const scene = (t: TestContext, name: string, options: SceneOptions) =>
    faultScene(t, name, { bus, gear }, options);
  const often = { store: { snapshotIntervalMs: 1_000 } };

  for (const [n, makeDisk] of disks.entries()) {
    const disk = makeDisk();
    it(`the disk is full (${disk.means}): events wait unacked, a restart loses none, and they are applied once there is room`, async (t) => {
      const { through, prepare } = disk;
      t.after(disk.remove);
      const { home, headgear, send, proveTraffic } = await scene(t, `full${n}`, {
        ...{ through, prepare, config: often },
      });
      // One that is older than what follows.
      await headgear.untilStatus('a snapshot', (status) => status.control.snapshotAt !== null);
      disk.fill();
      const crowd = Array.from({ length: 2_000 }, (_, i) => ({ appName: `crowd${i}`, namespace: 'full' }));
      await send(crowd.map((app) => createApplication(app)));
      const full = await headgear.untilStatus(
        'the store refusing',
        ({ control }) => control.storeTrouble !== null,
      );
      assert.ok(full.control.applications < crowd.length);
      await proveTraffic();
      await headgear.kill9();
      // Nothing of what it needs to start may want room: what was acked has to be served, and not an older snapshot.
      const again = await home.start({ through });
      const { control } = await again.untilStatus(
        'the store refusing again',
        (status) => status.control.storeTrouble !== null,
      );
      assert.ok(control.applications >= full.control.applications);
      assert.equal(control.storeRestored, null);
      disk.free(again.child.pid);
      const mended = await again.untilStatus(
        'all of them',
        (status) => status.control.applications === crowd.length + 1 && status.control.storeTrouble === null,
      );
      assert.equal(mended.control.quarantined, 0);
    });
  }

  it('the disk is full when a snapshot is due: that is said with its reason, and nothing else suffers', async (t) => {
    const disk = disks[0]?.();
    assert.ok(disk);
    const { through, prepare } = disk;
    t.after(disk.remove);
    const options = { through, prepare, config: often };
    const { headgear, send, proveTraffic } = await scene(t, 'snapshot', options);
    disk.fill();
    await send(
      Array.from({ length: 2_000 }, (_, i) => createApplication({ appName: `a${i}`, namespace: 'full' })),
    );
    const failed = await headgear.untilStatus(
      'the snapshot failing',
      ({ control }) => control.snapshotTrouble !== null,
    );
    assert.match(failed.control.snapshotTrouble ?? '', /no space|too large|EFBIG|Input\/output/i);
    await proveTraffic();
    disk.free(headgear.child.pid);
    await headgear.untilStatus('all applied', ({ control }) => control.applications === 2_001);
    await proveTraffic();
  });

  it('the state folder turns read-only: events go on being applied, and that no snapshot can be taken is said', async (t) => {
    // Root may write anywhere, unless it gives that right up.
    const through =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];
    const { home, headgear, proveEvents, proveTraffic } = await scene(t, 'readonly', {
      through,
      config: often,
    });
    const state = join(home.folder, 'state');
    chmodSync(state, 0o500);
    try {
      await proveEvents('while.readonly.test');
      const failed = await headgear.untilStatus(
        'the snapshot failing',
        ({ control }) => control.snapshotTrouble !== null,
      );
      assert.match(failed.control.snapshotTrouble ?? '', /EACCES|permission/i);
      assert.equal(failed.control.storeTrouble, null);
      await proveEvents('still.readonly.test');
      await proveTraffic();
    } finally {
      chmodSync(state, 0o700);
    }
  });

  it('the state file can be written no more: events wait unacked, and are applied once it can', async (t) => {
    const { home, headgear, send, proveEvents, proveTraffic } = await scene(t, 'unwritable', {});
    const { means, allow } = forbidWriting(headgear.child.pid, join(home.folder, 'state', 'state.mdb'));
    t.diagnostic(means);
    try {
      await send([createApplication({ appName: 'later', namespace: 'here' })]);
      await headgear.untilStatus('the store refusing', ({ control }) => control.storeTrouble !== null);
      await proveTraffic();
      assert.equal((await headgear.apps()).length, 1);
    } finally {
      allow();
    }
    await headgear.untilApp('here/later', (app) => app !== null);
    await proveEvents('after.unwritable.test');
    await proveTraffic();
  });
});
