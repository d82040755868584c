import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { connectRaw, headerOf, request } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { closedPort, echoOf, endpointAt, gearFor, host, rawGearFor, startScene } from './scenery.ts';

test('pipelined requests are served one after the other, and not any number of them', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  t.after(() => client.destroy());
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  await client.send(get('/slow/20') + get('/a').repeat(30));
  for (let i = 0; i < 31; i++) assert.equal((await client.readResponse()).status, 200);
  assert.equal(gear.acceptedConnections, 1);
  await client.send(get('/slow/60000') + get('/a').repeat(500));
  await eventually(() => gear.requests.some(({ url }) => url === '/slow/60000'));
  assert.equal((await request({ port: scene.port, host })).status, 200);
  assert.equal(gear.requests.length, 31 + 1 + 1);
  // A mere end would be a half-close: such a client waits for its answer.
  client.socket.resetAndDestroy();
  await eventually(() => gear.openConnections === 1);
});

test('a chunked DELETE keeps its framing: no second request hides in its body (CVE-2026-29057)', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const hidden = 'GET /admin HTTP/1.1\r\nHost: x\r\n\r\n';
  for (const method of ['DELETE', 'OPTIONS']) {
    const answer = await request({
      port: scene.port,
      host,
      method,
      headers: { 'Transfer-Encoding': 'chunked' },
      body: `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    });
    assert.equal(echoOf(answer.body).bodyLength, hidden.length);
  }
  assert.deepEqual(
    gear.requests.map(({ method, url }) => `${method} ${url}`),
    ['DELETE /', 'OPTIONS /'],
  );
});

test('unknown hosts get 404, applications without a gear 503, each with its code', async (t) => {
  const scene = await startScene(t, []);
  const unknown = await request({ port: scene.port, host: 'nobody.test' });
  assert.equal(unknown.status, 404);
  assert.equal(headerOf(unknown.rawHeaders, 'headgear-failure'), 'UNKNOWN_HOST');
  const empty = await request({ port: scene.port, host });
  assert.equal(empty.status, 503);
  assert.equal(headerOf(empty.rawHeaders, 'headgear-failure'), 'NO_ENDPOINT');
  assert.ok(headerOf(empty.rawHeaders, 'retry-after'));
  await eventually(() => scene.contexts.map(({ failure }) => failure).join() === 'UNKNOWN_HOST,NO_ENDPOINT');
});

test('a refused connection is tried at the next endpoint, a request with a body too', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(await closedPort()), endpointAt(gear.port)]);
  const answer = await request({ port: scene.port, host, method: 'POST', body: 'precious' });
  assert.equal(echoOf(answer.body).bodyLength, 8);
  assert.deepEqual(
    scene.observed.map(({ failure }) => failure?.code ?? 'fine'),
    ['CONNECT_REFUSED', 'fine'],
  );
  await eventually(() => scene.contexts[0]?.attempts === 2);
});

test('each way in which a gear fails has its answer', async (t) => {
  const cases: [string, string, number][] = [
    ['', 'CLOSED_BEFORE_RESPONSE', 502],
    ['HTTP/1.1 000 \r\n\r\n', 'RESPONSE_INVALID', 502],
    ['HTTP/1.1 099 No\r\n\r\n', 'RESPONSE_INVALID', 502],
    ['rubbish\r\n\r\n', 'RESPONSE_INVALID', 502],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 'RESPONSE_INVALID', 502],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'RESPONSE_INVALID', 502],
    ['HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', 'UNASKED_UPGRADE', 502],
  ];
  for (const [bytes, code, status] of cases) {
    const gear = await rawGearFor(t, (socket) => socket.end(bytes));
    const scene = await startScene(t, [endpointAt(gear.port)]);
    const answer = await request({ port: scene.port, host, method: 'POST', body: 'x' });
    assert.equal(headerOf(answer.rawHeaders, 'headgear-failure'), code, bytes);
    assert.equal(answer.status, status, bytes);
  }
  const refused = await startScene(t, [endpointAt(await closedPort())]);
  assert.equal(
    headerOf((await request({ port: refused.port, host })).rawHeaders, 'headgear-failure'),
    'CONNECT_REFUSED',
  );
  const silent = await gearFor(t, { handler: () => {} });
  const slow = await startScene(t, [endpointAt(silent.port)], { upstream: { responseTimeoutMs: 30 } });
  const late = await request({ port: slow.port, host });
  assert.equal(late.status, 504);
  assert.equal(headerOf(late.rawHeaders, 'headgear-failure'), 'RESPONSE_TIMEOUT');
  await eventually(() => silent.openConnections === 0);
});

test('an idle connection that the gear has closed meanwhile costs a GET nothing', async (t) => {
  const gear = await rawGearFor(t, (socket, bytes) => {
    if (bytes.includes('/leave')) setImmediate(() => socket.end());
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const scene = await startScene(t, [endpointAt(gear.port)]);
  for (let i = 0; i < 20; i++) {
    assert.equal((await request({ port: scene.port, host, target: '/leave' })).status, 200);
    assert.equal((await request({ port: scene.port, host, target: '/next' })).status, 200);
  }
});

test('a port with a new owner never gets a connection of the old one', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  await request({ port: scene.port, host });
  await eventually(() => gear.openConnections === 1);
  scene.endpoints = [endpointAt(gear.port, { id: 'ns/other' })];
  await request({ port: scene.port, host });
  assert.equal(gear.acceptedConnections, 2);
});

test('an answer cut short ends the connection of the client: it never hangs on an open 200', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  await assert.rejects(request({ port: scene.port, host, target: '/cut/100000' }), /ended too soon/);
  await eventually(() => scene.contexts[0]?.failure === 'RESPONSE_CUT_SHORT');
});

test('a client that leaves in the middle of a download leaves no upstream connection behind', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  for (let i = 0; i < 5; i++) {
    const client = await connectRaw({ port: scene.port });
    await client.send(`GET /stream HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await client.readUntil('data: 1');
    client.destroy();
  }
  await eventually(() => gear.openConnections === 0);
  await eventually(() => scene.contexts.length === 5);
  assert.ok(scene.contexts.every(({ failure }) => failure === 'CLIENT_GONE'));
});

test('bytes that end a bare http-proxy are answered, and the next request is served', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const attacks = [
    'GET http://[fe80::a%25eth0]/ HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET http://[::/ HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: other\r\n\r\n`,
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n',
    '\u0016\u0003\u0001\r\n\r\n',
    `GET / HTTP/1.1\nHost: ${host}\n\n`,
    'GET /\n\n',
    `GET / RTSP/1.0\r\nHost: ${host}\r\n\r\n`,
    `SOURCE / ICE/1.0\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}:99999\r\n\r\n`,
    `UNHEARD-OF / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nExpect: something\r\n\r\n`,
  ];
  for (const attack of attacks) {
    const client = await connectRaw({ port: scene.port });
    await client.send(attack);
    await client.readResponse().then(
      ({ status }) => assert.ok(status >= 400 && status < 506, `${status} to ${attack.slice(0, 60)}`),
      () => assert.fail(`no answer to ${attack.slice(0, 60)}`),
    );
    client.destroy();
  }
  assert.equal(gear.requests.length, 0);
  assert.equal((await request({ port: scene.port, host })).status, 200);
});

