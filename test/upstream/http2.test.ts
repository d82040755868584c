import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import { after, afterEach, before, describe, it } from 'node:test';
import { answerTrailers } from '../../src/upstream/http2-trailers.ts';
import { testCertificate } from '../support/certificates.ts';
import { headerOf, request } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { patternBytes, startGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client } from '../support/http2-client.ts';
import { type Http2Gear, type Http2GearOptions, startHttp2Gear } from '../support/http2-gear.ts';

describe('HTTP/2 towards a gear that says so', () => {
  let edge: DataPlane;
  const toStop: { stop(): Promise<void> }[] = [];
  let client: Http2Client | null = null;
  before(async () => {
    edge = await startDataPlane({}, ['*.apps.example.test']);
  });
  afterEach(async () => {
    client?.destroy();
    client = null;
    for (const part of toStop.splice(0)) await part.stop();
  });
  after(() => edge.stop());

  let edition = 0;
  const gearOf = async (options: Http2GearOptions = {}): Promise<Http2Gear> => {
    const gear = await startHttp2Gear(options);
    toStop.push(gear);
    await edge.route([
      endpointAt(gear.port, {
        versions: options.allowHttp1 === undefined ? 'http2' : 'both',
        tls: options.tls !== undefined,
        id: `h2 ${gear.port} ${edition++}`,
      }),
    ]);
    return gear;
  };
  const pair = () => {
    const { chainPem, privateKeyPem } = testCertificate([HOST]);
    return { cert: chainPem, key: privateKeyPem };
  };

  it('a gRPC call passes with its trailers both ways', async () => {
    const gear = await gearOf();
    client = await connectHttp2(edge.httpsPort);
    const answer = await client.request(
      { ':method': 'POST', ':path': '/echo.Echo/Say', 'content-type': 'application/grpc', te: 'trailers' },
      'message',
      { trailers: { 'x-client-end': '1' } },
    );
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), 'POST /echo.Echo/Say 7');
    assert.equal(answer.trailers['grpc-status'], '0');
    const [seen] = gear.requests;
    assert.equal(seen?.trailers['x-client-end'], '1');
    assert.equal(seen?.headers.te, 'trailers');
    assert.equal(seen?.headers[':authority'], HOST);
    assert.equal(seen?.headers[':scheme'], 'http');
    assert.equal(seen?.headers['x-forwarded-proto'], 'https');
    for (const name of ['host', 'connection', 'transfer-encoding']) {
      assert.equal(seen?.raw.includes(name), false, name);
    }
  });

  it('survives a library that asks for trailers twice', async () => {
    await gearOf({
      handler(stream) {
        respondWithTrailer(stream, 'x');
        // What node:http2 does by itself now and then; without a guard it would throw where nobody can catch.
        stream.on('wantTrailers', () => stream.listeners('wantTrailers')[0]?.call(stream));
      },
    });
    client = await connectHttp2(edge.httpsPort);
    const answer = await client.request();
    assert.equal(answer.trailers['x-end'], 'yes');
  });

  it('an answer of trailers alone stays one', async () => {
    await gearOf({
      handler: (stream) => stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true }),
    });
    client = await connectHttp2(edge.httpsPort);
    const answer = await client.request({ ':method': 'POST', te: 'trailers' }, 'x');
    assert.equal(answer.headers['grpc-status'], '12');
    assert.equal(answer.body.length, 0);
  });

  it('serves clients of HTTP/1.1: bodies, trailers, HEAD, and statuses without a body', async () => {
    const gear = await gearOf({
      handler(stream, seen) {
        const path = seen.headers[':path'] ?? '';
        if (path === '/204') stream.respond({ ':status': 204 }, { endStream: true });
        else if (seen.headers[':method'] === 'HEAD')
          stream.respond({ ':status': 200, 'content-length': 42 }, { endStream: true });
        else respondWithTrailer(stream, 'hello');
      },
    });
    const get = (path: string, method = 'GET') =>
      request({ port: edge.port, host: HOST, target: path, method });
    const whole = await get('/');
    assert.equal(whole.status, 200);
    assert.equal(whole.body.toString(), 'hello');
    assert.deepEqual(whole.trailers, ['x-end', 'yes']);
    assert.equal((await get('/204')).status, 204);
    const head = await get('/', 'HEAD');
    assert.equal(headerOf(head.rawHeaders, 'content-length'), '42');
    assert.equal(head.body.length, 0);
    assert.equal(gear.acceptedSessions, 1);
  });

  it('carries many requests on one connection, large bodies both ways', async () => {
    const bytes = patternBytes(3_000_000);
    const gear = await gearOf({
      handler(stream, seen) {
        const hash = createHash('sha256');
        stream.on('data', (chunk: Buffer) => hash.update(chunk));
        stream.on('end', () => {
          stream.respond({ ':status': 200, 'x-hash': hash.digest('hex'), 'x-path': seen.headers[':path'] });
          stream.end(bytes);
        });
      },
    });
    const wanted = createHash('sha256').update(bytes).digest('hex');
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        request({ port: edge.port, host: HOST, target: `/${n}`, method: 'POST', body: bytes }),
      ),
    );
    for (const [n, answer] of answers.entries()) {
      assert.equal(headerOf(answer.rawHeaders, 'x-path'), `/${n}`);
      assert.equal(headerOf(answer.rawHeaders, 'x-hash'), wanted);
      assert.equal(createHash('sha256').update(answer.body).digest('hex'), wanted);
    }
    assert.equal(gear.acceptedSessions, 1);
    await eventually(() => edge.plane.status().idleUpstreamConnections === 1);
  });

  it('over TLS: h2 by ALPN, the server name is the Host', async () => {
    const gear = await gearOf({ tls: pair() });
    const answer = await request({ port: edge.port, host: HOST, target: '/t' });
    assert.equal(answer.body.toString(), 'GET /t 0');
    assert.deepEqual(gear.servernames, [HOST]);
    assert.equal(gear.requests[0]?.headers[':scheme'], 'https');
  });

  it('falls back to HTTP/1.1 where a TLS gear may choose and chooses so', async () => {
    const gear = await startGear({ tls: pair() });
    toStop.push(gear);
    await edge.route([endpointAt(gear.port, { tls: true, versions: 'both', id: 'chooses http/1.1' })]);
    const answers = await Promise.all(
      [1, 2, 3].map((n) => request({ port: edge.port, host: HOST, target: `/${n}` })),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.deepEqual(gear.requests.map(({ url }) => url).sort(), ['/1', '/2', '/3']);
  });

  it('a gear that does not speak HTTP/2 is found out before it sees a request', async () => {
    const gear = await startGear();
    toStop.push(gear);
    await edge.route([endpointAt(gear.port, { versions: 'http2', id: 'speaks http/1.1' })]);
    const answer = await request({ port: edge.port, host: HOST, method: 'POST', body: Buffer.from('x') });
    assert.equal(answer.status, 502);
    assert.equal(headerOf(answer.rawHeaders, 'headgear-failure'), 'CONNECT_HTTP2');
    assert.equal(gear.requests.length, 0);
  });
});

function respondWithTrailer(stream: ServerHttp2Stream, body: string): void {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  answerTrailers(stream, () => ({ 'x-end': 'yes' }));
  stream.end(body);
}
