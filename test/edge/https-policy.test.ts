/** From HTTP to HTTPS: redirects and Strict-Transport-Security, where HTTPS would work and nowhere else. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { publishedCertificate } from '../support/certificates.ts';
import { connectRaw, headerOf, headersOf, type RawResponse, request } from '../support/client.ts';
import { clientCertificate, clientRules } from '../support/client-certificates.ts';
import { curl } from '../support/curl.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { connectHttp2 } from '../support/http2-client.ts';
import { skipWithout } from '../support/parts.ts';

const ALIAS = 'www.tenant.example';
const CHALLENGE = '/.well-known/acme-challenge/abc-DEF_123';
const HSTS = 'strict-transport-security';
const YEAR = 31_536_000;

for (const engine of ['native', 'http-proxy'] as const) {
  describe(`HTTPS policy (${engine})`, () => {
    const toStop: { stop(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const part of toStop.splice(0)) await part.stop();
    });
    const start = async (
      https: NonNullable<Parameters<typeof startDataPlane>[0]>['https'],
      { gearsOwn = [] as readonly string[], http = {} as object } = {},
    ): Promise<{ edge: DataPlane; gear: Gear }> => {
      const gear = await startGear({
        handler: (incoming, response) => {
          incoming.resume();
          for (const value of gearsOwn) response.appendHeader(HSTS, value);
          response.end('served');
        },
      });
      const edge = await startDataPlane({ https: https ?? {}, http: { engine, ...http } }, [
        '*.apps.example.test',
      ]);
      toStop.push(edge, gear);
      await edge.route([endpointAt(gear.port)]);
      await edge.route([endpointAt(gear.port)], {
        host: ALIAS,
        app: 'ns/tenant',
        hostRoute: { kind: 'alias' },
      });
      return { edge, gear };
    };
    const plain = (edge: DataPlane, more: object = {}): Promise<RawResponse> =>
      request({ port: edge.port, host: HOST, ...more });
    const secure = (edge: DataPlane, host = HOST): Promise<RawResponse> =>
      request({ port: edge.httpsPort, host, tls: { servername: host } });
    const hstsOf = async (answer: Promise<RawResponse>): Promise<readonly string[]> =>
      headersOf((await answer).rawHeaders, HSTS);

    it('without a policy nothing changes: plain HTTP is served, a gear’s field passes', async () => {
      const { edge } = await start({}, { gearsOwn: ['max-age=1'] });
      assert.equal((await plain(edge)).status, 200);
      assert.deepEqual(await hstsOf(secure(edge)), ['max-age=1']);
    });

    for (const [redirect, get, post] of [
      [301, 301, 308],
      [302, 302, 307],
      [307, 307, 307],
      [308, 308, 308],
    ] as const) {
      it(`a redirect of ${redirect} leads to the same target at the port of HTTPS, other methods keep theirs`, async () => {
        const { edge, gear } = await start({ redirect });
        const target = '/a//b/../%2e?q=1&url=http://x.example/%0d%0aSet-Cookie:a';
        const answer = await plain(edge, { target, host: `${HOST.toUpperCase()}.:80` });
        assert.equal(answer.status, get);
        assert.equal(headerOf(answer.rawHeaders, 'location'), `https://${HOST}:${edge.httpsPort}${target}`);
        assert.equal(headerOf(answer.rawHeaders, 'headgear-failure'), undefined);
        assert.equal((await plain(edge, { method: 'POST', body: 'x' })).status, post);
        const head = await plain(edge, { method: 'HEAD' });
        assert.deepEqual([head.status, head.body.length], [get, 0]);
        assert.equal(gear.requests.length, 0);
        await eventually(() => edge.finished.length === 3);
        assert.deepEqual(new Set(edge.finished.map(({ failure }) => failure)), new Set(['']));
      });
    }

    it('a name without a certificate is served in plain HTTP until it has one, and again once that is gone', async () => {
      const { edge } = await start({ redirect: 308, hsts: { maxAgeSeconds: YEAR } as never });
      const now = async (): Promise<readonly [number, number]> => [
        (await plain(edge, { host: ALIAS })).status,
        (await hstsOf(secure(edge, ALIAS))).length,
      ];
      assert.deepEqual(await now(), [200, 0]);
      await edge.certificate(ALIAS, publishedCertificate([ALIAS]));
      assert.deepEqual(await now(), [308, 1]);
      await edge.certificate(ALIAS, { ...publishedCertificate([ALIAS]), validUntil: Date.now() - 1 });
      assert.deepEqual(await now(), [200, 0], 'out of date');
      await edge.certificate(ALIAS, null);
      assert.deepEqual(await now(), [200, 0]);
      assert.equal((await plain(edge, { host: 'unknown.apps.example.test' })).status, 404, 'nobody’s name');
    });

    it('validation of certificates over plain HTTP is never redirected; what only looks like it is', async () => {
      const { edge, gear } = await start({ redirect: 308 });
      assert.equal((await plain(edge, { target: CHALLENGE })).status, 200);
      assert.equal(gear.requests[0]?.url, CHALLENGE);
      for (const target of [
        '/.well-known/acme-challenge/',
        `${CHALLENGE}/..`,
        `${CHALLENGE}/../../secret`,
        `${CHALLENGE}%2f..`,
        `${CHALLENGE}?x=1`,
        '/.well-known/acme-challenge/..',
        '/.well-known/acme-challenge/.',
        '/.well-known/acme-challenge/%2e%2e',
        '/.well-known/acme-challenge\\x',
        '//.well-known/acme-challenge/x',
        '/.well-known/ACME-challenge/x',
      ]) {
        assert.equal((await plain(edge, { target })).status, 308, target);
      }
      assert.equal(gear.requests.length, 1);
    });

    it('a redirect keeps the connection in order, with and without bodies', async () => {
      const { edge, gear } = await start({ redirect: 308 });
      const client = await connectRaw({ port: edge.port });
      const get = `GET /x HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
      await client.send(get + get);
      for (let n = 0; n < 2; n++) assert.equal((await client.readResponse()).status, 308);
      await client.send(`GET ${CHALLENGE} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      assert.equal((await client.readResponse()).status, 200);
      // A body that looks like a request, and is never taken for one.
      const smuggled = `GET ${CHALLENGE} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
      await client.send(
        `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      );
      const last = await client.readResponse();
      assert.equal(last.status, 308);
      assert.equal(headerOf(last.rawHeaders, 'connection'), 'close');
      await client.closed;
      assert.equal(gear.requests.length, 1);
    });

    it('a client that is on HTTPS at a trusted proxy is served; one that only says so is redirected', async () => {
      const said = { headers: { 'X-Forwarded-Proto': 'https' } };
      const believed = await start({ redirect: 308 }, { http: { trustedProxies: ['127.0.0.1'] } });
      assert.equal((await plain(believed.edge, said)).status, 200);
      assert.equal((await plain(believed.edge)).status, 308);
      const { edge } = await start({ redirect: 308 });
      assert.equal((await plain(edge, said)).status, 308);
    });

    it('hosts, then applications, then the default: the first that says something holds', async () => {
      const { edge } = await start({
        redirect: 308,
        hsts: { maxAgeSeconds: 1, includeSubDomains: false, preload: false, gears: 'keep' },
        rules: [
          { names: [], applications: ['ns/app'], redirect: 'off', hsts: 'off' },
          { names: ['*.tenant.example'], applications: [], redirect: 307 },
          {
            names: ['api.tenant.example'],
            applications: [],
            hsts: { maxAgeSeconds: YEAR, includeSubDomains: true, preload: true, gears: 'keep' },
          },
        ],
      });
      await edge.certificate(ALIAS, publishedCertificate([ALIAS]));
      assert.deepEqual([(await plain(edge)).status, await hstsOf(secure(edge))], [200, []]);
      assert.equal((await plain(edge, { host: ALIAS })).status, 307);
      assert.deepEqual(await hstsOf(secure(edge, ALIAS)), ['max-age=1']);
    });

    it('Strict-Transport-Security goes out over TLS only, once, whole', async () => {
      const { edge } = await start({
        hsts: { maxAgeSeconds: YEAR, includeSubDomains: true, preload: true, gears: 'keep' },
      });
      assert.deepEqual(await hstsOf(plain(edge)), []);
      assert.deepEqual(await hstsOf(secure(edge)), [`max-age=${YEAR}; includeSubDomains; preload`]);
    });

    it('our own answers for a host that has one say it too, over TLS; those for others say nothing', async () => {
      const { edge, gear } = await start({ hsts: { maxAgeSeconds: YEAR } as never });
      await gear.stop();
      const answer = await secure(edge);
      assert.equal(answer.status, 503);
      assert.deepEqual(headersOf(answer.rawHeaders, HSTS), [`max-age=${YEAR}`]);
      assert.equal(headerOf(answer.rawHeaders, 'content-length'), String(answer.body.length));
      assert.deepEqual(await hstsOf(plain(edge)), []);
      const unknown = await secure(edge, 'nobody.apps.example.test');
      assert.deepEqual([unknown.status, headersOf(unknown.rawHeaders, HSTS)], [404, []]);
    });

    it('a gear’s own is kept, or replaced, as the policy says', async () => {
      const gearsOwn = ['max-age=5', 'max-age=6; preload'];
      const keep = await start({ hsts: { maxAgeSeconds: 1, gears: 'keep' } as never }, { gearsOwn });
      assert.deepEqual(await hstsOf(secure(keep.edge)), gearsOwn);
      const replace = await start({ hsts: { maxAgeSeconds: 0, gears: 'replace' } as never }, { gearsOwn });
      const answer = await secure(replace.edge);
      assert.deepEqual(headersOf(answer.rawHeaders, HSTS), ['max-age=0']);
      assert.equal(String(answer.body), 'served');
    });

    it('a host that requires client certificates is redirected to where they are asked for', async () => {
      const { edge } = await start({ redirect: 308 });
      edge.plane.setClientRules(clientRules({ names: [HOST], mode: 'require' }));
      assert.equal((await plain(edge)).status, 308);
      assert.equal((await plain(edge, { target: CHALLENGE })).status, 403);
      const tls = { servername: HOST, ...clientCertificate('bob') };
      assert.equal((await request({ port: edge.httpsPort, host: HOST, tls })).status, 200);
    });

    it('an application that speaks only tls is redirected to it', async () => {
      const { edge } = await start({ redirect: 308 });
      await edge.route([], { host: 'tls.example', app: 'ns/tls', passThrough: [endpointAt(1)] });
      const answer = await plain(edge, { host: 'tls.example' });
      assert.equal(headerOf(answer.rawHeaders, 'location'), `https://tls.example:${edge.httpsPort}/`);
    });

    if (engine === 'native') {
      it('holds over HTTP/2 as well', async () => {
        const { edge } = await start({ hsts: { maxAgeSeconds: YEAR } as never });
        const client = await connectHttp2(edge.httpsPort);
        assert.equal((await client.request({ ':authority': HOST })).headers[HSTS], `max-age=${YEAR}`);
        client.destroy();
      });

      it('holds for our own answers over HTTP/2 as well', async () => {
        const { edge, gear } = await start({ hsts: { maxAgeSeconds: YEAR } as never });
        await gear.stop();
        const client = await connectHttp2(edge.httpsPort);
        const { headers } = await client.request({ ':authority': HOST });
        assert.deepEqual([headers[':status'], headers[HSTS]], [503, `max-age=${YEAR}`]);
        client.destroy();
      });
    }

    it('curl follows, with its body', { skip: skipWithout('curl') }, async () => {
      const { edge, gear } = await start({ redirect: 301 });
      const answer = await curl({
        scheme: 'http',
        host: HOST,
        port: edge.port,
        path: '/form?a=b',
        args: [
          '--location',
          '--insecure',
          '--post301',
          '--data',
          'x=1',
          '--resolve',
          `${HOST}:${edge.httpsPort}:127.0.0.1`,
        ],
      });
      assert.match(answer.body, /served$/);
      const [got] = gear.requests;
      assert.deepEqual([got?.method, got?.url], ['POST', '/form?a=b']);
      await eventually(() => edge.finished.at(-1)?.bytesIn === 3);
    });
  });
}
