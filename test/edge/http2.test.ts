import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { testCa } from '../support/certificates.ts';
import { connectRaw, headersOf } from '../support/client.ts';
import { curl } from '../support/curl.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, patternBytes, startGear, startRawGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client, type Http2Response, responseOf } from '../support/http2-client.ts';
import { skipWithout } from '../support/parts.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const echoOf = (response: Http2Response): Echo => JSON.parse(response.body.toString()) as Echo;

describe('HTTP/2', () => {
  let edge: DataPlane;
  let gear: Gear;
  let client: Http2Client;
  before(async () => {
    gear = await startGear();
    edge = await startDataPlane({}, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    client = await connectHttp2(edge.httpsPort);
  });
  after(async () => {
    client.destroy();
    await edge.stop();
    await gear.stop();
  });

  it('is preferred by ALPN; HTTP/1.1 stays for those who offer nothing else', async () => {
    for (const [alpn, chosen] of [
      [['http/1.1', 'h2'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [[], false],
    ] as const) {
      const raw = await connectRaw({ port: edge.httpsPort, tls: { servername: HOST, alpn } });
      assert.equal('alpnProtocol' in raw.socket && raw.socket.alpnProtocol, chosen);
      raw.destroy();
    }
  });

  it('reaches the gear as the HTTP/1.1 request that says the same', async () => {
    const response = await client.request({
      ':path': '/a%2fb?q=1&r=%00|',
      ':authority': `${HOST.toUpperCase()}:443`,
      'x-custom': 'Value',
      te: 'trailers',
    });
    assert.equal(response.status, 200);
    const { method, url, rawHeaders } = echoOf(response);
    assert.deepEqual([method, url], ['GET', '/a%2fb?q=1&r=%00|']);
    assert.deepEqual(headersOf(rawHeaders, 'host'), [`${HOST.toUpperCase()}:443`]);
    assert.deepEqual(headersOf(rawHeaders, 'x-custom'), ['Value']);
    assert.deepEqual(headersOf(rawHeaders, 'te'), []);
    assert.deepEqual(headersOf(rawHeaders, 'transfer-encoding'), []);
    assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-proto'), ['https']);
    assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-for'), ['127.0.0.1']);
    assert.ok(rawHeaders.every((text) => !text.startsWith(':')));
  });

  it('takes forwarding fields away that the client made up', async () => {
    const response = await client.request({
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-ssl-client-cert': 'made up',
      x_forwarded_proto: 'http',
      'x-openshift-host': 'victim',
      forwarded: 'for=6.6.6.6',
    });
    const { rawHeaders } = echoOf(response);
    assert.deepEqual(headersOf(rawHeaders, 'x-forwarded-for'), ['127.0.0.1']);
    assert.equal(headersOf(rawHeaders, 'forwarded').length, 1);
    for (const name of ['x-forwarded-ssl-client-cert', 'x_forwarded_proto', 'x-openshift-host']) {
      assert.deepEqual(headersOf(rawHeaders, name), [], name);
    }
  });

  it('joins cookie crumbs', async () => {
    const { rawHeaders } = echoOf(await client.request({ cookie: ['a=1', 'b=2', 'c=3'] }));
    assert.deepEqual(headersOf(rawHeaders, 'cookie'), ['a=1; b=2; c=3']);
  });

  it('carries a body with and without a length, and trailers', async () => {
    const body = patternBytes(700_000);
    const counted = await client.request({ ':method': 'PUT', 'content-length': body.length }, body);
    assert.equal(echoOf(counted).bodySha256, sha256(body));
    assert.deepEqual(headersOf(echoOf(counted).rawHeaders, 'transfer-encoding'), []);
    const uncounted = await client.request({ ':method': 'POST' }, body);
    assert.equal(echoOf(uncounted).bodySha256, sha256(body));
    assert.deepEqual(headersOf(echoOf(uncounted).rawHeaders, 'transfer-encoding'), ['chunked']);
  });

  it('says the length of an empty body for methods that have one', async () => {
    assert.deepEqual(
      headersOf(echoOf(await client.request({ ':method': 'POST' })).rawHeaders, 'content-length'),
      ['0'],
    );
    assert.deepEqual(
      headersOf(echoOf(await client.request({ ':method': 'GET' })).rawHeaders, 'content-length'),
      [],
    );
  });

  it('carries large answers, with and without a length', async () => {
    for (const path of ['/bytes/5000000', '/chunked/5000000']) {
      const response = await client.request({ ':path': path });
      assert.equal(response.status, 200);
      assert.equal(sha256(response.body), sha256(patternBytes(5_000_000)), path);
    }
  });

  it('sends no body for HEAD, 204 and 304, and no page for a HEAD that fails', async () => {
    const head = await client.request({ ':method': 'HEAD', ':path': '/bytes/1000' });
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '1000', 0]);
    for (const status of [204, 304]) {
      const response = await client.request({ ':path': `/status/${status}` });
      assert.deepEqual([response.status, response.body.length], [status, 0]);
    }
    const lost = await client.request({ ':method': 'HEAD', ':authority': 'nobody.apps.example.test' });
    assert.deepEqual([lost.status, lost.body.length, lost.rstCode], [404, 0, 0]);
  });

  it('passes early hints on', async () => {
    const response = await client.request({ ':path': '/early' });
    assert.deepEqual([response.interim, response.status], [[103], 200]);
  });

  it('answers a failure with its name', async () => {
    const response = await client.request({ ':path': '/close' });
    assert.deepEqual(
      [response.status, response.headers['headgear-failure']],
      [502, 'CLOSED_BEFORE_RESPONSE'],
    );
    const unknown = await client.request({ ':authority': 'nobody.apps.example.test' });
    assert.deepEqual([unknown.status, unknown.headers['headgear-failure']], [404, 'UNKNOWN_HOST']);
    assert.match(unknown.body.toString(), /No application answers/);
  });

  it('resets the stream when the gear breaks its answer off', async () => {
    const response = await client.request({ ':path': '/cut/1000000' });
    assert.deepEqual([response.status, response.rstCode], [200, 2]);
    assert.equal(edge.finished.at(-1)?.failure.startsWith('RESPONSE_CUT_SHORT'), true);
    assert.equal((await client.request()).status, 200);
  });

  it('serves a hundred streams of one connection at once', async () => {
    const sizes = Array.from({ length: 100 }, (_, n) => n * 1_000);
    const responses = await Promise.all(sizes.map((size) => client.request({ ':path': `/bytes/${size}` })));
    assert.deepEqual(
      responses.map(({ body }) => body.length),
      sizes,
    );
  });

  it('writes the access log and reuses connections to the gear', async () => {
    const accepted = gear.acceptedConnections;
    for (let round = 0; round < 5; round++) {
      await client.request({ ':path': '/bytes/100000', 'user-agent': 'tester', referer: 'https://a/' });
    }
    assert.equal(gear.acceptedConnections, accepted);
    const { protocol, method, target, host, status, bytesOut, failure, userAgent, referer } =
      edge.finished.at(-1) ?? {};
    assert.deepEqual(
      { protocol, method, target, host, status, bytesOut, failure, userAgent, referer },
      {
        ...{ protocol: 'HTTP/2', method: 'GET', target: '/bytes/100000', host: HOST, status: 200 },
        ...{ bytesOut: 100_000, failure: '', userAgent: 'tester', referer: 'https://a/' },
      },
    );
  });

  it('an answer that a slow client has not read does not hold the connection of the gear', async () => {
    const slow = await connectHttp2(edge.httpsPort, { settings: { initialWindowSize: 0 } });
    // Above what may wait in one stream, and whole at the gear all the same.
    const stream = slow.open({ ':path': '/chunked/200000' });
    await eventually(() => edge.finished.at(-1)?.target === '/chunked/200000');
    for (let round = 0; round < 3; round++) {
      assert.equal((await client.request({ ':path': '/bytes/10' })).body.length, 10);
    }
    stream.close();
    slow.destroy();
  });

  describe('broken off by the client', () => {
    let stream: { close(code?: number): void } | null = null;
    afterEach(() => stream?.close());

    it('in the midst of an answer leaves nothing open', async () => {
      const open = client.open({ ':path': '/stream' });
      stream = open;
      await eventually(() => gear.requests.at(-1)?.url === '/stream');
      await new Promise((resolve) => open.once('data', resolve));
      const before = gear.openConnections;
      open.close(8);
      await eventually(() => gear.openConnections === before - 1);
      await eventually(() => edge.finished.at(-1)?.failure === 'CLIENT_GONE');
    });

    it('in the midst of an upload leaves nothing open', async () => {
      const open = client.open({ ':method': 'POST', ':path': '/upload' }, false);
      open.write(patternBytes(10_000));
      await eventually(() => (gear.requests.at(-1)?.bodyLength ?? 0) > 0);
      assert.equal(gear.requests.at(-1)?.url, '/upload');
      const before = gear.openConnections;
      open.close(8);
      await eventually(() => gear.openConnections === before - 1);
    });

    it('by its connection leaves nothing open', async () => {
      const other = await connectHttp2(edge.httpsPort);
      const streams = Array.from({ length: 10 }, () => other.open({ ':path': '/stream' }));
      await Promise.all(streams.map((open) => new Promise((resolve) => open.once('data', resolve))));
      const before = gear.openConnections;
      const connections = edge.plane.status().connections;
      other.destroy();
      await eventually(() => gear.openConnections === before - 10);
      await eventually(() => edge.plane.status().connections === connections - 1);
    });
  });

  it('serves curl, large answers and uploads included', { skip: skipWithout('curl') }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'headgear-h2-'));
    const caFile = join(dir, 'ca.pem');
    const upload = join(dir, 'upload');
    writeFileSync(caFile, testCa().certificatePem);
    writeFileSync(upload, patternBytes(3_000_000));
    const target = { host: HOST, port: edge.httpsPort, caFile };
    const large = await curl({
      ...target,
      path: '/bytes/3000000',
      args: ['--http2', '--output', join(dir, 'x')],
    });
    assert.match(large.verbose, /ALPN: server accepted h2|server accepted to use h2|ALPN, server accepted/);
    const sent = await curl({ ...target, args: ['--http2', '--data-binary', `@${upload}`] });
    assert.equal(sent.status, 200);
    assert.equal((JSON.parse(sent.body) as Echo).bodySha256, sha256(patternBytes(3_000_000)));
    rmSync(dir, { recursive: true });
  });
});

