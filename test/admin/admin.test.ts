import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type AdminActor, exchange, startTestAdmin } from './admin-actor.ts';

let actor: AdminActor | null = null;
const start = async (changes: Parameters<typeof startTestAdmin>[0] = {}): Promise<AdminActor> => {
  actor = await startTestAdmin(changes);
  return actor;
};
afterEach(async () => {
  await actor?.admin.stop();
  actor = null;
});
const getJson = async (url: string): Promise<Record<string, unknown>> =>
  (await (await fetch(url)).json()) as Record<string, unknown>;

describe('admin', () => {
  it('shows the whole table as one JSON document', async () => {
    const { url, house } = await start();
    house.apps = Array.from({ length: 5_000 }, (_, n) => ({
      key: `shop/app${n}`,
      endpoints: ['x'.repeat(40)],
    }));
    const table = await getJson(`${url}/table`);
    assert.equal(table.generation, 7);
    assert.equal((table.apps as unknown[]).length, 5_000);
  });

  it('shows an empty table', async () => {
    const { url } = await start();
    assert.deepEqual(await getJson(`${url}/table`), { generation: 7, total: 0, apps: [] });
  });

  it('shows the table by pages that together are the whole', async () => {
    const { url, house } = await start();
    house.apps = Array.from({ length: 25 }, (_, n) => ({ key: `shop/app${n}` }));
    const seen: unknown[] = [];
    let next: unknown = 0;
    while (next !== null) {
      const page = await getJson(`${url}/table?limit=10&after=${next}`);
      seen.push(...(page.apps as unknown[]));
      next = page.next;
    }
    assert.deepEqual(seen, house.apps);
  });

  it('refuses pages that are none', async () => {
    const { url } = await start();
    for (const query of [
      'limit=0',
      'limit=-1',
      'limit=1e9',
      'limit=10001',
      'after=x',
      'limit=',
      'after=-1',
    ]) {
      assert.equal((await fetch(`${url}/table?${query}`)).status, 400, query);
    }
  });

  it('writes a table to a slow reader without holding up others, and only so many at once', async () => {
    const { url, house } = await start();
    house.apps = Array.from({ length: 20_000 }, (_, n) => ({
      key: `shop/app${n}`,
      filler: ' .'.repeat(500),
    }));
    const slow = await Promise.all(Array.from({ length: 4 }, () => fetch(`${url}/table`)));
    assert.equal((await fetch(`${url}/table`)).status, 503);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    const [first, ...others] = slow;
    for (const response of others) await response.body?.cancel();
    const table = JSON.parse((await first?.text()) ?? '') as { apps: unknown[] };
    assert.equal(table.apps.length, 20_000);
    await eventually(async () => {
      const again = await fetch(`${url}/table`);
      await again.body?.cancel();
      return again.status === 200;
    }, 'room for a table');
  });

  it('shows one application and one host, in any case', async () => {
    const { url } = await start();
    assert.deepEqual(await getJson(`${url}/apps/Shop/STORE`), { key: 'shop/store' });
    assert.equal((await fetch(`${url}/apps/shop/none`)).status, 404);
    assert.deepEqual(await getJson(`${url}/table?host=WWW.example.com.:443`), { host: 'www.example.com' });
    assert.equal((await fetch(`${url}/table?host=none.example.com`)).status, 404);
  });

  it('is ready only after the first table, and says why it is not', async () => {
    const { url, house } = await start();
    house.reason = 'the table is being recovered';
    const response = await fetch(`${url}/readyz`);
    assert.equal(response.status, 503);
    assert.match(await response.text(), /being recovered/);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    house.reason = null;
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
  });

  it('shows status, probe answers, metrics and an index', async () => {
    const { url } = await start();
    const status = await getJson(`${url}/status`);
    assert.deepEqual(status.plane, { connections: 3 });
    assert.deepEqual(status.bus, { connected: false });
    assert.equal(status.ready, true);
    assert.equal(((await getJson(`${url}/keep-awake`)).targets as unknown[]).length, 1);
    const metrics = await fetch(`${url}/metrics`);
    assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await metrics.text(), /^headgear_process_/m);
    assert.match(await (await fetch(`${url}/`)).text(), /href="\/table"/);
  });

  it('sets careful headers on every answer', async () => {
    const { url } = await start();
    for (const path of ['/', '/table', '/nothing', '/metrics', '/readyz']) {
      const { headers } = await fetch(url + path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
      assert.equal(headers.get('cache-control'), 'no-store', path);
      assert.match(
        headers.get('content-security-policy') ?? '',
        /default-src 'none'; frame-ancestors 'none'/,
        path,
      );
      assert.equal(headers.get('access-control-allow-origin'), null, path);
    }
  });

  it('answers HEAD like GET, without a body', async () => {
    const { url } = await start();
    for (const path of ['/table', '/healthz', '/events', '/metrics']) {
      const response = await fetch(url + path, { method: 'HEAD' });
      assert.equal(response.status, 200, path);
      assert.equal(await response.text(), '');
    }
  });

  it('says nothing of what went wrong inside', async () => {
    const plane = { status: () => Promise.reject(new Error('secret path /etc/x')) };
    const { url } = await start({ plane });
    const response = await fetch(`${url}/status`);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  });

  it('rejects when its port is taken', async () => {
    const { port } = await start();
    await assert.rejects(startTestAdmin({ config: { host: '127.0.0.1', port, allowedHosts: [] } }), {
      code: 'EADDRINUSE',
    });
  });

  it('lets go of its port when stopped, with streams open', async () => {
    const { admin, url, house } = await start();
    const stream = await fetch(`${url}/events`);
    await eventually(() => house.listeners.size === 1);
    await admin.stop();
    await assert.rejects(stream.text());
    assert.equal(house.listeners.size, 0);
    await assert.rejects(fetch(`${url}/healthz`));
  });

  it('ends a connection that sends no HTTP', async () => {
    const { port } = await start();
    assert.match(await exchange(port, '\x16\x03\x01\x02\x00\x01\x00'), /^HTTP\/1\.1 400/);
  });
});
