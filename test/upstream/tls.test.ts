import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { validateConfig } from '../../src/config/validate.ts';
import { issueCertificate } from '../../src/pem/development.ts';
import type { PublishedEndpoint } from '../../src/table/routing-table.ts';
import { upstreamTlsProblems } from '../../src/upstream/tls-policy.ts';
import { createTlsSessions } from '../../src/upstream/tls-sessions.ts';
import { pemFixture, testCa, testCertificate } from '../support/certificates.ts';
import { headerOf, type RawResponse, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startGear, startRawGear } from '../support/gear.ts';
import { type NginxFrontend, type NginxOptions, startNginxFrontend } from '../support/nginx-frontend.ts';
import { skipWithout } from '../support/parts.ts';

const OTHER = 'other-ns.apps.example.test';
const DAY_MS = 86_400_000;

const tlsOf = (names: readonly string[], edition = 1) => {
  const { chainPem, privateKeyPem } = testCertificate(names, edition);
  return { cert: chainPem, key: privateKeyPem };
};
const expired = () => {
  const { chainPem, privateKeyPem } = issueCertificate({
    ca: testCa(),
    names: [HOST],
    now: Date.now() - 10 * DAY_MS,
    days: 5,
    privateKeyPem: pemFixture('leaf-1.key'),
  });
  return { cert: chainPem, key: privateKeyPem };
};
const fingerprint = (names: readonly string[], edition = 1): string =>
  new X509Certificate(testCertificate(names, edition).chainPem).fingerprint256;

