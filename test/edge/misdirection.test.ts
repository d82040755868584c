import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { misdirectionBy } from '../../src/edge/misdirection.ts';
import { platformCertificate, publishedCertificate } from '../support/certificates.ts';
import { connectRaw, headersOf, request } from '../support/client.ts';
import { clientRules } from '../support/client-certificates.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';

const ALIAS_A = 'www.a.example.org';
const ALIAS_B = 'www.b.example.org';

describe('scenario 44: the name of the handshake and the Host of the request', () => {
  let edge: DataPlane;
  let gear: Gear;
  const start = async (overrides: Parameters<typeof startDataPlane>[0] = {}): Promise<void> => {
    edge = await startDataPlane(overrides, ['*.apps.example.test']);
    gear = await startGear();
    await edge.route([endpointAt(gear.port)]);
    await edge.route([endpointAt(gear.port)], { host: 'other-ns.apps.example.test', app: 'ns/other' });
    for (const host of [ALIAS_A, ALIAS_B]) {
      await edge.route([endpointAt(gear.port)], { host, hostRoute: { kind: 'alias' } });
      await edge.certificate(host, publishedCertificate([host]));
    }
  };
  afterEach(async () => {
    await edge.stop();
    await gear.stop();
  });
  const statusOf = async (servername: string, host: string): Promise<number> =>
    (await request({ port: edge.httpsPort, tls: { servername }, host })).status;

  for (const engine of ['native', 'http-proxy'] as const) {
    it(`${engine}: SNI for alias A with Host B is 421; the same name and names under one certificate are served`, async () => {
      await start({ http: { engine } });
      assert.equal(await statusOf(ALIAS_A, ALIAS_A), 200);
      assert.equal(await statusOf(ALIAS_A, `${ALIAS_A.toUpperCase()}.:443`), 200);
      assert.equal(await statusOf(HOST, 'other-ns.apps.example.test'), 200);
      assert.equal(gear.requests.length, 3);
      assert.equal(await statusOf(ALIAS_A, ALIAS_B), 421);
      assert.equal(await statusOf(ALIAS_A, HOST), 421);
      assert.equal(await statusOf(HOST, ALIAS_A), 421);
      assert.equal(await statusOf('nobody.example.org', ALIAS_A), 421);
      assert.equal(edge.finished.at(-1)?.failure, 'MISDIRECTED');
      assert.equal(gear.requests.length, 3, 'no gear was asked');
    });

    it(`${engine}: is routed by Host where the policy says so`, async () => {
      await start({ http: { engine }, tls: { misdirected: 'route' } });
      assert.equal(await statusOf(ALIAS_A, ALIAS_B), 200);
      assert.equal(await statusOf(HOST, ALIAS_B), 200);
    });
  }

  it('a connection that stays is judged by what holds now: aliases, certificates of the platform, demands of clients', async () => {
    await start();
    const client = await connectRaw({ port: edge.httpsPort, tls: { servername: ALIAS_A } });
    const ask = async (host: string): Promise<number> => {
      await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      return (await client.readResponse()).status;
    };
    assert.equal(await ask(ALIAS_B), 421);
    const both = publishedCertificate([ALIAS_A, ALIAS_B]);
    await edge.certificate(ALIAS_A, both);
    await edge.certificate(ALIAS_B, both);
    assert.equal(await ask(ALIAS_B), 200);
    await edge.certificate(ALIAS_B, null);
    assert.equal(await ask(ALIAS_B), 421);

    await edge.certificate(ALIAS_A, null);
    assert.equal(await ask(ALIAS_B), 200, 'the default is the certificate of both');
    const platform = (name: string) => platformCertificate(publishedCertificate([name]));
    edge.plane.setPlatformCertificates([platform('*.apps.example.test'), platform(ALIAS_B)]);
    assert.equal(await ask(ALIAS_B), 421);
    edge.plane.setPlatformCertificates([platform('*.apps.example.test')]);
    assert.equal(await ask(ALIAS_B), 200);
    edge.plane.setClientRules(clientRules({ names: [ALIAS_B], mode: 'request' }));
    assert.equal(await ask(ALIAS_B), 421);
    client.destroy();
  });

  it('so is one whose certificate ends meanwhile', async () => {
    await start();
    const ending = { ...publishedCertificate([ALIAS_A]), served: { from: null, until: Date.now() + 3_000 } };
    await edge.certificate(ALIAS_A, ending);
    const client = await connectRaw({ port: edge.httpsPort, tls: { servername: ALIAS_A } });
    const ask = async (): Promise<number> => {
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      return (await client.readResponse()).status;
    };
    assert.equal(await ask(), 421);
    await eventually(async () => (await ask()) === 200, 'the default as the certificate of both');
    client.destroy();
  });

  it('no SNI and unknown SNI get the default certificate, and are routed by Host', async () => {
    await start();
    assert.equal(await statusOf('', HOST), 200);
    assert.equal(await statusOf('', ALIAS_A), 200, 'who names nobody is not misdirected');
    assert.equal(await statusOf('nobody.example.org', HOST), 200, 'the default is the certificate of both');
  });

  it('a 421 says why and leaves the connection usable; plain HTTP has no such question', async () => {
    await start();
    const client = await connectRaw({ port: edge.httpsPort, tls: { servername: HOST } });
    await client.send(`GET / HTTP/1.1\r\nHost: ${ALIAS_A}\r\n\r\n`);
    const refused = await client.readResponse();
    assert.equal(refused.status, 421);
    assert.deepEqual(headersOf(refused.rawHeaders, 'headgear-failure'), ['MISDIRECTED']);
    await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal((await client.readResponse()).status, 200);
    client.destroy();
    assert.equal((await request({ port: edge.port, host: ALIAS_A })).status, 200);
  });
});