test('a dial that hangs ends in CONNECT_TIMEOUT', async (t) => {
  // A TLS handshake that nobody answers hangs like a dial into nothing, on loopback too.
  const mute = createServer(() => {});
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const open = new Set<{ destroy(): void }>();
  mute.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {});
  });
  t.after(() => {
    for (const socket of open) socket.destroy();
    mute.close();
  });
  const { port } = mute.address() as { port: number };
  const scene = await startScene(t, [endpointAt(port, { tls: true })], {
    upstream: { connectTimeoutMs: 30 },
  });
  const answer = await request({ port: scene.port, host });
  assert.equal(answer.status, 504);
  assert.equal(headerOf(answer.rawHeaders, 'headgear-failure'), 'CONNECT_TIMEOUT');
});

test('a pipelined head that is refused does not cost the answer before it', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  await client.send(`GET /slow/30 HTTP/1.1\r\nHost: ${host}\r\n\r\nGET / HTTP/1.1\nHost: ${host}\n\n`);
  assert.equal(echoOf((await client.readResponse()).body).url, '/slow/30');
  assert.equal((await client.readResponse()).status, 400);
  await eventually(() => client.ended);
  client.destroy();
});

test('trailers pass both ways, but for those that no trailer may be', async (t) => {
  const answered =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\nSet-Cookie: a=b\r\n\r\n';
  const gear = await rawGearFor(t, () => {}, {
    onConnection: (socket) =>
      socket.on('data', () => void (/\r\n0\r\n.*\r\n\r\n$/s.test(gear.seen()) && socket.write(answered))),
  });
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  t.after(() => client.destroy());
  await client.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  await client.send('2;x=y\r\nhi\r\n0\r\nX-Check: 1\r\nHost: other\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n');
  const answer = await client.readResponse();
  assert.deepEqual(answer.trailers, ['X-Sum', '2']);
  assert.match(gear.seen(), /\r\n0\r\nX-Check: 1\r\n\r\n$/);
});

test('an answer before the end of the upload is not lost to a reset, however much the client still sends', async (t) => {
  const gear = await rawGearFor(t, () => {}, {
    onConnection: (socket) => void socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'),
  });
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = connect({ port: scene.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => client.destroy());
  let received = '';
  let error: Error | null = null;
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  client.on('error', (met: Error) => {
    error = met;
  });
  client.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000000\r\n\r\n`);
  await new Promise((resolve) => client.write('x'.repeat(20_000_000), resolve));
  await eventually(() => received.startsWith('HTTP/1.1 413 '));
  assert.equal(error, null);
  client.end();
  await eventually(() => gear.openConnections === 0);
});

test('an HTTP/1.0 client sees a broken connection, not an end, when an answer without a length breaks off', async (t) => {
  const gear = await rawGearFor(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', () =>
      socket.destroy(),
    );
  });
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const client = await connectRaw({ port: scene.port });
  await client.send(`GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  assert.notEqual((await client.closed).error, null);
});

test('connections of an endpoint that is gone end: idle ones at once, the others when their request is over', async (t) => {
  const gear = await gearFor(t);
  const scene = await startScene(t, [endpointAt(gear.port)]);
  const slow = request({ port: scene.port, host, target: '/slow/50' });
  await eventually(() => gear.requests.length === 1);
  await request({ port: scene.port, host });
  assert.equal(gear.openConnections, 2);
  scene.engine.retire(endpointAt(gear.port).id);
  await eventually(() => gear.openConnections === 1, 'the end of the idle connection', 2_000);
  assert.equal((await slow).status, 200);
  await eventually(() => gear.openConnections === 0, 'the end of the other', 2_000);
});
