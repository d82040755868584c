import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import tls from 'node:tls';
import { acceptTls } from '../../src/edge/tls-accept.ts';
import { publishedCertificate, testCa } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { skipWithout } from '../support/parts.ts';
import {
  closeTlsEdges,
  sClient,
  servers,
  sockets,
  startTlsEdge,
  type TlsEdge,
  visit,
} from '../support/tls-edge.ts';

const shop = publishedCertificate(['shop.apps.example.test']);
const renewed = publishedCertificate(['shop.apps.example.test'], 2);

afterEach(closeTlsEdges);

/** Connects in plain TCP, sends, and resolves with everything the edge said before it closed. */
async function talk(edge: TlsEdge, bytes: string | Buffer): Promise<Buffer> {
  const client = net.connect(edge.port, '127.0.0.1');
  sockets.add(client);
  const said: Buffer[] = [];
  client.on('data', (chunk) => said.push(chunk));
  client.on('error', () => {});
  client.write(bytes);
  await once(client, 'close');
  return Buffer.concat(said);
}

/** The first bytes that a TLS client sends. */
async function captureHello(servername: string): Promise<Buffer> {
  const server = net.createServer();
  servers.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({
    host: '127.0.0.1',
    port: (server.address() as net.AddressInfo).port,
    servername,
  });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  return bytes;
}