describe('names that differ in what they demand of client certificates', () => {
  const demands: Readonly<Record<string, string>> = { 'secret.example': 'ca-1', 'also.example': 'ca-1' };
  const { isMisdirected } = misdirectionBy({
    policy: 'route',
    sameCertificate: () => true,
    clientDemandOf: (host) => demands[host ?? ''] ?? '',
  });

  it('never share a connection, whatever the policy and the certificate', () => {
    assert.equal(isMisdirected('open.example', 'secret.example'), true);
    assert.equal(isMisdirected(null, 'secret.example'), true);
    assert.equal(isMisdirected('secret.example', 'open.example'), true);
    assert.equal(isMisdirected('secret.example', 'also.example'), false);
    assert.equal(isMisdirected('secret.example', 'secret.example'), false);
  });
});

describe('what is remembered of names that were compared', () => {
  const asked: string[] = [];
  let certificates: Readonly<Record<string, string>> = {};
  const { isMisdirected, forget } = misdirectionBy({
    policy: 'refuse',
    sameCertificate: (one, other) => {
      asked.push(`${one} ${other}`);
      return certificates[one ?? ''] === certificates[other ?? ''];
    },
    clientDemandOf: () => '',
  });

  it('spares the look-ups while nothing changes, and never answers for another name of the handshake', () => {
    certificates = { 'a.example': '1', 'b.example': '1', 'c.example': '2' };
    const answers = ['a.example', 'a.example', 'c.example', 'a.example'].map((name) =>
      isMisdirected(name, 'b.example'),
    );
    assert.deepEqual(answers, [false, false, true, false]);
    assert.deepEqual(asked, ['a.example b.example', 'c.example b.example', 'a.example b.example']);
  });

  it('is forgotten when it may not hold any more', () => {
    certificates = { 'a.example': '1', 'b.example': '3' };
    assert.equal(isMisdirected('a.example', 'b.example'), false, 'nobody has said so');
    forget();
    assert.equal(isMisdirected('a.example', 'b.example'), true);
  });

  it('is bounded, whatever hosts a client makes up', () => {
    asked.length = 0;
    for (let n = 0; n < 5_000; n += 1) isMisdirected('a.example', `${n}.example`);
    isMisdirected('a.example', '0.example');
    assert.equal(asked.length, 5_001, 'the first was forgotten');
  });
});
