import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const START_APP = new URL('../src/start-app.js', import.meta.url).href;

/** What `headgear run` sets for its process, here ended by a configuration that is not there; then objects that stay, and the sizes V8 goes through for them. */
const SCRIPT = `
import { getHeapSpaceStatistics } from 'node:v8';
const size = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 1_048_576;
const sizes = [size()];
const { startApp } = await import(${JSON.stringify(START_APP)});
const refused = await startApp({ configFile: '/nowhere/headgear.json' }).catch((error) => error.name);
const kept = [];
while (sizes.at(-1) < 32 && kept.length < 10_000_000) {
  for (let i = 0; i < 1_000; i++) kept.push({ a: [i] });
  if (size() !== sizes.at(-1)) sizes.push(size());
}
console.log(JSON.stringify({ refused, sizes }));
`;

describe("V8's young generation", () => {
  it('grows to 32 MiB without being half as large first', async () => {
    const { refused, sizes } = await grown([]);
    assert.equal(refused, 'ConfigError');
    assert.ok((sizes[0] ?? 32) < 16 && (sizes.at(-1) ?? 0) >= 32, `${sizes} MiB`);
    assert.ok(!sizes.includes(16), `${sizes} MiB`);
  });

  it('grows as the command line says, where it says how', async () => {
    const { sizes } = await grown(['--semi_space_growth_factor=2']);
    assert.ok(sizes.includes(16), `${sizes} MiB`);
  });
});

/** The sizes in MiB that it had one after the other. */
async function grown(nodeOptions: readonly string[]): Promise<{ refused: string; sizes: number[] }> {
  // As Node 20 and 22 have it themselves where memory is not scarce.
  const script = ['--max-semi-space-size=16', '--input-type=module', '--eval', SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, [...nodeOptions, ...script]);
  return JSON.parse(stdout);
}
