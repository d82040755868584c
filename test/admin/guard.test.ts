import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { allowedHosts, guard } from '../../src/admin/guard.ts';
import { type AdminActor, exchange, startTestAdmin } from './admin-actor.ts';

const allowed = allowedHosts('127.0.0.1', 9090, ['admin.example.com', 'tunnel.example.com:19090', '::2']);
const judge = (host: string, more: { origin?: string; method?: string; url?: string } = {}): string => {
  const rawHeaders = ['Host', host, ...(more.origin === undefined ? [] : ['Origin', more.origin])];
  const judged = guard({ method: more.method ?? 'GET', url: more.url ?? '/table', rawHeaders }, allowed);
  return judged.ok ? judged.path : judged.refusal.code;
};

describe('guard', () => {
  it('answers by its own addresses, localhost and what is configured, each with the right port', () => {
    for (const host of ['127.0.0.1:9090', 'localhost:9090', 'LOCALHOST:9090', '[::1]:9090', '[::2]:9090']) {
      assert.equal(judge(host), '/table', host);
    }
    for (const host of ['admin.example.com:9090', 'tunnel.example.com:19090'])
      assert.equal(judge(host), '/table', host);
  });

  it('refuses a rebound name, another port, and look-alikes', () => {
    const hostile = [
      'evil.example.com',
      'evil.example.com:9090',
      'localhost',
      '127.0.0.1',
      '127.0.0.1:9091',
      'localhost:9090.evil.example.com',
      'localhost.evil.example.com:9090',
      'evil.example.com#localhost:9090',
      'user@localhost:9090',
      'tunnel.example.com:9090',
      '0.0.0.0:9090',
      '2130706433:9090',
      'localhost.:9090',
      '',
    ];
    for (const host of hostile) assert.equal(judge(host), 'ADMIN_HOST_NOT_ALLOWED', host);
  });

  it('needs no port in Host where admin listens on port 80', () => {
    assert.ok(allowedHosts('127.0.0.1', 80, []).has('localhost'));
  });

  it('refuses a missing and a second Host', () => {
    const request = { method: 'GET', url: '/table' };
    for (const rawHeaders of [[], ['Host', 'localhost:9090', 'host', 'evil.example.com']]) {
      const judged = guard({ ...request, rawHeaders }, allowed);
      assert.equal(judged.ok ? '' : judged.refusal.code, 'ADMIN_HOST_MISSING');
    }
  });

  it('refuses every foreign Origin, also the opaque one', () => {
    for (const origin of [
      'https://evil.example.com',
      'null',
      '',
      'https://localhost:9090',
      'http://localhost:8080',
      'file://',
    ]) {
      assert.equal(judge('localhost:9090', { origin }), 'ADMIN_ORIGIN_NOT_ALLOWED', origin);
    }
    assert.equal(judge('localhost:9090', { origin: 'http://localhost:9090' }), '/table');
  });

  it('refuses every method but GET, HEAD and POST, which only writers answer', () => {
    for (const method of ['post', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'get']) {
      assert.equal(judge('localhost:9090', { method }), 'ADMIN_METHOD_NOT_ALLOWED', method);
    }
  });

  it('refuses targets that are no plain path', () => {
    for (const url of [
      '*',
      'http://evil.example.com/table',
      '//evil.example.com/table',
      '',
      'table',
      '/caf\xe9',
      '/a b',
    ]) {
      assert.equal(judge('localhost:9090', { url }), 'ADMIN_TARGET_INVALID', url);
    }
    assert.equal(judge('localhost:9090', { url: `/${'a'.repeat(3_000)}` }), 'ADMIN_TARGET_TOO_LONG');
  });
});

describe('admin under attack', () => {
  let actor: AdminActor | null = null;
  afterEach(async () => {
    await actor?.admin.stop();
    actor = null;
  });
  const ask = async (head: string): Promise<string> => {
    actor ??= await startTestAdmin();
    return exchange(
      actor.port,
      `${head.replaceAll('PORT', String(actor.port))}\r\nConnection: close\r\n\r\n`,
    );
  };

  it('answers 403 to a rebound Host and to a foreign Origin, in clear words', async () => {
    const rebound = await ask('GET /table HTTP/1.1\r\nHost: evil.example.com:PORT');
    assert.match(rebound, /^HTTP\/1\.1 403 /);
    assert.match(rebound, /ADMIN_HOST_NOT_ALLOWED: .*allowedHosts/);
    assert.match(
      await ask('GET /table HTTP/1.1\r\nHost: localhost:PORT\r\nOrigin: https://evil.example.com'),
      /^HTTP\/1\.1 403 /,
    );
  });

  it('does not repeat what an attacker sent', async () => {
    const answer = await ask('GET /<script>alert(1)</script> HTTP/1.1\r\nHost: localhost:PORT');
    assert.match(answer, /^HTTP\/1\.1 404 /);
    assert.doesNotMatch(answer, /script/);
  });

  it('knows one spelling of each path only', async () => {
    const paths = [
      '/table/',
      '/TABLE',
      '/./table',
      '/x/../table',
      '/%74able',
      '/table%00',
      '/apps/shop/..%2fstore',
      '/apps/shop/store/',
      '/apps/../quarantine',
      '/__proto__',
      '/constructor',
      '/table;x=1',
    ];
    for (const path of paths) {
      assert.match(await ask(`GET ${path} HTTP/1.1\r\nHost: localhost:PORT`), /^HTTP\/1\.1 404 /, path);
    }
  });

  it('answers 405 with Allow, and does not read bodies', async () => {
    const answer = await ask('POST /table HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: 9999999');
    assert.match(answer, /^HTTP\/1\.1 405 /);
    assert.match(answer, /^Allow: GET, HEAD\r$/m);
  });

  it('does not take what follows an unread body for a request', async () => {
    const hidden = 'GET /quarantine HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n';
    const answer = await ask(
      `GET /healthz HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: ${hidden.length + 100}\r\n\r\n${hidden}X: y`,
    );
    assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
  });

  it('answers 414 or 431 to what is too long', async () => {
    assert.match(await ask(`GET /${'a'.repeat(4_000)} HTTP/1.1\r\nHost: localhost:PORT`), /^HTTP\/1\.1 414 /);
    assert.match(
      await ask(`GET / HTTP/1.1\r\nHost: localhost:PORT\r\nX: ${'a'.repeat(20_000)}`),
      /^HTTP\/1\.1 431 /,
    );
    assert.match(
      await ask(`GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: localhost:PORT`),
      /^HTTP\/1\.1 431 /,
    );
  });

  it('counts refusals by code', async () => {
    await ask('GET /table HTTP/1.1\r\nHost: evil.example.com');
    assert.match(
      await ask('GET /metrics HTTP/1.1\r\nHost: localhost:PORT'),
      /headgear_admin_refused_total\{code="ADMIN_HOST_NOT_ALLOWED"\} 1/,
    );
  });
});
