import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { issueCertificate, makeDevelopmentCa } from '../../src/pem/development.ts';
import { connectRaw, headerOf, headersOf, request } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { patternBytes } from '../support/gear.ts';
import { closedPort, echoOf, endpointAt, gearFor, host, rawGearFor, startScene } from './scenery.ts';

test('target, Host and fields reach the gear as sent, with the forwarding fields added', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const answer = await request({
    port: scene.port,
    target: "//a//b/../%7e?x=http://y//z&{}|^'",
    host: 'Demo-NS.apps.test:8080',
    headers: [
      ['X-MiXed', 'one'],
      ['X-MiXed', 'two'],
      ['Cookie', 'GEAR=local-542'],
    ],
  });
  assert.equal(answer.status, 200);
  const echo = echoOf(answer.body);
  assert.equal(echo.url, "//a//b/../%7e?x=http://y//z&{}|^'");
  assert.equal(headerOf(echo.rawHeaders, 'host'), 'Demo-NS.apps.test:8080');
  assert.deepEqual(headersOf(echo.rawHeaders, 'x-mixed'), ['one', 'two']);
  assert.ok(echo.rawHeaders.includes('X-MiXed'));
  assert.equal(headerOf(echo.rawHeaders, 'cookie'), 'GEAR=local-542');
  assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-for'), '127.0.0.1');
  assert.equal(headerOf(echo.rawHeaders, 'x-client-ip'), '127.0.0.1');
  assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-proto'), 'http');
  assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-port'), '80');
  assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-host'), 'Demo-NS.apps.test:8080');
  assert.match(headerOf(echo.rawHeaders, 'x-request-start') ?? '', /^t=\d{16}$/);
  assert.match(headerOf(echo.rawHeaders, 'forwarded') ?? '', /^for=127\.0\.0\.1;proto=http;host=/);
  const context = await eventually(() => scene.contexts[0]);
  assert.equal(context.host, host);
  assert.equal(context.app, 'ns/demo');
  assert.equal(context.gearId, `gear-${gear.port}`);
  assert.equal(context.generation, 7);
  assert.equal(context.status, 200);
  assert.equal(context.failure, '');
  assert.ok(context.bytesOut > 0 && context.upstreamFirstByteUs > 0);
});

test('what a client says of forwarding is taken out, from a trusted proxy it is believed, X-OpenShift-Host never', async (t) => {
  const gear = await gearFor(t);
  const headers = {
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-SSL-Client-Cert': 'forged',
    'X-Client-IP': '203.0.113.9',
    'X-OpenShift-Host': 'other-ns.apps.test',
    Forwarded: 'for=203.0.113.9',
  };
  const plain = await startScene(t, [endpointAt(gear.port)]);
  const told = echoOf((await request({ port: plain.port, host, headers })).body).rawHeaders;
  assert.ok(!told.some((value) => /203\.0\.113|forged|other-ns/.test(value)));
  const behind = await startScene(t, [endpointAt(gear.port)], { http: { trustedProxies: ['127.0.0.0/8'] } });
  const believed = echoOf((await request({ port: behind.port, host, headers })).body).rawHeaders;
  assert.equal(headerOf(believed, 'x-forwarded-for'), '203.0.113.9, 127.0.0.1');
  assert.equal(headerOf(believed, 'x-forwarded-proto'), 'https');
  assert.equal(headerOf(believed, 'x-forwarded-ssl-client-cert'), 'forged');
  assert.equal(headerOf(believed, 'x-openshift-host'), undefined);
  await eventually(() => behind.contexts[0]?.clientAddress === '203.0.113.9');
});

test('bodies pass whole both ways, by length and chunked, on one kept connection', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  t.after(() => client.destroy());
  const body = patternBytes(300_000);
  const sha256 = createHash('sha256').update(body).digest('hex');
  await client.send(`POST /a HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n`);
  void client.send(body);
  assert.equal(echoOf((await client.readResponse()).body).bodySha256, sha256);
  await client.send(`POST /b HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  void client.send(`${body.length.toString(16)}\r\n`);
  void client.send(body);
  void client.send('\r\n0\r\n\r\n');
  assert.equal(echoOf((await client.readResponse()).body).bodySha256, sha256);
  for (const target of ['/bytes/200000', '/chunked/200000']) {
    await client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.ok((await client.readResponse()).body.equals(patternBytes(200_000)), target);
  }
  await client.send(
    `HEAD /bytes/9 HTTP/1.1\r\nHost: ${host}\r\n\r\nGET /status/204 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  );
  assert.equal(headerOf((await client.readResponse({ method: 'HEAD' })).rawHeaders, 'content-length'), '9');
  assert.equal((await client.readResponse()).status, 204);
  assert.equal(gear.acceptedConnections, 1);
  await eventually(() => scene.contexts.length === 6);
  assert.deepEqual(
    scene.contexts.map(({ bytesIn }) => bytesIn),
    [300_000, 300_000, 0, 0, 0, 0],
  );
});