describe('TLS to a gear', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-ca-'));
  const caFile = join(folder, 'ca.pem');
  let edge: DataPlane | null = null;
  const toStop: { stop(): Promise<void> }[] = [];
  before(() => writeFileSync(caFile, testCa().certificatePem));
  afterEach(async () => {
    await edge?.stop();
    edge = null;
    for (const part of toStop.splice(0)) await part.stop();
  });
  after(() => rmSync(folder, { recursive: true }));

  const planeWith = async (tls: Partial<Config['upstream']['tls']> = {}): Promise<DataPlane> => {
    const upstream = configSchema.shape.upstream.parse({ maxIdlePerEndpoint: 0 });
    edge = await startDataPlane({ upstream: { ...upstream, tls: { ...upstream.tls, ...tls } } });
    return edge;
  };
  const gearWith = async (tls: { readonly cert: string; readonly key: string }) => {
    const gear = await startGear({ tls });
    toStop.push(gear);
    return gear;
  };
  const verified = (port: number, more: Partial<PublishedEndpoint> = {}): PublishedEndpoint =>
    endpointAt(port, { tls: true, verifyTls: true, ...more });
  const ask = (host = HOST): Promise<RawResponse> => request({ port: edge?.port ?? 0, host });
  const failureOf = (answer: RawResponse): string =>
    `${answer.status} ${headerOf(answer.rawHeaders, 'headgear-failure') ?? 'none'}`;
  const handshakes = (verifiedBy: string, resumed: string): number =>
    edge?.metrics.value('upstream_tls_handshakes_total', { verified: verifiedBy, resumed }) ?? 0;

  it('is verified against the CA bundle, by the name of the request', async () => {
    const { route } = await planeWith({ caFile });
    const gear = await gearWith(tlsOf([HOST]));
    await route([verified(gear.port)]);
    assert.equal(failureOf(await ask()), '200 none');
    assert.equal(handshakes('ca', 'no'), 1);
    await route([verified(gear.port, { id: 'elsewhere' })], { app: 'ns/other', host: OTHER });
    assert.equal(failureOf(await ask(OTHER)), '502 CONNECT_TLS_NAME');
    assert.equal(gear.requests.length, 1, 'a gear that is not trusted sees no request');
  });

  it('fails by a code of its own for each fault, with the reason in the log, and leaves the others alone', async () => {
    const { route, finished, log, metrics } = await planeWith({ caFile });
    const good = await gearWith(tlsOf([HOST]));
    const ca = join(folder, 'nobody.pem');
    writeFileSync(ca, testCa().certificatePem);
    const selfSigned = { cert: pemFixture('rsa.crt'), key: pemFixture('rsa.key') };
    for (const [tls, wanted] of [
      [selfSigned, '502 CONNECT_TLS_UNTRUSTED'],
      [tlsOf([OTHER]), '502 CONNECT_TLS_NAME'],
      [expired(), '502 CONNECT_TLS_EXPIRED'],
    ] as const) {
      const bad = await gearWith(tls);
      await route([verified(bad.port)], { app: 'ns/bad' });
      await route([verified(good.port)], { app: 'ns/good', host: OTHER.replace('other', 'good') });
      assert.equal(failureOf(await ask()), wanted);
      const code = wanted.slice(4);
      assert.match(finished.at(-1)?.failure ?? '', new RegExp(`^${code}:[A-Z_]+$`));
      const line = log.lines.findLast(({ message }) => message === 'TLS with a gear failed');
      assert.equal(line?.fields.code, code);
      assert.match(String(line?.fields.reason), /^[A-Z_]+$/);
      assert.equal(metrics.value('upstream_tls_failures_total', { code }), 1);
      // The same application with a good gear beside: the bad one costs an attempt.
      await route([verified(bad.port), verified(good.port)], { app: 'ns/bad' });
      assert.equal(failureOf(await ask()), '200 none');
      assert.equal(bad.requests.length, 0);
    }
  });

  it('is told once a minute for an endpoint, not for every request', async () => {
    const { route, log, metrics } = await planeWith({ caFile });
    const bad = await gearWith(tlsOf([OTHER]));
    await route([verified(bad.port)]);
    for (let round = 0; round < 3; round++) await ask();
    assert.equal(log.lines.filter(({ message }) => message === 'TLS with a gear failed').length, 1);
    assert.equal(metrics.value('upstream_tls_failures_total', { code: 'CONNECT_TLS_NAME' }), 3);
  });

  it('a pinned certificate is good whoever issued it and whatever its names, another is not', async () => {
    const { route } = await planeWith({ pinnedSha256: [fingerprint([OTHER]).toLowerCase()] });
    const pinned = await gearWith(tlsOf([OTHER]));
    const another = await gearWith(tlsOf([OTHER], 2));
    await route([verified(pinned.port)]);
    assert.equal(failureOf(await ask()), '200 none');
    assert.equal(handshakes('pinned', 'no'), 1);
    await route([verified(another.port)]);
    assert.match(failureOf(await ask()), /^502 CONNECT_TLS_(?:UNTRUSTED|NAME)$/);
  });

  it('without verification any certificate will do, and that is said loudly', async () => {
    const { route, log, metrics } = await planeWith();
    const gear = await gearWith(expired());
    await route([verified(gear.port, { verifyTls: false })]);
    assert.equal(failureOf(await ask()), '200 none');
    assert.equal(handshakes('off', 'no'), 1);
    assert.ok(
      log.lines.some(({ level, message }) => level === 'warn' && /GEARS ARE NOT VERIFIED/.test(message)),
    );
    assert.equal(metrics.value('upstream_tls_verification_off', { of: 'endpoints' }), 1);
  });

  it('takes up its session on the next connection, for the same name only', async () => {
    const { route } = await planeWith({ caFile });
    const gear = await gearWith(tlsOf([HOST, OTHER]));
    await route([verified(gear.port)]);
    await route([verified(gear.port)], { app: 'ns/app', host: OTHER });
    for (let round = 0; round < 3; round++) assert.equal(failureOf(await ask()), '200 none');
    assert.deepEqual([handshakes('ca', 'no'), handshakes('ca', 'yes')], [1, 2]);
    assert.equal(failureOf(await ask(OTHER)), '200 none');
    assert.deepEqual([handshakes('ca', 'no'), handshakes('ca', 'yes')], [2, 2]);
  });

  it('is resumed also after the endpoint had no connection for a while, and forgotten when it leaves the table', async () => {
    const { route, plane } = await planeWith({ caFile });
    const gear = await gearWith(tlsOf([HOST]));
    await route([verified(gear.port)]);
    assert.equal(failureOf(await ask()), '200 none');
    await eventually(() => plane.status().pools === 0);
    assert.equal(failureOf(await ask()), '200 none');
    assert.deepEqual([handshakes('ca', 'no'), handshakes('ca', 'yes')], [1, 1]);
    await route([]);
    await route([verified(gear.port)]);
    assert.equal(failureOf(await ask()), '200 none');
    assert.deepEqual([handshakes('ca', 'no'), handshakes('ca', 'yes')], [2, 1]);
  });

  it('a gear that comes back with a wrong certificate is not taken on its old session', async () => {
    const { route } = await planeWith({ caFile });
    const gear = await startGear({ tls: tlsOf([HOST]) });
    await route([verified(gear.port)]);
    assert.equal(failureOf(await ask()), '200 none');
    await gear.stop();
    const impostor = await startGear({ port: gear.port, tls: tlsOf([OTHER]) });
    toStop.push(impostor);
    assert.equal(failureOf(await ask()), '502 CONNECT_TLS_NAME');
    assert.equal(impostor.requests.length, 0);
  });

  it('a handshake that hangs ends in its own time', async () => {
    const { route } = await planeWith({ handshakeTimeoutMs: 200 });
    const silent = await startRawGear(() => {});
    toStop.push(silent);
    await route([verified(silent.port)]);
    assert.equal(failureOf(await ask()), '504 CONNECT_TLS_TIMEOUT');
  });

  it('a gear that speaks no TLS is told from one that breaks off', async () => {
    const { route, finished } = await planeWith();
    const plain = await startGear();
    toStop.push(plain);
    await route([verified(plain.port, { verifyTls: false })]);
    assert.equal(failureOf(await ask()), '502 CONNECT_TLS');
    assert.match(finished.at(-1)?.failure ?? '', /^CONNECT_TLS:ERR_SSL_/);
  });

  it('the sessions of one endpoint are bounded, whatever names clients come up with', () => {
    const sessions = createTlsSessions();
    for (let n = 0; n < 1_000; n++) sessions.put(`${n}.example.test`, Buffer.from([n % 256]));
    const kept = Array.from({ length: 1_000 }, (_, n) => sessions.get(`${n}.example.test`)).filter(Boolean);
    assert.equal(kept.length, 32);
    assert.ok(sessions.get('999.example.test') !== undefined);
  });

  it('a CA file without a certificate and ciphers that do not exist are told before anything starts', () => {
    const { tls } = configSchema.shape.upstream.parse({});
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, 'nothing\n');
    assert.deepEqual(upstreamTlsProblems({ ...tls, caFile }), []);
    assert.equal(upstreamTlsProblems({ ...tls, caFile: empty })[0]?.path, 'upstream.tls.caFile');
    assert.equal(upstreamTlsProblems({ ...tls, ciphers: 'NO-SUCH' })[0]?.path, 'upstream.tls.ciphers');
  });

  it('verification that is set up and used nowhere is warned of, pins with the other engine refused', () => {
    const judge = (more: object) =>
      validateConfig({
        cloudDomain: 'a.test',
        listeners: { http: [{ port: 80 }] },
        intake: { port: 1 },
        ...more,
      });
    const pinnedSha256 = [fingerprint([HOST])];
    const unused = judge({ upstream: { tls: { pinnedSha256 } } });
    assert.deepEqual(
      unused.warnings.map(({ path }) => path),
      ['upstream.tls.pinnedSha256'],
    );
    const used = judge({ upstream: { tls: { pinnedSha256 } }, endpoints: { verifyTls: true } });
    assert.deepEqual(used.warnings, []);
    const other = judge({
      upstream: { tls: { pinnedSha256 } },
      endpoints: { verifyTls: true },
      http: { engine: 'http-proxy' },
    });
    assert.equal(other.ok, false);
    const wrong = judge({ upstream: { tls: { pinnedSha256: ['12:34'] } } });
    assert.equal(wrong.ok, false);
  });

  describe('with nginx as a node frontend', { skip: skipWithout('nginx') }, () => {
    const ALIAS = 'www.shop.test';
    const SECOND = 'www.news.test';
    const nginx = async (options: Partial<NginxOptions> = {}): Promise<NginxFrontend> => {
      const names = [ALIAS, SECOND].map((name) => {
        // The second has a certificate of somebody else's.
        const { chainPem, privateKeyPem } = testCertificate([name === SECOND ? OTHER : name]);
        return { name, chainPem, keyPem: privateKeyPem };
      });
      const frontend = await startNginxFrontend({ names, ...options });
      toStop.push(frontend);
      return frontend;
    };
    const viaFrontend = async (frontend: NginxFrontend, more: Partial<PublishedEndpoint> = {}) => {
      for (const [n, host] of [ALIAS, SECOND].entries()) {
        await edge?.route([verified(frontend.port, { id: `${n} frontend`, ...more })], {
          app: `ns/${n}`,
          host,
        });
      }
    };

    it('every connection after the first resumes, and a wrong certificate stays its own affair', async () => {
      await planeWith({ caFile });
      const frontend = await nginx();
      await viaFrontend(frontend);
      for (let round = 0; round < 5; round++) {
        const answer = await ask(ALIAS);
        assert.equal(answer.body.toString(), `${ALIAS} by nginx\n`);
        assert.equal(failureOf(await ask(SECOND)), '502 CONNECT_TLS_NAME');
      }
      const visits = frontend.visits();
      assert.deepEqual(
        visits.map(({ resumed }) => resumed),
        [false, true, true, true, true],
      );
      for (const { host, servername } of visits) assert.deepEqual([host, servername], [ALIAS, ALIAS]);
      assert.deepEqual([handshakes('ca', 'no'), handshakes('ca', 'yes')], [1, 4]);
    });

    it('speaks HTTP/2 where the endpoint says so, on one connection', async () => {
      await planeWith({ caFile });
      const frontend = await nginx({ http2: true, requestsPerConnection: 100 });
      await viaFrontend(frontend, { versions: 'http2' });
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(ALIAS)));
      for (const answer of answers) assert.equal(answer.body.toString(), `${ALIAS} by nginx\n`);
      assert.ok(frontend.visits().every(({ protocol }) => protocol === 'HTTP/2.0'));
      assert.equal(handshakes('ca', 'no') + handshakes('ca', 'yes'), 1);
    });

    it('comes through a frontend that ends each HTTP/2 connection after a few requests', async () => {
      await planeWith({ caFile });
      const frontend = await nginx({ http2: true, requestsPerConnection: 10 });
      await viaFrontend(frontend, { versions: 'http2' });
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(ALIAS)));
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      for (let round = 0; round < 25; round++) assert.equal((await ask(ALIAS)).status, 200);
    });
  });
});
