import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Row } from '../../bench/report.ts';
import { SCENARIOS, SMOKE_NAMES, withConnections } from '../../bench/scenarios.ts';

const bench = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'headgear-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the bench with a folder of its own for temporary files. */
async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)(process.execPath, [bench, ...args], {
    env: { ...process.env, TMPDIR: folder, BENCH_NODE_OPTIONS: '' },
    timeout: 300_000,
  });
}

test('the bench checks every target, gives figures of every kind of scenario, and leaves nothing behind', async () => {
  const file = join(folder, 'figures.json');
  const { stdout, stderr } = await run('all', '--smoke', '--json', file, '--engine', 'http-proxy');
  const { rows } = JSON.parse(readFileSync(file, 'utf8')) as { rows: readonly Row[] };
  // What is not installed is named, and everything else is measured.
  const withoutH2Load = stderr.includes('left out: every scenario by h2load');
  const smoked = SCENARIOS.filter(({ name }) => SMOKE_NAMES.includes(name));
  for (const { name, targets, driver } of smoked.map((scenario) => withConnections(scenario, 8))) {
    const expected = targets.filter((target) => !stderr.includes(`left out: target ${target} needs`));
    const found = rows.filter((row) => row.scenario === name);
    assert.deepEqual(
      found.map(({ target }) => target).sort(),
      driver === 'h2load' && withoutH2Load ? [] : [...expected].sort(),
      name,
    );
    for (const row of found) {
      const { target, requests, failed, cpuUs, p99Ms, residentPeak, bytesPerConnection } = row;
      assert.ok(requests > 0);
      assert.equal(failed, 0, `${target} of ${name}`);
      if (driver !== 'idle') assert.ok((p99Ms?.median ?? 0) > 0);
      if (process.platform !== 'linux') continue;
      assert.ok((residentPeak ?? 0) > 0);
      if (driver === 'idle') assert.ok(bytesPerConnection !== null);
      else assert.ok((cpuUs?.median ?? -1) >= 0, `${target} of ${name}: ${JSON.stringify(row)}`);
    }
    for (const { target } of found) assert.match(stdout, new RegExp(`^ {2}${target} `, 'm'));
  }
  // A smoke run judges nothing, and says so.
  assert.match(stdout, /^ {2}not measured +CPU, 1 KiB HTTP: Headgear to nginx \(at most 1\.3; stretch 1\)$/m);
  rmSync(file);
  assert.deepEqual(readdirSync(folder), []);
});

test('the help names the benches that can be run alone', async () => {
  const { stdout } = await run('--help');
  for (const name of ['access-log', 'spi-read', 'store-commit', 'table-update', 'tls-handshake'])
    assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'));
});

test('a bench that does not exist is an error that names those that do', async () => {
  await assert.rejects(run('warp-speed'), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 64);
    assert.match(error.stderr ?? '', /no bench 'warp-speed'.*store-commit/);
    return true;
  });
});
