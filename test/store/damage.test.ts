import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { copyApart, verifyApart } from '../../src/store/check-file.ts';
import { crc32, portableCrc32, textCrc32 } from '../../src/store/crc32.ts';
import { decodeRecord, encodeRecord, soundValue } from '../../src/store/records.ts';
import { newName } from '../../src/store/restore.ts';
import { StoreError } from '../../src/store/store-error.ts';
import type { Store } from '../../src/store/types.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { startChild } from './children.ts';
import { application, batch, certificate, openTestStore, quarantined, withDirectory } from './samples.ts';

const PAGE_BYTES = 4_096;

/** A store with `count` applications, a snapshot of it, and one application more that the snapshot lacks. */
async function stateWithSnapshot(dir: string, count = 40): Promise<void> {
  const store = await openTestStore(dir);
  const apps = Array.from({ length: count }, (_, index) => application(`app${index}`));
  await store.commit(
    batch({
      apps: apps.map((app) => [app.key, app]),
      certificates: apps.map(({ key }) => ({
        app: key,
        alias: 'foo.example.com',
        certificate: certificate(key.repeat(30)),
      })),
      quarantine: [quarantined({ body: Buffer.alloc(20_000, 7) })],
      generation: 7,
    }),
  );
  await store.snapshot();
  assert.equal(store.health().snapshotTrouble, null);
  const late = application('late');
  await store.commit(batch({ apps: [[late.key, late]], generation: 8 }));
  await store.close();
}

function flipBit(path: string, bit: number): void {
  const bytes = readFileSync(path);
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, bytes);
}

/** Takes the files of the state to be put back as often as wanted. */
function keepState(dir: string): () => void {
  const redo = (): string[] => readdirSync(dir).filter((name) => name.startsWith('state.redo-'));
  const kept = ['state.mdb', ...redo()].map((name) => [name, readFileSync(`${dir}/${name}`)] as const);
  return () => {
    for (const name of redo()) rmSync(`${dir}/${name}`);
    for (const [name, bytes] of kept) writeFileSync(`${dir}/${name}`, bytes);
  };
}

function everythingIn(store: Store): unknown {
  return [store.recover(), [...store.allCertificates()], store.quarantined(100)];
}

/** Leaf pages whose first key is that of a table. */
function pagesOfTables(file: Buffer): number[] {
  const pages = Array.from({ length: file.length / PAGE_BYTES }, (_, page) => page);
  return pages.filter((page) => {
    const bytes = file.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    const node = 24 + bytes.readUInt16LE(24);
    return bytes.readUInt16LE(18) === 2 && bytes.toString('latin1', node + 8, node + 13) === 'apps\0';
  });
}

function leftovers(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.includes('.new'));
}

const hasCode = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;

test('the checksum is the same on every Node, and the well-known one', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.equal(portableCrc32(b, portableCrc32(a)), crc32(Buffer.concat([a, b])));
      assert.equal(crc32(b, crc32(a)), portableCrc32(Buffer.concat([a, b])));
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
      assert.equal(textCrc32(text), crc32(Buffer.from(text)));
    }),
  );
});

test('a record is read as it was written; with any bit flipped, cut short, or under another key or table it is refused', () => {
  const value = Buffer.from('{"name":"Müller"}');
  const bytes = encodeRecord('apps', 'demo/a', value);
  assert.deepEqual(decodeRecord('apps', 'demo/a', bytes), value);
  const damaged = (changed: Buffer, table = 'apps', key = 'demo/a') => {
    assert.equal(soundValue(table, key, changed), null);
    assert.throws(() => decodeRecord(table, key, changed), hasCode('STORE_DAMAGED'));
  };
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    damaged(changed);
  }
  for (let length = 0; length < bytes.length; length++) damaged(bytes.subarray(0, length));
  damaged(bytes, 'certificates');
  damaged(bytes, 'apps', 'demo/b');
});

test('a truncated store is replaced by the last verified snapshot and the log, which is said loudly, and goes on from there', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    const size = statSync(`${dir}/state.mdb`).size;
    const putBack = keepState(dir);
    for (const length of [0, 100, 2 * PAGE_BYTES, size >> 1, size - PAGE_BYTES]) {
      putBack();
      truncateSync(`${dir}/state.mdb`, length);
      const log = memoryLog();
      const store = await openTestStore(dir, { log });
      const { apps, generation } = store.recover();
      assert.deepEqual([apps.length, generation], [41, 8], `cut to ${length}`);
      const { restored } = store.health();
      // What is cut off at the end may be a page that nothing refers to.
      if (restored !== null) {
        assert.deepEqual(log.lines.filter(({ level }) => level === 'error').length, 1);
        assert.match(JSON.stringify(log.lines), /THE STORE WAS DAMAGED.*STORE_DAMAGED.*snapshotTakenAt/);
        assert.equal(restored.lost, false);
        assert.equal(restored.snapshotAt, Math.round(statSync(`${dir}/state.snapshot`).mtimeMs));
        if (length > 0) assert.equal(statSync(`${dir}/state.damaged`).size, length);
      }
      const next = application(`next`);
      await store.commit(batch({ apps: [[next.key, next]], generation: 9 }));
      await store.close();
      const again = await openTestStore(dir);
      assert.equal(again.health().restored, null, 'once');
      assert.equal(again.recover().generation, 9);
      await again.close();
    }
  });
});

