/**
 * Bytes of all tenants pass through the same memory (`upstream/arena.ts`). Peers that do not read make writes wait in it while others'
 * come and go: whoever reads at last must find his own, whole and in order.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { connectRaw, type RawClient } from '../support/client.ts';
import { type DataPlane, endpointAt, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type RawGear, startRawGear } from '../support/gear.ts';
import { connectHttp2 } from '../support/http2-client.ts';

const TENANTS = ['a', 'b', 'c', 'd'] as const;
type Tenant = (typeof TENANTS)[number];

const hostOf = (tenant: Tenant): string => `${tenant}-ns.apps.example.test`;
const lateHostOf = (tenant: Tenant): string => `late-${hostOf(tenant)}`;
/** With its head just within what is written at once. */
const DIRECT_BYTES = 15_900;
const LARGE_BYTES = 40_000;

describe('answers and uploads of several tenants at once', () => {
  let edge: DataPlane;
  const gears: RawGear[] = [];
  /** Those that read nothing before they are told to, and their connections. */
  const lateGears = new Map<Tenant, RawGear>();
  const waiting: Socket[] = [];
  const clients: RawClient[] = [];

  /** A gear that answers /N with N bytes of its tenant's letter. */
  const start = (tenant: Tenant, onConnection: (socket: Socket) => void): Promise<RawGear> =>
    startRawGear(
      (socket, request) => {
        const [, path = '/0'] = request.toString('latin1', 0, 100).split(' ');
        const body = tenant.repeat(Number(path.replace(/\D/g, '')));
        const head = `HTTP/1.1 200 OK\r\nX-Tenant: ${tenant}\r\n`;
        if (path.endsWith('chunked')) {
          socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk(body)}0\r\n\r\n`);
        } else socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
      },
      { onConnection },
    );

  before(async () => {
    edge = await startDataPlane({}, ['*.apps.example.test']);
    for (const tenant of TENANTS) {
      const prompt = await start(tenant, () => {});
      gears.push(prompt);
      await edge.route([endpointAt(prompt.port)], { app: `ns/${tenant}`, host: hostOf(tenant) });
      const late = await start(tenant, (socket) => {
        socket.pause();
        waiting.push(socket);
      });
      lateGears.set(tenant, late);
      await edge.route([endpointAt(late.port)], { app: `ns/late-${tenant}`, host: lateHostOf(tenant) });
    }
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  after(async () => {
    await edge.stop();
    for (const gear of [...gears, ...lateGears.values()]) await gear.stop();
  });

  /** Under TLS where there is a name. */
  const connect = async (servername: string | null = null): Promise<RawClient> => {
    const where = servername === null ? { port: edge.port } : { port: edge.httpsPort, tls: { servername } };
    const client = await connectRaw({ ...where, timeoutMs: 30_000 });
    clients.push(client);
    return client;
  };
  const get = (tenant: Tenant, path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: ${hostOf(tenant)}\r\n\r\n`;
  const readOwn = async (client: RawClient, tenant: Tenant, size: number): Promise<void> => {
    const { rawHeaders, body } = await client.readResponse();
    assert.equal(rawHeaders[rawHeaders.indexOf('X-Tenant') + 1], tenant);
    assertOwn(body.toString('latin1'), tenant, size);
  };
  const requests = (): number => gears.reduce((sum, gear) => sum + gear.requests.length, 0);
  /** Nothing goes on any more: whoever does not read has stopped us. */
  const standstill = async (): Promise<void> => {
    let before = -1;
    await eventually(() => {
      const now = requests();
      const same = now === before;
      before = now;
      return same;
    });
  };
  /** Every tenant's answers in every size and framing, over HTTP/1.1 and HTTP/2, at the same time. */
  const othersComeAndGo = async (rounds: number): Promise<void> => {
    const sessions = await connectHttp2(edge.httpsPort, { servername: hostOf('a') });
    await Promise.all(
      TENANTS.flatMap((tenant) => [
        (async () => {
          const client = await connect();
          for (let round = 0; round < rounds; round++) {
            const sizes = [3, DIRECT_BYTES, LARGE_BYTES, 300];
            void client.send(
              sizes.map((size) => get(tenant, `/${size}${round % 2 ? '/chunked' : ''}`)).join(''),
            );
            for (const size of sizes) await readOwn(client, tenant, size);
          }
        })(),
        (async () => {
          for (let round = 0; round < rounds; round++) {
            const { headers, body } = await sessions.request({
              ':authority': hostOf(tenant),
              ':path': `/${DIRECT_BYTES}`,
            });
            assert.equal(headers['x-tenant'], tenant);
            assertOwn(body.toString('latin1'), tenant, DIRECT_BYTES);
          }
        })(),
      ]),
    );
    sessions.destroy();
  };

  it('reach clients that read late as they were, whatever passed in between', async () => {
    const count = 700;
    const late = await Promise.all(
      TENANTS.flatMap((tenant) => [tenant, tenant]).map(async (tenant) => ({
        tenant,
        client: await connect(),
      })),
    );
    for (const { tenant, client } of late) {
      client.socket.pause();
      void client.send(get(tenant, `/${DIRECT_BYTES}`).repeat(count));
    }
    await standstill();
    await othersComeAndGo(30);
    await Promise.all(
      late.map(async ({ tenant, client }) => {
        for (let answer = 0; answer < count; answer++) await readOwn(client, tenant, DIRECT_BYTES);
      }),
    );
  });

  it('reach clients that read late although others were cut off in the midst of theirs', async () => {
    for (let round = 0; round < 5; round++) {
      const late = await Promise.all(TENANTS.map(async (tenant) => ({ tenant, client: await connect() })));
      const gone = await Promise.all(TENANTS.map(async (tenant) => ({ tenant, client: await connect() })));
      for (const { tenant, client } of [...gone, ...late]) {
        client.socket.pause();
        void client.send(get(tenant, `/${DIRECT_BYTES}`).repeat(500)).catch(() => {});
      }
      await standstill();
      // What waited for them is given up, and its memory is free for others.
      for (const { client } of gone) client.socket.resetAndDestroy();
      await othersComeAndGo(3);
      for (const { tenant, client } of late) {
        for (let answer = 0; answer < 500; answer++) await readOwn(client, tenant, DIRECT_BYTES);
      }
    }
  });

  it('reach gears that read late as they were', async () => {
    const size = 8_000_000;
    const senders = await Promise.all(
      [...TENANTS, ...TENANTS].map(async (tenant, index) => {
        // Under TLS a body comes in other pieces.
        const client = await connect(index < TENANTS.length ? null : lateHostOf(tenant));
        const head = `POST /1 HTTP/1.1\r\nHost: ${lateHostOf(tenant)}\r\nContent-Length: ${size}\r\n\r\n`;
        void client.send(head + tenant.repeat(size));
        return { tenant, client };
      }),
    );
    await eventually(() => waiting.length === senders.length);
    await othersComeAndGo(20);
    for (const socket of waiting.splice(0)) socket.resume();
    for (const { tenant, client } of senders) await readOwn(client, tenant, 1);
    for (const [tenant, { requests: uploads }] of lateGears) {
      assert.equal(uploads.length, 2);
      for (const upload of uploads) {
        const body = upload.subarray(upload.indexOf('\r\n\r\n') + 4);
        assertOwn(body.toString('latin1'), tenant, size);
      }
    }
  });
});

function chunk(body: string): string {
  return `${body.length.toString(16)}\r\n${body}\r\n`;
}

function assertOwn(text: string, tenant: string, size: number): void {
  assert.equal(text.length, size);
  if (text === tenant.repeat(size)) return;
  const at = [...text].findIndex((character) => character !== tenant);
  assert.fail(`${JSON.stringify(text.slice(at, at + 40))} at ${at} in what is ${tenant}'s`);
}
