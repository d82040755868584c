import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { connectRaw, headerOf, request } from './client.ts';
import { type Echo, patternBytes, startGear, startRawGear } from './gear.ts';
import { startNodeFrontend } from './node-frontend.ts';

test('a gear echoes what it was sent, and records it', async (t) => {
  const gear = await startGear({ name: 'one' });
  t.after(() => gear.stop());
  const sent = Buffer.from('hello');
  const { status, body } = await request({
    port: gear.port,
    method: 'POST',
    target: '/a?b=%20c',
    host: 'X.example',
    headers: { 'X-Odd': '1' },
    body: sent,
  });
  const echo = JSON.parse(body.toString()) as Echo;
  assert.equal(status, 200);
  assert.equal(echo.gear, 'one');
  assert.equal(echo.url, '/a?b=%20c');
  assert.equal(headerOf(echo.rawHeaders, 'host'), 'X.example');
  assert.equal(echo.bodySha256, createHash('sha256').update(sent).digest('hex'));
  assert.equal(gear.requests[0]?.bodyLength, 5);
});

test('the client reads pipelined answers of every framing in order', async (t) => {
  const gear = await startGear();
  t.after(() => gear.stop());
  const client = await connectRaw({ port: gear.port });
  t.after(() => client.destroy());
  const get = (target: string, method = 'GET') => `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
  await client.send(
    get('/bytes/70000') +
      get('/chunked/70000') +
      get('/status/204') +
      get('/bytes/9', 'HEAD') +
      get('/early'),
  );
  const [one, two, three, four, five] = await Promise.all([
    client.readResponse(),
    client.readResponse(),
    client.readResponse(),
    client.readResponse({ method: 'HEAD' }),
    client.readResponse(),
  ]);
  assert.ok(one.body.equals(patternBytes(70000)));
  assert.ok(two.body.equals(patternBytes(70000)));
  assert.equal(headerOf(two.rawHeaders, 'transfer-encoding'), 'chunked');
  assert.equal(three.status, 204);
  assert.equal(headerOf(four.rawHeaders, 'content-length'), '9');
  assert.deepEqual(
    five.interim.map(({ status }) => status),
    [103],
  );
});

test('the client tells a body cut short from a whole one', async (t) => {
  const gear = await startGear();
  t.after(() => gear.stop());
  await assert.rejects(request({ port: gear.port, target: '/cut/1000' }), /ended too soon/);
  await assert.rejects(request({ port: gear.port, target: '/close' }), /ended too soon/);
});

test('a gear echoes websocket messages and streams events', async (t) => {
  const gear = await startGear();
  t.after(() => gear.stop());
  const socket = new WebSocket(`ws://127.0.0.1:${gear.port}/chat`);
  const message = await new Promise((resolve, reject) => {
    socket.on('open', () => socket.send('hi'));
    socket.on('message', (data) => resolve(String(data)));
    socket.on('error', reject);
  });
  socket.terminate();
  assert.equal(message, 'hi');
  const events = await request({ port: gear.port, target: '/stream?count=2' });
  assert.equal(events.body.toString(), 'data: 1\n\ndata: 2\n\n');
});

test('a raw gear answers byte for byte, once a whole request is there', async (t) => {
  const gear = await startRawGear((socket) => socket.end('HTTP/1.0 200 Odd  reason\r\na:b\r\n\r\nrest'));
  t.after(() => gear.stop());
  const answer = await request({
    port: gear.port,
    method: 'POST',
    headers: { 'Transfer-Encoding': 'chunked' },
    body: '3\r\nabc\r\n0\r\n\r\n',
  });
  assert.equal(answer.statusLine, 'HTTP/1.0 200 Odd  reason');
  assert.equal(answer.body.toString(), 'rest');
  assert.ok(gear.requests[0]?.toString().endsWith('0\r\n\r\n'));
});

test('a node frontend knows its hosts, redirects others, and wakes idle ones', async (t) => {
  const node = await startNodeFrontend({ known: ['demo-ns.apps.test'] });
  t.after(() => node.stop());
  const probe = (host: string) => request({ port: node.port, target: '/health', host });
  assert.equal((await probe('demo-ns.apps.test')).body.toString(), '1\n');
  const unknown = await probe('other-ns.apps.test');
  assert.equal(unknown.status, 302);
  assert.equal(headerOf(unknown.rawHeaders, 'location'), 'http://other-ns.apps.test/getting_started.html');
  node.idle('demo-ns.apps.test');
  assert.equal(
    headerOf((await probe('demo-ns.apps.test')).rawHeaders, 'location'),
    'http://demo-ns.apps.test/health',
  );
  assert.equal((await probe('demo-ns.apps.test')).status, 200);
});
