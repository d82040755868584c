import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../../src/cli/run-cli.ts';
import { newKeyText } from '../../src/seal/key-ring.ts';
import { unsealPem } from '../../src/seal/sealed-pem.ts';
import { startKeyCare } from '../../src/store/key-care.ts';
import { type KeySource, keySourceOf } from '../../src/store/master-key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { batch } from '../store/samples.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { memoryIo } from './memory-io.ts';

const owner = { app: 'demo/shop', alias: 'www.shop.test', id: 'c0ffee' };
const pem = { chainPem: 'chain\n', keyPem: 'key\n' };

interface Home {
  readonly configFile: string;
  readonly source: Extract<KeySource, { kind: 'file' }>;
  open(): ReturnType<typeof openStore>;
  keys(): readonly string[];
}

async function withHome(run: (home: Home) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-rotate-'));
  const dir = join(folder, 'state');
  const configFile = join(folder, 'headgear.json');
  writeFileSync(configFile, JSON.stringify({ cloudDomain: 'apps.test', listeners: {}, stateDir: dir }));
  const source = keySourceOf({}, dir);
  assert.ok(source.kind === 'file');
  const open = () => openStore({ dir, maxQuarantined: 10, masterKey: source, log: memoryLog() });
  const keys = () =>
    readFileSync(source.path, 'utf8')
      .split('\n')
      .filter((line) => /^[0-9a-f]{64}$/.test(line));
  try {
    const store = await open();
    const { app, alias, id } = owner;
    const certificate = store.seal(app, alias, { id, ...pem });
    await store.commit(batch({ certificates: [{ app, alias, certificate }] }));
    await store.close();
    await run({ configFile, source, open, keys });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function opens(home: Home): Promise<void> {
  const store = await home.open();
  const held = store.certificate(owner.app, owner.alias);
  assert.deepEqual(held && unsealPem(store.keys, owner, held.sealed), pem);
  await store.close();
}

test('rotate-key brings a store at rest under a new key and takes the former one away', async () => {
  await withHome(async (home) => {
    const [former] = home.keys();
    const io = memoryIo();
    assert.equal(await runCli(['rotate-key', '--config', home.configFile], io), 0, io.errors.join('\n'));
    assert.equal(home.keys().length, 1);
    assert.notEqual(home.keys()[0], former);
    for (const key of [former ?? '', ...home.keys()]) assert.equal(io.lines.join().includes(key), false);
    await opens(home);
  });
});

test('rotate-key with a running Headgear leaves the work to it, and goes on with a rotation that was broken off', async () => {
  await withHome(async (home) => {
    const store = await home.open();
    const waitsForNobody = memoryIo();
    const args = ['rotate-key', '--config', home.configFile];
    assert.equal(await runCli([...args, '--wait-seconds', '0'], waitsForNobody), 1);
    assert.match(waitsForNobody.errors.join('\n'), /still has the former key.*Nothing is lost/);
    assert.equal(home.keys().length, 2);
    const current = home.keys()[0];

    const care = startKeyCare({
      store,
      source: home.source,
      log: memoryLog(),
      metrics: memoryMetrics(),
      pollMs: 20,
    });
    writeFileSync(home.source.path, readFileSync(home.source.path, 'utf8').concat('# touched\n'));
    const io = memoryIo();
    assert.equal(await runCli([...args, '--wait-seconds', '60'], io), 0, io.errors.join('\n'));
    assert.match(io.lines.join('\n'), /begun before; going on with it/);
    assert.deepEqual(home.keys(), [current]);
    await care.stop();
    await store.close();
    await opens(home);
  });
});

test('rotate-key says what to do where the key comes from the environment, and where there is none', async () => {
  await withHome(async (home) => {
    const io = memoryIo({ env: { HEADGEAR_MASTER_KEY: newKeyText() } });
    assert.equal(await runCli(['rotate-key', '--config', home.configFile], io), 1);
    assert.match(io.errors.join('\n'), /set HEADGEAR_MASTER_KEY to the new key, a comma, and the former one/);
    rmSync(home.source.path);
    const none = memoryIo();
    assert.equal(await runCli(['rotate-key', '--config', home.configFile], none), 1);
    assert.match(none.errors.join('\n'), /the master key cannot be read: .*master\.key/);
  });
});