describe('HTTP/2 to gears that answer oddly', () => {
  let edge: DataPlane;
  let client: Http2Client;
  let stop: () => Promise<void> = async () => {};
  before(async () => {
    edge = await startDataPlane({}, ['*.apps.example.test']);
    client = await connectHttp2(edge.httpsPort);
  });
  afterEach(() => stop());
  after(async () => {
    client.destroy();
    await edge.stop();
  });
  const answeredWith = async (
    bytes: string | Buffer,
    ...request: Parameters<Http2Client['request']>
  ): Promise<Http2Response> => {
    const gear = await startRawGear((socket) => void socket.write(bytes));
    stop = gear.stop;
    await edge.route([endpointAt(gear.port)]);
    return await client.request(...request);
  };

  it('passes trailers on, those that may be', async () => {
    const response = await answeredWith(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\nSet-Cookie: no\r\n\r\n',
    );
    assert.equal(response.body.toString(), 'hello');
    assert.deepEqual(Object.entries(response.trailers), [['x-sum', 'abc']]);
  });

  it('passes trailers on that come long after the body', async () => {
    const gear = await startRawGear((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      setTimeout(() => socket.write('0\r\nX-Sum: late\r\n\r\n'), 50);
    });
    stop = gear.stop;
    await edge.route([endpointAt(gear.port)]);
    const response = await client.request();
    assert.deepEqual([response.body.toString(), response.trailers['x-sum']], ['hello', 'late']);
  });

  it('passes the trailers of a request on, those that may be', async () => {
    const gear = await startGear({
      handler: (request, response) => {
        request.resume();
        request.on('end', () => response.end(JSON.stringify(request.rawTrailers)));
      },
    });
    stop = gear.stop;
    await edge.route([endpointAt(gear.port)]);
    const response = await client.request({ ':method': 'POST' }, 'hello', {
      trailers: { 'x-sum': 'abc', 'x-forwarded-for': '6.6.6.6' },
    });
    assert.equal(response.body.toString(), '["x-sum","abc"]');
  });

  it('sends fields that may be there once only once, and others as often as they came', async () => {
    const response = await answeredWith(
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Content-Type-Options: nosniff\r\nX-Content-Type-Options: nosniff\r\n' +
        'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nLink: <a>\r\nLink: <b>\r\nConstructor: x\r\nTE: gzip\r\n\r\n',
    );
    assert.equal(response.headers['x-content-type-options'], 'nosniff');
    assert.deepEqual(response.headers['set-cookie'], ['a=1', 'b=2']);
    assert.deepEqual([response.headers.link, response.headers.te], ['<a>, <b>', undefined]);
  });

  it('keeps every byte of a field value', async () => {
    const response = await answeredWith(
      Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Name: caf\xe9 \xa0\r\n\r\n', 'latin1'),
    );
    assert.equal(response.headers['x-name'], 'caf\xe9 \xa0');
  });

  it('hop-by-hop fields end here', async () => {
    const response = await answeredWith(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nUpgrade: h2c\r\n\r\nok',
    );
    assert.equal(response.body.toString(), 'ok');
    for (const name of ['connection', 'keep-alive', 'x-hop', 'upgrade']) {
      assert.equal(response.headers[name], undefined, name);
    }
  });

  it('a status that HTTP/2 cannot carry is a failure of the gear', async () => {
    const response = await answeredWith('HTTP/1.1 799 Odd\r\nContent-Length: 3\r\n\r\nodd');
    assert.deepEqual([response.status, response.headers['headgear-failure']], [502, 'RESPONSE_INVALID']);
  });

  it('a 205 goes out without the body that it must not have', async () => {
    const response = await answeredWith('HTTP/1.1 205 Reset Content\r\nContent-Length: 3\r\n\r\nodd');
    assert.deepEqual([response.status, response.body.length], [205, 0]);
  });

  it('an answer before the end of the upload ends the upload', async () => {
    const gear = await startGear({
      handler: (_request, response) => void response.writeHead(413, { 'Content-Length': 4 }).end('full'),
    });
    stop = gear.stop;
    await edge.route([endpointAt(gear.port)]);
    const stream = client.open({ ':method': 'POST' }, false);
    const response = responseOf(stream);
    stream.write(patternBytes(1_000));
    const { status, body, rstCode } = await response;
    assert.deepEqual([status, body.toString(), rstCode], [413, 'full', 0]);
    await eventually(() => gear.openConnections === 0);
    assert.equal(edge.finished.at(-1)?.failure, '');
  });

  it('a body without any framing ends with the connection of the gear', async () => {
    const gear = await startRawGear((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
    stop = gear.stop;
    await edge.route([endpointAt(gear.port)]);
    assert.equal((await client.request()).body.toString(), 'until the end');
  });

  it('a field named like a part of every object is a field, but for __proto__', async () => {
    const response = await answeredWith(
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConstructor: x\r\ntoString: y\r\n__proto__: z\r\n\r\n',
    );
    const { status, headers } = response;
    assert.deepEqual([status, headers.constructor, headers.tostring], [200, 'x', 'y']);
    assert.ok(!Object.values(response.headers).includes('z'));
  });
});
