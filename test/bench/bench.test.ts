import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Row } from '../../bench/report.ts';

const bench = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'headgear-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the bench with a folder of its own for temporary files. */
async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)(process.execPath, [bench, ...args], {
    env: { ...process.env, TMPDIR: folder, BENCH_NODE_OPTIONS: '' },
    timeout: 120_000,
  });
}

test('the bench gives figures of every target over HTTP and HTTPS, and leaves nothing behind', async () => {
  const file = join(folder, 'figures.json');
  const { stdout, stderr } = await run('--smoke', '--json', file, '--engine', 'http-proxy');
  const { rows } = JSON.parse(readFileSync(file, 'utf8')) as { rows: readonly Row[] };
  // nginx and HAProxy are measured where they are installed, and named where they are not.
  const expected = ['headgear', 'nginx', 'haproxy', 'http-proxy', 'headgear-http-proxy'].filter(
    (target) => !stderr.includes(`left out: target ${target} needs`),
  );
  for (const scheme of ['http', 'https']) {
    const found = rows.filter((row) => row.scheme === scheme);
    assert.deepEqual(
      found.map((row) => row.target),
      expected,
    );
    for (const { requestsPerSecond, p99Ms, cpuUs } of found) {
      assert.ok(requestsPerSecond.median > 0);
      assert.ok(p99Ms.median > 0);
      if (process.platform === 'linux') assert.ok((cpuUs?.median ?? 0) > 0);
    }
  }
  for (const target of expected) assert.match(stdout, new RegExp(`^ {2}${target} `, 'm'));
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