/** A TCP relay in front of the edge that hands the client's bytes on as `forward` likes. */
async function startRelay(edge: TlsEdge, forward: (chunk: Buffer, to: net.Socket) => void): Promise<TlsEdge> {
  const relay = net.createServer((from) => {
    const to = net.connect({ port: edge.port, host: '127.0.0.1', noDelay: true });
    sockets.add(from).add(to);
    from.on('data', (chunk) => forward(chunk, to));
    from.on('end', () => to.end());
    to.pipe(from);
    for (const socket of [from, to]) socket.on('error', () => {});
  });
  servers.add(relay);
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return { ...edge, port: (relay.address() as net.AddressInfo).port };
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${maxVersion}: an exact name is served before the wildcard, unknown and missing names get the default`, async () => {
    const edge = await startTlsEdge();
    edge.book.apply([['shop.apps.example.test', shop]]);
    const of = async (servername?: string) => {
      const seen = await visit(edge, { maxVersion, ...(servername === undefined ? {} : { servername }) });
      assert.equal(seen.version, maxVersion);
      return seen;
    };
    assert.equal((await of('shop.apps.example.test')).names, 'DNS:shop.apps.example.test');
    assert.equal((await of('blog.apps.example.test')).names, 'DNS:*.apps.example.test');
    assert.equal((await of('unknown.org')).names, 'DNS:*.apps.example.test');
    assert.equal((await of()).answer, 'hello null\n');
    assert.deepEqual(
      edge.secured.map(({ serverName }) => serverName),
      ['shop.apps.example.test', 'blog.apps.example.test', 'unknown.org', null],
    );
    assert.deepEqual(edge.failures, []);
  });

  test(`${maxVersion}: sessions resume under their own name only, also when the context was made again`, async () => {
    const edge = await startTlsEdge({ tls: { maxCachedContexts: 1 } });
    const options = { maxVersion, servername: 'one.apps.example.test' };
    const first = await visit(edge, options);
    assert.equal(first.reused, false);
    const { session } = first;
    assert.ok(session);
    assert.equal((await visit(edge, { ...options, session })).reused, true);
    for (const servername of ['two.apps.example.test', 'unknown.org']) {
      const other = await visit(edge, { maxVersion, servername, session });
      assert.equal(other.reused, false, servername);
      assert.equal(other.answer, `hello ${servername}\n`);
    }
    assert.equal((await visit(edge, { maxVersion, session })).reused, false, 'no name');
    assert.equal((await visit(edge, { ...options, session })).reused, true, 'evicted in between');
  });

  test(`${maxVersion}: a replaced certificate serves the next handshake, and no session survives it`, async () => {
    const edge = await startTlsEdge();
    const options = { maxVersion, servername: 'shop.apps.example.test' };
    edge.book.apply([['shop.apps.example.test', shop]]);
    const before = await visit(edge, options);
    assert.equal(before.fingerprint, shop.facts.fingerprint);
    edge.book.apply([['shop.apps.example.test', renewed]]);
    const resumed = await visit(edge, { ...options, session: before.session });
    assert.equal(resumed.reused, false);
    assert.equal(resumed.fingerprint, renewed.facts.fingerprint);
    edge.book.apply([['shop.apps.example.test', null]]);
    const removed = await visit(edge, { ...options, session: resumed.session });
    assert.equal(removed.reused, false);
    assert.equal(removed.names, 'DNS:*.apps.example.test');
  });
}

test('a connection that is open when its certificate is replaced goes on', async () => {
  const edge = await startTlsEdge();
  edge.book.apply([['shop.apps.example.test', shop]]);
  const client = tls.connect({
    port: edge.port,
    host: '127.0.0.1',
    servername: 'shop.apps.example.test',
    ca: testCa().certificatePem,
  });
  sockets.add(client);
  await once(client, 'secureConnect');
  edge.book.apply([['shop.apps.example.test', renewed]]);
  client.write('still here\n');
  assert.equal(String((await once(client, 'data'))[0]), 'hello shop.apps.example.test\n');
});

test('ALPN: http/1.1 is agreed on, a client without ALPN is served, one that wants only another is told so', async () => {
  const edge = await startTlsEdge();
  assert.equal((await visit(edge, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'http/1.1');
  assert.equal((await visit(edge, {})).alpn, false);
  await assert.rejects(visit(edge, { ALPNProtocols: ['h2'] }), /no application protocol/i);
  await eventually(() => edge.failures.length === 1);
  assert.deepEqual(
    edge.secured.map(({ alpnProtocol }) => alpnProtocol),
    ['http/1.1', null],
  );
  assert.deepEqual(edge.failures, ['EDGE_TLS_HANDSHAKE']);
});

test('versions below the configured one are refused', async () => {
  const edge = await startTlsEdge({ tls: { minVersion: 'TLSv1.3' } });
  await assert.rejects(visit(edge, { maxVersion: 'TLSv1.2' }), /protocol version/i);
  assert.equal((await visit(edge)).version, 'TLSv1.3');
  const common = await startTlsEdge();
  await assert.rejects(
    visit(common, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }),
  );
});

test('a hello in single bytes, and everything after it, arrives whole', async () => {
  const edge = await startTlsEdge();
  const slow = await startRelay(edge, (chunk, to) => {
    for (const byte of chunk) to.write(Buffer.from([byte]));
  });
  assert.equal(
    (await visit(slow, { servername: 'one.apps.example.test' })).answer,
    'hello one.apps.example.test\n',
  );
});

for (const recordBytes of [1, 7, 100]) {
  test(`a hello in records of ${recordBytes} bytes is served under its name`, async () => {
    const edge = await startTlsEdge();
    let first = true;
    const relay = await startRelay(edge, (chunk, to) => {
      if (first) {
        first = false;
        for (let at = 5; at < chunk.length; at += recordBytes) {
          const piece = chunk.subarray(at, at + recordBytes);
          to.write(Buffer.concat([Buffer.from([22, 3, 1, 0, piece.length]), piece]));
        }
      } else to.write(chunk);
    });
    const seen = await visit(relay, { servername: 'shop.apps.example.test', maxVersion: 'TLSv1.2' });
    assert.equal(seen.answer, 'hello shop.apps.example.test\n');
  });
}

test('bytes that come in one segment with the hello are not lost', async () => {
  const edge = await startTlsEdge();
  const hello = await captureHello('one.apps.example.test');
  // What follows is no TLS record, so that TLS itself must find fault with it: proof that it got there.
  await talk(edge, Buffer.concat([hello, Buffer.from([22, 9, 9, 0, 1, 0])]));
  assert.deepEqual(edge.failures, ['EDGE_TLS_HANDSHAKE']);
});

test('what was received before acceptTls looked is read', async () => {
  const { book } = await startTlsEdge();
  const answers: (string | null)[] = [];
  const server = net.createServer((socket) => {
    socket.once('data', (chunk) => {
      socket.pause();
      socket.unshift(chunk);
      acceptTls(
        socket,
        { contextFor: book.contextFor, handshakeTimeoutMs: 5_000 },
        (secured, facts) => {
          answers.push(facts.serverName);
          secured.end();
        },
        () => {},
      );
    });
  });
  servers.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    servername: 'one.apps.example.test',
    ca: testCa().certificatePem,
  });
  sockets.add(client);
  await once(client, 'secureConnect');
  await eventually(() => answers.length === 1);
  assert.deepEqual(answers, ['one.apps.example.test']);
});

test('without any certificate for a name the client is told so by an alert', async () => {
  const edge = await startTlsEdge({ platform: [] });
  const hello = await captureHello('unknown.org');
  assert.deepEqual(await talk(edge, hello), Buffer.from([21, 3, 3, 0, 2, 2, 112]));
  await assert.rejects(visit(edge, { servername: 'unknown.org' }), /unrecognized name/i);
  assert.deepEqual(edge.failures, ['EDGE_TLS_UNKNOWN_NAME', 'EDGE_TLS_UNKNOWN_NAME']);
  await eventually(() => edge.open.size === 0);
});

test('plain HTTP on the TLS port is answered in plain words', async () => {
  const edge = await startTlsEdge();
  const said = String(await talk(edge, 'GET / HTTP/1.1\r\nHost: shop.apps.example.test\r\n\r\n'));
  assert.match(
    said,
    /^HTTP\/1\.1 400 Bad Request\r\n(.+\r\n)*Connection: close\r\n\r\nThis port speaks HTTPS/,
  );
  const [head, body] = said.split('\r\n\r\n');
  assert.match(head ?? '', new RegExp(`Content-Length: ${body?.length}\\b`));
  assert.deepEqual(edge.failures, ['EDGE_TLS_PLAIN_HTTP']);
  await eventually(() => edge.open.size === 0);
});

test('a refused client that neither reads nor closes is let go of', async () => {
  const edge = await startTlsEdge();
  const client = net.connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.add(client);
  client.on('error', () => {});
  client.write('POST / HTTP/1.1\r\n\r\n');
  await eventually(() => edge.failures.length === 1);
  await eventually(() => edge.open.size === 0);
});

test('garbage is refused: an alert for what looks like TLS, nothing for the rest', async () => {
  const edge = await startTlsEdge();
  assert.deepEqual(
    await talk(edge, Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0])),
    Buffer.from([21, 3, 3, 0, 2, 2, 50]),
  );
  assert.equal((await talk(edge, Buffer.from([0, 1, 2, 3]))).length, 0);
  assert.deepEqual(edge.failures, ['EDGE_TLS_HELLO_INVALID', 'EDGE_TLS_HELLO_INVALID']);
  await eventually(() => edge.open.size === 0);
});

test('whatever comes behind a hello in one piece costs that connection alone', async () => {
  const edge = await startTlsEdge();
  const hello = await captureHello('one.apps.example.test');
  const tails: Buffer[] = [1, 5, 16_385, 70_000].flatMap((size) => [
    randomBytes(size),
    // A record of that length, as far as the field can say it.
    Buffer.concat([Buffer.from([23, 3, 3, (size >> 8) & 255, size & 255]), randomBytes(size)]),
  ]);
  tails.push(hello, Buffer.from([21, 3, 3, 0, 2, 2, 80]), Buffer.from([22, 3, 3, 0, 0]));
  const visits = tails.flatMap((tail) =>
    (['end', 'destroy', 'resetAndDestroy'] as const).map(async (leave) => {
      const client = net.connect(edge.port, '127.0.0.1');
      client.on('error', () => {});
      client.resume();
      await once(client, 'connect');
      client.write(Buffer.concat([hello, tail]), () => client[leave]());
      if (!client.closed) await new Promise((resolve) => client.once('close', resolve));
    }),
  );
  await Promise.all(visits);
  await eventually(() => edge.failures.length === visits.length && edge.open.size === 0);
  assert.equal(
    (await visit(edge, { servername: 'one.apps.example.test' })).answer,
    'hello one.apps.example.test\n',
  );
});

test('a client that says nothing, half a hello, or only a hello is cut off', async () => {
  const edge = await startTlsEdge({ handshakeTimeoutMs: 100 });
  const hello = await captureHello('one.apps.example.test');
  await Promise.all([talk(edge, ''), talk(edge, hello.subarray(0, 40)), talk(edge, hello)]);
  assert.deepEqual(edge.failures, Array(3).fill('EDGE_TLS_TIMEOUT'));
  await eventually(() => edge.open.size === 0);
});

test('a trickle of bytes does not prolong the time for a handshake', async () => {
  const edge = await startTlsEdge({ handshakeTimeoutMs: 200 });
  const hello = await captureHello('one.apps.example.test');
  const client = net.connect(edge.port, '127.0.0.1');
  sockets.add(client);
  client.on('error', () => {});
  let at = 0;
  const trickle = setInterval(() => client.write(hello.subarray(at, ++at)), 10);
  // Not events.once: it fails at a reset, which an end with bytes on their way may well be.
  await new Promise((resolve) => client.once('close', resolve));
  clearInterval(trickle);
  assert.deepEqual(edge.failures, ['EDGE_TLS_TIMEOUT']);
});

for (const allowHalfOpen of [true, false]) {
  test(`clients that leave at any point leave nothing behind (half-open sockets ${allowHalfOpen ? 'on' : 'off'})`, async () => {
    const edge = await startTlsEdge({ allowHalfOpen });
    const hello = await captureHello('one.apps.example.test');
    const leave = async (index: number) => {
      const client = net.connect(edge.port, '127.0.0.1');
      client.on('error', () => {});
      await once(client, 'connect');
      const sent = [0, 1, 4, 9, 60, hello.length - 1, hello.length, hello.length][index % 8] ?? 0;
      if (sent > 0) client.write(hello.subarray(0, sent));
      // After a whole hello: some wait for the server's answer first.
      if (index % 8 === 7) await once(client, 'data');
      if (index % 2 === 0) client.resetAndDestroy();
      else if (index % 3 === 0) client.destroy();
      else {
        client.end();
        client.resume();
      }
      if (!client.closed) await once(client, 'close');
    };
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => leave(round * 20 + i)));
    }
    await eventually(() => edge.failures.length === 200);
    await eventually(() => edge.open.size === 0);
    assert.deepEqual([...new Set(edge.failures)], ['EDGE_TLS_ABORTED']);
    assert.equal(
      (await visit(edge, { servername: 'one.apps.example.test' })).answer,
      'hello one.apps.example.test\n',
    );
  });
}

test('a forged record after the handshake ends the connection with an error', async () => {
  const edge = await startTlsEdge();
  let forge = false;
  const relay = await startRelay(edge, (chunk, to) => {
    const copy = Buffer.from(chunk);
    if (forge) copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
    to.write(copy);
  });
  const client = tls.connect({
    port: relay.port,
    host: '127.0.0.1',
    servername: 'one.apps.example.test',
    ca: testCa().certificatePem,
  });
  sockets.add(client);
  client.on('error', () => {});
  await once(client, 'secureConnect');
  client.write('ping\n');
  await once(client, 'data');
  forge = true;
  client.write('ping\n');
  await eventually(() => edge.open.size === 0);
  assert.equal(edge.failures.length, 1);
  assert.match(edge.failures[0] ?? '', /^after: ERR_SSL_/);
});

test('a client may not renegotiate', async () => {
  const edge = await startTlsEdge();
  const client = tls.connect({
    port: edge.port,
    host: '127.0.0.1',
    maxVersion: 'TLSv1.2',
    servername: 'one.apps.example.test',
    ca: testCa().certificatePem,
  });
  sockets.add(client);
  client.on('error', () => {});
  await once(client, 'secureConnect');
  const error = await new Promise<Error | null>((resolve) => {
    client.renegotiate({}, (problem) => resolve(problem));
    client.once('error', resolve);
    client.once('close', () => resolve(new Error('closed')));
  });
  assert.match(String(error), /no.renegotiation|closed/i);
});

test('openssl s_client sees the certificate of the name, ALPN, and no session of another name', {
  skip: skipWithout('openssl'),
}, async (t) => {
  const edge = await startTlsEdge();
  edge.book.apply([['shop.apps.example.test', shop]]);
  const folder = mkdtempSync(join(tmpdir(), 'headgear-s-client-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const version of ['-tls1_2', '-tls1_3']) {
    const session = join(folder, `session${version}`);
    const first = await sClient(
      edge,
      version,
      '-servername',
      'shop.apps.example.test',
      '-alpn',
      'h2,http/1.1',
      '-sess_out',
      session,
    );
    assert.match(first, /subject=CN = shop\.apps\.example\.test/);
    assert.match(first, /i:CN = Headgear test CA/);
    assert.match(first, /ALPN protocol: http\/1\.1/);
    assert.match(first, /\nNew, TLSv1/);
    const again = await sClient(edge, version, '-servername', 'shop.apps.example.test', '-sess_in', session);
    assert.match(again, /\nReused, TLSv1/);
    const other = await sClient(edge, version, '-servername', 'blog.apps.example.test', '-sess_in', session);
    assert.match(other, /\nNew, TLSv1/);
    assert.match(other, /subject=CN = \*\.apps\.example\.test/);
  }
});