test('events pass as they come', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  t.after(() => client.destroy());
  await client.send(`GET /stream HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await client.readUntil('data: 3');
});

test('a websocket is joined, its bytes pass both ways, alias or not it goes to the endpoints', async (t) => {
  const gear = await rawGearFor(t, (socket, bytes) => {
    assert.match(bytes.toString(), /Connection: Upgrade\r\nUpgrade: websocket\r\n/);
    assert.match(bytes.toString(), /Host: www.example.test\r\n/);
    socket.removeAllListeners('data');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhi',
    );
    socket.pipe(socket);
  });
  const scene = await startScene(t, [endpointAt(gear.port)]);
  scene.aliasEndpoints = [endpointAt(await closedPort())];
  const client = await connectRaw({ port: scene.port });
  await client.send(
    'GET /ws HTTP/1.1\r\nHost: www.example.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly',
  );
  const head = await client.readResponse();
  assert.equal(head.status, 101);
  assert.equal(headerOf(head.rawHeaders, 'sec-websocket-accept'), 'x');
  assert.equal((await client.readBytes(7)).toString(), 'hiearly');
  await client.send('more');
  assert.equal((await client.readBytes(4)).toString(), 'more');
  client.end();
  await client.closed;
  const context = await eventually(() => scene.contexts[0]);
  assert.deepEqual([context.status, context.bytesIn, context.bytesOut], [101, 9, 11]);
  await eventually(() => gear.openConnections === 0);
});

test('a refused upgrade is an answer like any other and ends the connection', async (t) => {
  const gear = await rawGearFor(t, (socket) =>
    socket.write('HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'),
  );
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  await client.send(`GET /ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  const answer = await client.readResponse();
  assert.equal(answer.status, 403);
  assert.equal(answer.body.toString(), 'no');
  await eventually(() => client.ended);
  client.destroy();
  const lost = await request({
    port: scene.port,
    host: 'nobody.test',
    headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
  });
  assert.equal(lost.status, 404);
});

test('an upgrade to h2c does not pass: the gear gets a plain request', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const answer = await request({
    port: scene.port,
    host,
    headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAARAAAAA' },
  });
  const { rawHeaders } = echoOf(answer.body);
  assert.equal(headerOf(rawHeaders, 'upgrade'), undefined);
  assert.equal(headerOf(rawHeaders, 'http2-settings'), undefined);
});

test('100 Continue is said once a gear has taken the connection, and the gear is not asked again', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  t.after(() => client.destroy());
  await client.send(`PUT / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`);
  await client.readUntil('HTTP/1.1 100 Continue\r\n\r\n');
  await client.send('abc');
  const echo = echoOf((await client.readResponse()).body);
  assert.equal(echo.bodyLength, 3);
  assert.equal(headerOf(echo.rawHeaders, 'expect'), undefined);
  scene.endpoints = [];
  const none = await request({
    port: scene.port,
    host,
    method: 'PUT',
    body: 'x',
    headers: { Expect: '100-continue' },
  });
  assert.equal(none.status, 503);
  assert.equal(none.interim.length, 0);
});

test('over TLS the gear is told https and 443; a TLS gear is reached with the Host as its name', async (t) => {
  const ca = makeDevelopmentCa();
  const leaf = issueCertificate({ ca, names: [host] });
  const tls = { cert: leaf.chainPem, key: leaf.privateKeyPem };
  const gear = await gearFor(t, { tls });
  const scene = await startScene(t, [endpointAt(gear.port, { tls: true })], { tls });
  const get = () => request({ port: scene.port, host, tls: { servername: host, ca: ca.certificatePem } });
  const { rawHeaders } = echoOf((await get()).body);
  assert.equal(headerOf(rawHeaders, 'x-forwarded-proto'), 'https');
  assert.equal(headerOf(rawHeaders, 'x-forwarded-port'), '443');
  scene.endpoints = [endpointAt(gear.port, { tls: true, verifyTls: true, id: 'verified' })];
  assert.equal(headerOf((await get()).rawHeaders, 'headgear-failure'), 'CONNECT_TLS_UNTRUSTED');
});

test('a drain lets the request under way end and closes idle connections', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const idle = await connectRaw({ port: scene.port });
  await idle.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  assert.equal((await idle.readResponse()).status, 200);
  const busy = await connectRaw({ port: scene.port });
  await busy.send(`GET /stream?count=3 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await busy.readUntil('data: 1');
  for (const connection of scene.connections) connection.drain();
  await eventually(() => idle.ended);
  await busy.readUntil('data: 3');
  await eventually(() => busy.ended);
  idle.destroy();
  busy.destroy();
});
