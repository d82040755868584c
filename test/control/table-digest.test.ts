import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { body, endpointFacts } from './fakes.ts';
import { scene } from './scenery.ts';

const endpoint = (app: string, port: number) =>
  body('add_public_endpoint', app, endpointFacts('10.0.0.1', port));
const alias = (app: string, name: string) => body('add_alias', app, { alias: name });

async function started(t: { after(end: () => Promise<void>): void }) {
  const it = scene();
  await it.control.recover();
  t.after(() => it.control.stop());
  return { ...it, digest: () => eventually(it.control.digest, 'the digest') };
}

test('two tables have one digest whatever order they came in, kept up from the first question or made later', async (t) => {
  const [first, second] = [await started(t), await started(t)];
  const empty = await first.digest();
  const events = [
    endpoint('a/b', 1),
    endpoint('a/b', 2),
    alias('a/b', 'x.test'),
    alias('a/b', 'y.test'),
    endpoint('c/d', 3),
  ];
  await first.send(...events);
  await second.send(...events.reverse(), endpoint('a/b', 9));
  const whole = await first.digest();
  assert.match(whole, /^[0-9a-f]{32}$/);
  assert.notEqual(whole, empty);
  assert.notEqual(await second.digest(), whole);
  await second.send(
    body('remove_public_endpoint', 'a/b', { ...endpointFacts('10.0.0.1', 9), types: [], protocols: [] }),
  );
  assert.equal(await second.digest(), whole);
  await first.send(body('delete_application', 'a/b'), body('delete_application', 'c/d'));
  assert.equal(await first.digest(), empty);
});

test('what changes while the digest is made is in it', async (t) => {
  const it = await started(t);
  await it.send(...Array.from({ length: 50 }, (_, n) => endpoint(`a/b${n}`, n + 1)));
  assert.equal(it.control.digest(), null);
  await it.send(endpoint('a/b0', 1000), body('delete_application', 'a/b1'));
  const live = await it.digest();
  const again = scene({}, it.store);
  await again.control.recover();
  t.after(() => again.control.stop());
  assert.equal(await eventually(again.control.digest, 'the digest'), live);
});

for (const changes of [300, 4_200]) {
  test(`${changes} changes since the last question are in the next answer, as if it was the first`, async (t) => {
    const it = await started(t);
    const before = await it.digest();
    await it.send(...Array.from({ length: changes }, (_, n) => endpoint(`a/b${n}`, n + 1)));
    assert.equal(it.control.digest(), null);
    const caughtUp = await it.digest();
    assert.notEqual(caughtUp, before);
    const again = scene({}, it.store);
    await again.control.recover();
    t.after(() => again.control.stop());
    assert.equal(await eventually(again.control.digest, 'the digest'), caughtUp);
  });
}
