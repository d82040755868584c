import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startTestAdmin } from './admin-actor.ts';

async function started(t: TestContext) {
  const actor = await startTestAdmin();
  t.after(actor.admin.stop);
  const token = readFileSync(join(actor.stateDir, 'admin-token'), 'utf8').trim();
  const post = (body: string | ReadableStream, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${actor.url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
      body,
      ...(typeof body === 'string' ? {} : { duplex: 'half' }),
    });
  return { ...actor, post };
}

test('events come in as JSON or YAML with the token, and the answer says what became of each', async (t) => {
  const { post, house } = await started(t);
  const results = [{ event: 0, outcome: 'quarantined' as const, code: 'SPI_YAML', reason: 'bad', notes: [] }];
  house.takes = Promise.resolve({ status: 422, code: 'SPI_YAML', reason: 'bad', results });
  const answer = await post('---\n:action: :add_alias\n', {
    'content-type': 'application/yaml; charset=utf-8',
  });
  assert.equal(answer.status, 422);
  assert.deepEqual(await answer.json(), { code: 'SPI_YAML', reason: 'bad', results });
  assert.deepEqual(house.taken, [['---\n:action: :add_alias\n', 'http:127.0.0.1']]);
});

test('without the token, of another type or too large, nothing is taken', async (t) => {
  const { post, house } = await started(t);
  assert.equal((await post('{}', { authorization: 'Bearer no' })).status, 401);
  assert.equal((await post('{}', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await post('{}', { 'content-type': 'application/x-www-form-urlencoded' })).status, 415);
  const large = await post(' '.repeat(4 * 1_048_576 + 1)).catch(() => null);
  // The refusal may overtake the rest of the body.
  assert.ok(large === null || large.status === 413);
  assert.deepEqual(house.taken, []);
});

test('a hundred senders at a time are told to come again, and do not pile up', async (t) => {
  const { post, house } = await started(t);
  let settle = (): void => undefined;
  house.takes = new Promise((resolve) => {
    settle = () => resolve({ status: 200, code: '', reason: '', results: [] });
  });
  const asked: Promise<Response>[] = [];
  for (let n = 0; n < 20; n += 1) asked.push(post('{}'));
  const refused = await Promise.race(asked);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  settle();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assert.deepEqual(
    statuses.filter((status) => status !== 200 && status !== 503),
    [],
  );
  assert.ok(house.taken.length <= 20 && statuses.includes(200));
});
