import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { openAuthoriser } from '../../src/admin/authorise.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { type AdminActor, exchange, startTestAdmin } from './admin-actor.ts';

let actor: AdminActor | null = null;
const start = async (): Promise<AdminActor> => {
  actor = await startTestAdmin();
  return actor;
};
afterEach(async () => {
  await actor?.admin.stop();
  actor = null;
});

const tokenOf = (dir: string): string => readFileSync(join(dir, 'admin-token'), 'utf8').trim();
const post = (
  { url, stateDir }: AdminActor,
  headers: Readonly<Record<string, string>> = {},
  body: string = '{"verb":"add-pool","app":"demo/app"}',
  path = '/manual',
): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${tokenOf(stateDir)}`,
      ...headers,
    },
    body,
  });

describe('the token of those who may write', () => {
  const folder = (run: (dir: string) => void): void => {
    const dir = mkdtempSync(join(tmpdir(), 'headgear-token-'));
    try {
      run(dir);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  };

  it('is made for the owner alone, whatever the umask, and stays over a restart', () => {
    folder((dir) => {
      const umask = process.umask(0);
      try {
        openAuthoriser(dir, memoryLog());
      } finally {
        process.umask(umask);
      }
      const token = tokenOf(dir);
      assert.match(token, /^[A-Za-z0-9_-]{43}$/);
      assert.equal(statSync(join(dir, 'admin-token')).mode & 0o777, 0o600);
      const again = openAuthoriser(dir, memoryLog());
      assert.equal(tokenOf(dir), token);
      assert.equal(again.judge(['Authorization', `Bearer ${token}`]), null);
    });
  });

  it('is made anew, and that is said, where others could read the file', () => {
    folder((dir) => {
      openAuthoriser(dir, memoryLog());
      const known = tokenOf(dir);
      chmodSync(join(dir, 'admin-token'), 0o644);
      const log = memoryLog();
      const again = openAuthoriser(dir, log);
      assert.notEqual(tokenOf(dir), known);
      assert.equal(statSync(join(dir, 'admin-token')).mode & 0o777, 0o600);
      assert.equal(log.lines.length, 1);
      assert.equal(again.judge(['authorization', `Bearer ${known}`])?.status, 401);
    });
  });

  it('never comes from something that is not a file', () => {
    folder((dir) => {
      mkdirSync(join(dir, 'admin-token'));
      assert.throws(() => openAuthoriser(dir, memoryLog()));
    });
  });

  it('is refused in every other form, twice, or beside another', () => {
    folder((dir) => {
      const { judge } = openAuthoriser(dir, memoryLog());
      const token = tokenOf(dir);
      const wrong = [
        [],
        ['Authorization', token],
        ['Authorization', `Basic ${token}`],
        ['Authorization', 'Bearer '],
        ['Authorization', `Bearer ${token}x`],
        ['Authorization', `Bearer ${token.slice(1)}`],
        ['Authorization', `Bearer ${token}, Bearer ${token}`],
        ['Authorization', `Bearer ${token}`, 'authorization', `Bearer ${token}`],
        ['X-Authorization', `Bearer ${token}`],
      ];
      for (const headers of wrong)
        assert.equal(judge(headers)?.code, 'ADMIN_NOT_AUTHORISED', String(headers));
    });
  });
});

describe('a request that writes', () => {
  it('is carried out with the token', async () => {
    const here = await start();
    const answer = await post(here);
    assert.equal(answer.status, 200);
    assert.equal(((await answer.json()) as { outcome: string }).outcome, 'applied');
    assert.deepEqual(here.house.manual, [{ verb: 'add-pool', app: 'demo/app' }]);
  });

  it('settles quarantined messages by number or all of them, and takes nothing unclear for all', async () => {
    const here = await start();
    const ask = (body: unknown, path = '/quarantine/drop') => post(here, {}, JSON.stringify(body), path);
    assert.deepEqual(await (await ask({ ids: [2, 1, 2] })).json(), {
      results: [2, 1].map((id) => ({ id, outcome: 'applied', code: '', reason: '', notes: [] })),
    });
    assert.equal((await ask({ all: true }, '/quarantine/replay')).status, 200);
    for (const unclear of [
      {},
      { all: false },
      { ids: [] },
      { ids: [1], all: true },
      { ids: ['1'] },
      { ids: [1.5] },
      { ids: [0] },
      { all: true, id: 1 },
      { ids: 1 },
    ]) {
      const answer = await ask(unclear);
      assert.deepEqual([answer.status, (await answer.text()).includes('"all": true')], [400, true]);
    }
    assert.deepEqual(here.house.settled, [
      ['drop', [2, 1]],
      ['replay', null],
    ]);
    assert.equal((await post(here, { authorization: '' }, '{"all":true}', '/quarantine/drop')).status, 401);
    assert.equal(here.house.settled.length, 2);
  });

  it('changes nothing without the token, and its body is not even read', async () => {
    const here = await start();
    const answer = await post(here, { authorization: 'Bearer guess' }, 'x'.repeat(200_000));
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    assert.deepEqual(here.house.manual, []);
  });

  it('is refused from a page of another origin and under a rebound name, token or not', async () => {
    const here = await start();
    assert.equal((await post(here, { origin: 'https://evil.example.com' })).status, 403);
    const token = tokenOf(here.stateDir);
    const rebound = `POST /manual HTTP/1.1\r\nHost: evil.example.com\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
    assert.match(await exchange(here.port, rebound), /^HTTP\/1\.1 403 /);
    assert.deepEqual(here.house.manual, []);
  });

  it('gets no preflight answered, so that no browser sends it across origins', async () => {
    const here = await start();
    const answer = await fetch(`${here.url}/manual`, {
      method: 'OPTIONS',
      headers: { 'access-control-request-method': 'POST' },
    });
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  });

  it('has to be JSON, an object, and of bounded length', async () => {
    const here = await start();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
      assert.equal((await post(here, { 'content-type': type })).status, 415, type);
    for (const body of ['[]', '"x"', 'null', '{', '{"a":1} x'])
      assert.equal((await post(here, {}, body)).status, 400, body);
    const long = await post(here, {}, `{"verb":"${'x'.repeat(70_000)}"}`).catch(() => null);
    assert.ok(long === null || long.status === 413);
    assert.deepEqual(here.house.manual, []);
  });

  it('does not smuggle a second request behind a refused one', async () => {
    const here = await start();
    const second = 'POST /manual HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const first = `POST /table HTTP/1.1\r\nHost: localhost:${here.port}\r\nContent-Length: ${second.length}\r\n\r\n`;
    const answer = await exchange(here.port, first + second);
    assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, answer);
  });

  it('is a POST to a path that takes one, everything else says what it takes', async () => {
    const here = await start();
    const get = await fetch(`${here.url}/manual`);
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
    const table = await post(here, {}, '{}', '/table');
    assert.deepEqual([table.status, table.headers.get('allow')], [405, 'GET, HEAD']);
    assert.equal((await post(here, {}, '{}', '/nothing')).status, 404);
    for (const method of ['PUT', 'DELETE', 'PATCH'])
      assert.equal((await fetch(`${here.url}/manual`, { method })).status, 405, method);
  });
});
