import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { type AskOptions, askResponder } from '../../src/stapling/ask-responder.ts';
import { createDialPolicy } from '../../src/stapling/dial-policy.ts';

const servers = new Set<Server>();
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers.clear();
});

async function responder(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  servers.add(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const question = Buffer.from('a question');
const signal = new AbortController().signal;
async function ask(url: string, more: Partial<AskOptions> = {}): Promise<string> {
  const policy = createDialPolicy(['127.0.0.1']);
  const asked = await askResponder(url, question, { policy, timeoutMs: 5_000, signal, ...more });
  return asked.ok ? asked.response.toString() : asked.code;
}

test('the question is posted to the named host and path, at the address that was judged', async () => {
  const seen: (string | undefined)[] = [];
  const port = await responder((request, response) => {
    seen.push(request.method, request.url, request.headers.host, request.headers['content-type']);
    request.on('data', (chunk: Buffer) => seen.push(String(chunk)));
    request.on('end', () => response.end('an answer'));
  });
  const resolve = async () => ['10.0.0.1', '127.0.0.1'];
  assert.equal(await ask(`http://ocsp.example.test:${port}/a/b?c`, { resolve }), 'an answer');
  assert.deepEqual(seen, [
    'POST',
    '/a/b?c',
    `ocsp.example.test:${port}`,
    'application/ocsp-request',
    'a question',
  ]);
});

test('addresses that must not be dialled are not, whether they are named or resolved', async () => {
  let requests = 0;
  const port = await responder((_, response) => {
    requests += 1;
    response.end();
  });
  const policy = createDialPolicy([]);
  const resolve = async () => ['127.0.0.1', '::1', '169.254.169.254'];
  assert.equal(await ask(`http://127.0.0.1:${port}/`, { policy }), 'STAPLING_ADDRESS');
  assert.equal(await ask(`http://[::ffff:127.0.0.1]:${port}/`, { policy }), 'STAPLING_ADDRESS');
  assert.equal(await ask(`http://0x7f000001:${port}/`, { policy }), 'STAPLING_ADDRESS');
  assert.equal(await ask(`http://rebound.example.test:${port}/`, { policy, resolve }), 'STAPLING_ADDRESS');
  assert.equal(requests, 0);
});

test('a redirection is not followed', async () => {
  const port = await responder((request, response) => {
    if (request.url === '/inside') response.end('secrets');
    else response.writeHead(302, { location: '/inside' }).end();
  });
  assert.equal(await ask(`http://127.0.0.1:${port}/`), 'STAPLING_HTTP');
});

test('an answer without end, too long, or of an error is let go of', async () => {
  const port = await responder((request, response) => {
    if (request.url === '/long') response.end(Buffer.alloc(70_000));
    else if (request.url === '/error') response.writeHead(500).end('no');
    else if (request.url === '/cut')
      response.writeHead(200, { 'content-length': 10 }).end('cut', () => response.destroy());
    else if (request.url === '/drip') response.write('.');
  });
  assert.equal(await ask(`http://127.0.0.1:${port}/long`), 'STAPLING_HTTP');
  assert.equal(await ask(`http://127.0.0.1:${port}/error`), 'STAPLING_HTTP');
  assert.equal(await ask(`http://127.0.0.1:${port}/cut`), 'STAPLING_UNREACHABLE');
  assert.equal(await ask(`http://127.0.0.1:${port}/drip`, { timeoutMs: 100 }), 'STAPLING_UNREACHABLE');
  assert.equal(await ask(`http://127.0.0.1:${port}/silent`, { timeoutMs: 100 }), 'STAPLING_UNREACHABLE');
});

test('what cannot be asked is said', async () => {
  for (const url of ['https://127.0.0.1/', 'http://user:secret@127.0.0.1/', 'ldap://127.0.0.1/', 'rubbish'])
    assert.equal(await ask(url), 'STAPLING_URL', url);
  const none = { resolve: async () => [] };
  const broken = { resolve: async () => Promise.reject(new Error('ENOTFOUND')) };
  assert.equal(await ask('http://nobody.example.test/', none), 'STAPLING_DNS');
  assert.equal(await ask('http://nobody.example.test/', broken), 'STAPLING_DNS');
});