test('whatever bit of the store is flipped, it opens with what was committed last, never with another thing', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    const bits = statSync(`${dir}/state.mdb`).size * 8;
    const expected = await openTestStore(dir);
    const latest = everythingIn(expected);
    await expected.close();
    const putBack = keepState(dir);
    // In the heads of pages, where lmdb keeps what it trusts; other ones each run.
    const pages = Array.from({ length: 6 }, () => Math.floor((Math.random() * bits) / 8 / PAGE_BYTES));
    for (const page of pages) {
      const bit = page * PAGE_BYTES * 8 + Math.floor(Math.random() * 1_024);
      putBack();
      flipBit(`${dir}/state.mdb`, bit);
      const store = await openTestStore(dir);
      const found = store.recover();
      assert.deepEqual(everythingIn(store), latest, `bit ${bit}`);
      // Nor does what follows overwrite anything.
      for (let generation = 9; generation < 14; generation++) {
        const next = application(`next${generation}`);
        await store.commit(
          batch({
            apps: [
              [next.key, next],
              [`demo/app${generation}`, null],
            ],
            generation,
          }),
        );
      }
      assert.equal(store.recover().apps.length, found.apps.length);
      await store.close();
    }
  });
});

test('a list of tables that became shorter, or of another kind, is damage, and no store with fewer tables', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    const expected = await openTestStore(dir);
    const latest = everythingIn(expected);
    await expected.close();
    const putBack = keepState(dir);
    // Flags at 18, length at 20: of every list there is, older ones too, which lie in pages that are free now.
    const lists = pagesOfTables(readFileSync(`${dir}/state.mdb`));
    const restored: string[] = [];
    for (const page of lists) {
      for (const bit of [18 * 8 + 5, 20 * 8 + 2, 20 * 8 + 4]) {
        putBack();
        flipBit(`${dir}/state.mdb`, page * PAGE_BYTES * 8 + bit);
        const store = await openTestStore(dir);
        assert.deepEqual(everythingIn(store), latest, `page ${page}, bit ${bit}`);
        restored.push(store.health().restored?.reason ?? 'sound');
        await store.close();
      }
    }
    assert.equal(restored.filter((reason) => reason !== 'sound').length, 3, restored.join('; '));
  });
});

test('a store that is missing while its snapshot is there is taken from the snapshot and the log', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    rmSync(`${dir}/state.mdb`);
    const store = await openTestStore(dir);
    assert.equal(store.recover().generation, 8);
    assert.match(store.health().restored?.reason ?? '', /missing/);
    assert.equal((statSync(`${dir}/state.mdb`).mode & 0o777).toString(8), '600');
    await store.close();
  });
});

test('a damaged store without a sound snapshot is refused, untouched, with what can be done', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    truncateSync(`${dir}/state.mdb`, 2 * PAGE_BYTES);
    const found = readFileSync(`${dir}/state.mdb`);
    copyFileSync(`${dir}/state.snapshot`, `${dir}/kept`);
    truncateSync(`${dir}/state.snapshot`, 3 * PAGE_BYTES);
    await assert.rejects(openTestStore(dir), (error) => {
      assert.match(String(error), /and so is its snapshot.*put a backup in its place.*start empty/);
      return hasCode('STORE_DAMAGED')(error);
    });
    rmSync(`${dir}/state.snapshot`);
    await assert.rejects(openTestStore(dir), (error) => {
      assert.match(
        String(error),
        /there is no snapshot yet: move .*state\.mdb and all state\.redo-\* beside it away/,
      );
      return hasCode('STORE_DAMAGED')(error);
    });
    assert.deepEqual(readFileSync(`${dir}/state.mdb`), found);
    copyFileSync(`${dir}/kept`, `${dir}/state.snapshot`);
    const store = await openTestStore(dir);
    assert.equal(store.recover().generation, 8);
    await store.close();
  });
});

