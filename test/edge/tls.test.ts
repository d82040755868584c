import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { publishedCertificate, testCa } from '../support/certificates.ts';
import { connectRaw, headersOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, startGear } from '../support/gear.ts';

const ALIAS = 'www.tenant.example';

describe('HTTPS', () => {
  let edge: DataPlane;
  let gear: Gear;
  before(async () => {
    gear = await startGear();
    edge = await startDataPlane({}, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    await edge.route([endpointAt(gear.port)], { host: ALIAS, hostRoute: { kind: 'alias' } });
  });
  after(async () => {
    await edge.stop();
    await gear.stop();
  });
  const ca = testCa().certificatePem;
  const servedTo = async (servername: string): Promise<string> => {
    const client = await connectRaw({ port: edge.httpsPort, tls: { servername } });
    const { subjectaltname = '' } = (client.socket as TLSSocket).getPeerCertificate();
    client.destroy();
    return subjectaltname;
  };

  it('serves under the wildcard, verified, and tells the gear that it was https', async () => {
    const response = await request({
      port: edge.httpsPort,
      tls: { servername: HOST, ca },
      host: `${HOST}:443`,
    });
    const { rawHeaders } = JSON.parse(response.body.toString()) as Echo;
    assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-proto'), ['https']);
    assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-port'), [String(edge.httpsPort)]);
    assert.deepEqual(headersOf(rawHeaders, 'forwarded'), [`for=127.0.0.1;proto=https;host="${HOST}:443"`]);
  });

  it("serves an alias with its own certificate from the handshake after it came, and with the platform's after it went", async () => {
    assert.equal(await servedTo(ALIAS), 'DNS:*.apps.example.test');
    await edge.certificate(ALIAS, publishedCertificate([ALIAS], 1));
    assert.equal(await servedTo(ALIAS), `DNS:${ALIAS}`);
    await edge.certificate(ALIAS, publishedCertificate([ALIAS, 'second.example'], 2));
    assert.equal(await servedTo(ALIAS), `DNS:${ALIAS}, DNS:second.example`);
    await edge.certificate(ALIAS, null);
    assert.equal(await servedTo(ALIAS), 'DNS:*.apps.example.test');
  });

  it('leaves open connections alone when certificates change', async () => {
    const client = await connectRaw({ port: edge.httpsPort, tls: { servername: HOST, ca } });
    await edge.certificate(ALIAS, publishedCertificate([ALIAS]));
    await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal((await client.readResponse()).status, 200);
    await edge.certificate(ALIAS, null);
    client.destroy();
  });

  it('streams a large answer both keep-alive and closing', async () => {
    const response = await request({
      port: edge.httpsPort,
      tls: { servername: HOST, ca },
      host: HOST,
      target: '/bytes/5000000',
    });
    assert.equal(response.body.length, 5_000_000);
  });

  it('aborted handshakes leave nothing open', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw({ port: edge.httpsPort })));
    for (const client of clients) {
      await client.send(Buffer.from('16030100ff', 'hex'));
      client.destroy();
    }
    await eventually(() => edge.plane.status().connections === 0);
  });
});

describe('gears and node frontends that speak TLS', () => {
  let edge: DataPlane;
  let gear: Gear;
  let plainGear: Gear;
  before(async () => {
    const { chainPem: cert, keyPem: key } = publishedCertificate([HOST]);
    gear = await startGear({ name: 'tls', tls: { cert, key } });
    plainGear = await startGear({ name: 'plain' });
    edge = await startDataPlane({}, ['*.apps.example.test']);
  });
  after(async () => {
    await edge.stop();
    await gear.stop();
    await plainGear.stop();
  });
  const answerer = async (more: object = {}): Promise<string> => {
    const response = await request({ port: edge.port, host: ALIAS, ...more });
    return (JSON.parse(response.body.toString()) as Echo).gear;
  };

  it('an https endpoint is spoken to over TLS, its connections kept', async () => {
    await edge.route([endpointAt(gear.port, { tls: true })]);
    const before = gear.acceptedConnections;
    for (let round = 0; round < 3; round++) {
      assert.equal(
        (await request({ port: edge.port, host: HOST, target: '/bytes/100000' })).body.length,
        100_000,
      );
    }
    assert.equal(gear.acceptedConnections - before, 1);
  });

  it('a certificate that does not verify is refused where verification is on', async () => {
    await edge.route([endpointAt(gear.port, { id: 'verified', tls: true, verifyTls: true })]);
    assert.equal((await request({ port: edge.port, host: HOST })).status, 502);
  });

  it("alias requests go to the node frontend by the client's scheme; upgrades to the endpoints", async () => {
    const endpoints = [endpointAt(plainGear.port)];
    const frontend = await startGear({ name: 'frontend' });
    await edge.route(endpoints, {
      host: ALIAS,
      hostRoute: { kind: 'alias', viaNodeFrontend: true },
      nodeFrontendsHttp: [endpointAt(frontend.port, { id: 'fh' })],
      nodeFrontendsHttps: [endpointAt(gear.port, { id: 'fs', tls: true })],
    });
    assert.equal(await answerer(), 'frontend');
    assert.equal(await answerer({ port: edge.httpsPort, tls: { servername: ALIAS } }), 'tls');
    assert.equal(frontend.requests[0]?.rawHeaders.includes(ALIAS), true);
    const upgrade = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ] as const;
    assert.equal((await request({ port: edge.port, host: ALIAS, headers: upgrade })).status, 101);
    assert.equal(plainGear.requests.filter((seen) => seen.upgrade).length, 1);
    await frontend.stop();
  });
});