test('a snapshot is taken while the store is written to, holds one whole batch after the other, and is for the owner alone', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir);
    let generation = 0;
    const commit = () => {
      generation += 1;
      const apps = Array.from({ length: 20 }, (_, index) => application(`g${generation}n${index}`));
      return store.commit(batch({ apps: apps.map((app) => [app.key, app]), generation }));
    };
    await commit();
    for (let round = 0; round < 3; round++) {
      let done = false;
      const taken = store.snapshot().then(() => {
        done = true;
      });
      while (!done) await commit();
      await taken;
      assert.equal(store.health().snapshotTrouble, null);
    }
    assert.equal((statSync(`${dir}/state.snapshot`).mode & 0o777).toString(8), '600');
    await store.close();
    rmSync(`${dir}/state.mdb`);
    const restored = await openTestStore(dir);
    const found = restored.recover();
    assert.ok(found.generation > 1 && found.generation <= generation);
    assert.equal(found.apps.length, found.generation * 20);
    await restored.close();
  });
});

test('the first snapshot comes by itself, and a deleted key is not in the next one', async () => {
  await withDirectory(async (dir) => {
    const store = await openTestStore(dir, { snapshotIntervalMs: 20 });
    const app = application('keyed');
    // As good as a key: the snapshot must not hold even what is encrypted.
    const secret = { id: 'one', sealed: Buffer.from('THE-SECRET-KEY') };
    const held = () =>
      existsSync(`${dir}/state.snapshot`) && readFileSync(`${dir}/state.snapshot`).includes('THE-SECRET-KEY');
    await store.commit(
      batch({
        apps: [[app.key, app]],
        certificates: [{ app: app.key, alias: 'a.example', certificate: secret }],
      }),
    );
    await eventually(held, 'the first snapshot', 60_000);
    await store.commit(batch({ apps: [[app.key, null]] }));
    await store.snapshot();
    assert.equal(held(), false);
    await store.close();
    assert.deepEqual(leftovers(dir), []);
  });
});

test('a snapshot that cannot be taken leaves the former one, and that is said once', async () => {
  await withDirectory(async (dir) => {
    const log = memoryLog();
    await stateWithSnapshot(dir);
    const store = await openTestStore(dir, { log });
    const former = readFileSync(`${dir}/state.snapshot`);
    rmSync(`${dir}/state.mdb`);
    await store.snapshot();
    await store.snapshot();
    assert.notEqual(store.health().snapshotTrouble, null);
    assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
    assert.deepEqual(readFileSync(`${dir}/state.snapshot`), former);
    await store.close();
  });
});

test('the process that verifies is ended with the store, and files of killed ones are cleared away', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    const store = await openTestStore(dir);
    const taking = store.snapshot();
    await store.close();
    await taking;
    writeFileSync(`${dir}/state.snapshot-0123456789ab.new`, 'half');
    await (await openTestStore(dir)).close();
    assert.deepEqual(leftovers(dir), []);
  });
});

test('kill -9 of a writer at any moment leaves a store that verifies', async () => {
  await withDirectory(async (dir) => {
    for (const lines of [1, 5, 30]) {
      const child = startChild('write', dir);
      await child.untilLines(lines);
      await child.kill();
      assert.equal((await verifyApart(`${dir}/state.mdb`)).kind, 'sound');
    }
  });
});

test('a file that is no store, or is not there, is damaged; a process that cannot run proves nothing', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    writeFileSync(`${dir}/text`, 'no store'.repeat(10_000));
    assert.equal((await verifyApart(`${dir}/text`)).kind, 'damaged');
    assert.equal((await verifyApart(`${dir}/absent`)).kind, 'damaged');
    const aborted = new AbortController();
    aborted.abort();
    assert.equal((await copyApart(`${dir}/state.mdb`, `${dir}/copy`, aborted.signal)).kind, 'unknown');
  });
});

test('a copy that was under way when Headgear was killed ends with it, and the next start knows nothing of it', async () => {
  await withDirectory(async (dir) => {
    await stateWithSnapshot(dir);
    const before = readFileSync(`${dir}/state.snapshot`);
    const copier = fileURLToPath(new URL('../../src/store/verify-process.js', import.meta.url));
    const draft = newName(`${dir}/state.snapshot`);
    // Killed before the copier has begun. It holds the pipe: when that ends, so has the copier.
    const script = '"$1" "$2" $$ copy "$3" "$4" & kill -KILL $$';
    const args = ['-c', script, 'sh', process.execPath, copier, `${dir}/state.mdb`, draft];
    const killed = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    killed.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await once(killed, 'close');
    assert.equal(killed.signalCode, 'SIGKILL');
    assert.equal(said, '', 'it went on');
    await (await openTestStore(dir)).close();
    assert.deepEqual(leftovers(dir), []);
    assert.ok(readFileSync(`${dir}/state.snapshot`).equals(before));
  });
});
