/**
 * Every rule that the HTTP/1.1 hop refuses by has a name, and every name an attack here, sent as bytes to a data plane that runs. The last
 * tests hold that no rule is without one.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectRaw, headerOf } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type RawGear, startRawGear } from '../support/gear.ts';

const H = `Host: ${HOST}\r\n`;
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\n${H}${fields}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

/** Rule -> status and the attacks on it. */
const REQUESTS: Readonly<Record<string, readonly [status: number, ...attacks: string[]]>> = {
  HTTP_TWO_FRAMINGS: [
    400,
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\nContent-Length: 0\r\n', '0\r\n\r\n'),
  ],
  HTTP_LENGTH_REPEATED: [
    400,
    post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'),
    post('Content-Length: 5\r\ncontent-length: 5\r\n', 'hello'),
  ],
  HTTP_LENGTH_INVALID: [
    400,
    ...[
      '+5',
      '-5',
      '5, 5',
      '0x5',
      '5 5',
      '5;',
      '5.0',
      '',
      '1_0',
      '٥',
      '9'.repeat(20),
      '999999999999999999',
    ].map((value) => post(`Content-Length: ${value}\r\n`, 'hello')),
  ],
  HTTP_CODING_UNKNOWN: [
    501,
    ...[
      'gzip',
      'identity',
      'gzip, chunked',
      'chunked, gzip',
      'chunked,',
      ',chunked',
      'chunked;q=1',
      '"chunked"',
      'xchunked',
      'chunkedx',
      'chunked chunked',
      'chunk\u00ebd',
      '',
    ].map((value) => post(`Transfer-Encoding: ${value}\r\n`, '0\r\n\r\n')),
  ],
  HTTP_CODING_REPEATED: [
    400,
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', '0\r\n\r\n'),
  ],
  HTTP_CODING_IN_10: [400, `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  HTTP_ILLEGAL_BYTE: [
    400,
    post('X: a\rTransfer-Encoding: chunked\r\n'),
    post('X: a\nTransfer-Encoding: chunked\r\n'),
    post('X: a\0b\r\n'),
    post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\x0c\r\n', '0\r\n\r\n'),
    post('X: \x7f\r\n'),
    `GET / HTTP/1.1\n${H}\n`,
    `GET / HTTP/1.1\r\r\n${H}\r\n`,
    `\nGET / HTTP/1.1\r\n${H}\r\n`,
    `GET /\r HTTP/1.1\r\n${H}\r\n`,
  ],
  HTTP_FIELD_NAME: [
    400,
    post('Content-Length : 5\r\n', 'hello'),
    post('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n'),
    post('X: a\r\n chunked\r\n'),
    post(' Transfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post(': x\r\n'),
    post('no colon\r\n'),
    post('X(y): z\r\n'),
    post('"X": z\r\n'),
    post('X\u00ad: z\r\n'),
    post('GET /smuggled HTTP/1.1\r\n'),
  ],
  HTTP_REQUEST_LINE: [
    400,
    `GET  / HTTP/1.1\r\n${H}\r\n`,
    `GET\t/ HTTP/1.1\r\n${H}\r\n`,
    ` GET / HTTP/1.1\r\n${H}\r\n`,
    `GET / HTTP/1.1 \r\n${H}\r\n`,
    `GET /a b HTTP/1.1\r\n${H}\r\n`,
    `GET /\r\n${H}\r\n`,
    `GET / RTSP/1.0\r\n${H}\r\n`,
    `GET / http/1.1\r\n${H}\r\n`,
    `GET / HTTP/1.10\r\n${H}\r\n`,
    `G{T / HTTP/1.1\r\n${H}\r\n`,
    `/ HTTP/1.1\r\n${H}\r\n`,
    '\x16\x03\x01\x02\r\n\r\n'.replace('\x16\x03\x01\x02', 'hello'),
  ],
  HTTP_VERSION: [
    505,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `GET / HTTP/1.2\r\n${H}\r\n`,
    `GET / HTTP/0.9\r\n${H}\r\n`,
  ],
  HTTP_CONNECT: [501, `CONNECT ${HOST}:443 HTTP/1.1\r\n${H}\r\n`, `CONNECT / HTTP/1.1\r\n${H}\r\n`],
  HTTP_TARGET_ASTERISK: [400, `GET * HTTP/1.1\r\n${H}\r\n`],
  HTTP_TARGET_FORM: [
    400,
    `GET x HTTP/1.1\r\n${H}\r\n`,
    `GET ${HOST}:80 HTTP/1.1\r\n${H}\r\n`,
    `GET ftp://${HOST}/ HTTP/1.1\r\n${H}\r\n`,
    `GET http:///x HTTP/1.1\r\n${H}\r\n`,
    `GET ?q HTTP/1.1\r\n${H}\r\n`,
  ],
  HTTP_TARGET_BYTES: [
    400,
    `GET /a#b HTTP/1.1\r\n${H}\r\n`,
    `GET /\xe4 HTTP/1.1\r\n${H}\r\n`,
    `GET /a\tb HTTP/1.1\r\n${H}\r\n`,
  ],
  HTTP_TARGET_TOO_LONG: [
    414,
    `GET /${'x'.repeat(17_000)} HTTP/1.1\r\n${H}\r\n`,
    `GET /${'x'.repeat(40_000)}`,
  ],
  HTTP_HOST_MISSING: [
    400,
    'GET / HTTP/1.1\r\nX: y\r\n\r\n',
    'GET / HTTP/1.1\r\nHost:\r\n\r\n',
    'GET / HTTP/1.0\r\n\r\n',
  ],
  HTTP_HOST_REPEATED: [
    400,
    `GET / HTTP/1.1\r\n${H}Host: other.example\r\n\r\n`,
    `GET / HTTP/1.1\r\n${H}${H}\r\n`,
  ],
  HTTP_HOST_INVALID: [
    400,
    ...[
      `user@${HOST}`,
      `${HOST}:99999`,
      `${HOST}:80:80`,
      `${HOST}:x`,
      `${HOST}:-1`,
      `${HOST}/x`,
      `${HOST} other`,
      `${HOST},other`,
      'a..b',
      '.a',
      '[::1',
      '::1',
      '[::1]x',
      '[::g]',
      '%61.example',
      '\xe4.example',
    ].map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
  ],
  HTTP_HOST_DISAGREES: [
    400,
    `GET http://other.example/ HTTP/1.1\r\n${H}\r\n`,
    `GET http://${HOST}@other.example/ HTTP/1.1\r\n${H}\r\n`,
    `GET http://user@${HOST}/ HTTP/1.1\r\n${H}\r\n`,
    `GET http://${HOST}:99999/ HTTP/1.1\r\n${H}\r\n`,
  ],
  HTTP_CONNECTION_OPTION: [400, post('Connection: close, a b\r\n'), post('Connection: "close"\r\n')],
  HTTP_EXPECT: [417, post('Expect: tea\r\n'), post('Expect: 100-continue, tea\r\n')],
  HTTP_TOO_MANY_FIELDS: [431, `GET / HTTP/1.1\r\n${H}${'X: y\r\n'.repeat(200)}\r\n`],
  HTTP_HEAD_TOO_LONG: [
    431,
    `GET / HTTP/1.1\r\n${H}X: ${'y'.repeat(40_000)}\r\n\r\n`,
    `GET / HTTP/1.1\r\n${H}X: ${'y'.repeat(40_000)}`,
  ],
  HTTP_BLANK_LINES: [400, `${'\r\n'.repeat(50)}GET / HTTP/1.1\r\n${H}\r\n`],
};

/** Rule of the chunked coding -> attacks, as a request's body and as an answer's. */
const BODIES: Readonly<Record<string, readonly string[]>> = {
  CHUNK_SIZE: [
    '\r\n',
    '+5\r\nhello',
    '-1\r\n',
    '0x5\r\nhello',
    ' 5\r\nhello',
    '5 \r\nhello',
    '5\nhello',
    'g\r\n',
    ';a\r\n',
  ],
  CHUNK_SIZE_LINE: ['5\rhello', '5;a\rb\r\nhello'],
  CHUNK_SIZE_OVERFLOW: ['fffffffffffffffff\r\n', '00000000000000005\r\nhello'],
  CHUNK_EXTENSION: ['5;a\nhello', '5;a\0\r\nhello'],
  CHUNK_EXTENSION_TOO_LONG: [`5;${'a'.repeat(5_000)}\r\nhello`, `1;${'a'.repeat(4_000)}\r\nx\r\n`.repeat(20)],
  CHUNK_TERMINATOR: ['5\r\nhello!\r\n', '5\r\nhello\n0\r\n\r\n', '5\r\nhello\rX'],
  CHUNK_TRAILER: [
    '0\r\nX: y\n\r\n',
    '0\r\nno colon\r\n\r\n',
    '0\r\nX: y\r\n z\r\n\r\n',
    '0\r\nX : y\r\n\r\n',
    '0\r\nX: \0\r\n\r\n',
    '0\r\n: y\r\n\r\n',
  ],
  CHUNK_TRAILER_TOO_LONG: [`0\r\n${'X: y\r\n'.repeat(2_000)}`, `0\r\nX: ${'y'.repeat(9_000)}`],
};

/** Rule of answers -> attacks. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  UPSTREAM_ILLEGAL_BYTE: [
    'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
  ],
  UPSTREAM_STATUS_LINE: [
    'HTTP/1.1 000 None\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    '<html>\r\n\r\n',
  ],
  UPSTREAM_FIELD_NAME: [
    'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n',
    'HTTP/1.1 200 OK\r\n: a\r\n\r\n',
  ],
  UPSTREAM_LENGTH_REPEATED: ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'],
  UPSTREAM_LENGTH_INVALID: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello',
  ],
  UPSTREAM_CODING: [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  UPSTREAM_TWO_FRAMINGS: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  UPSTREAM_CONNECTION_OPTION: ['HTTP/1.1 200 OK\r\nConnection: a b\r\nContent-Length: 0\r\n\r\n'],
  UPSTREAM_TOO_MANY_FIELDS: [`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(300)}\r\n`],
  UPSTREAM_HEAD_TOO_LONG: [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`],
  UPSTREAM_INTERIM_FLOOD: ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(50)],
};

/** Rules that time decides; test/edge/http1-timeouts.test.ts and test/contract/limits.test.ts have their tests. */
const BY_TIME = ['HTTP_HEAD_TIMEOUT', 'HTTP_HEAD_TOO_SLOW'];

describe('a rule of the hop', () => {
  let edge: DataPlane;
  let gear: RawGear;
  let answer = '';
  before(async () => {
    edge = await startDataPlane();
    gear = await startRawGear((socket) => void socket.write(answer, 'latin1'));
    await edge.route([endpointAt(gear.port)]);
  });
  after(async () => {
    await edge.stop();
    await gear.stop();
  });
  /** Status and failure of what the client is told; the connection has to end behind it. */
  const refusalOf = async (bytes: string): Promise<[number, string | undefined]> => {
    const client = await connectRaw({ port: edge.port });
    try {
      await client.send(Buffer.from(`${bytes}`, 'latin1'));
      const response = await client.readResponse();
      assert.equal(headerOf(response.rawHeaders, 'connection'), 'close');
      await eventually(() => client.ended, 'the end of the connection');
      assert.equal(client.pending().length, 0, 'nothing is answered behind a refusal');
      return [response.status, headerOf(response.rawHeaders, 'headgear-failure')];
    } finally {
      client.destroy();
    }
  };

  for (const [rule, [status, ...attacks]] of Object.entries(REQUESTS)) {
    it(`${rule} refuses a request, and nothing of it reaches a gear`, async () => {
      const before = gear.requests.length;
      for (const attack of attacks) {
        // Behind each attack comes what it would smuggle.
        const smuggled =
          attack.endsWith('x') || attack.endsWith('y') ? '' : `GET /smuggled HTTP/1.1\r\n${H}\r\n`;
        assert.deepEqual(
          await refusalOf(attack + smuggled),
          [status, rule],
          JSON.stringify(attack.slice(0, 200)),
        );
      }
      assert.equal(gear.requests.length, before);
    });
  }

  for (const [rule, attacks] of Object.entries(BODIES)) {
    it(`${rule} refuses a request’s body, and the gear never takes the request for whole`, async () => {
      const before = gear.requests.length;
      for (const attack of attacks) {
        const shown = JSON.stringify(attack.slice(0, 200));
        assert.deepEqual(await refusalOf(chunked(attack)), [400, 'BODY_INVALID'], shown);
        await eventually(
          () => edge.finished.at(-1)?.failure === `BODY_INVALID:${rule}`,
          `${rule} in the log for ${shown}`,
        );
      }
      assert.equal(gear.requests.length, before);
    });

    it(`${rule} breaks an answer off, and its connection is not used again`, async () => {
      for (const attack of attacks) {
        answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${attack}`;
        const client = await connectRaw({ port: edge.port });
        await client.send(`GET / HTTP/1.1\r\n${H}\r\n`);
        await assert.rejects(client.readResponse(), JSON.stringify(attack.slice(0, 200)));
        client.destroy();
        await eventually(
          () => edge.finished.at(-1)?.failure === `RESPONSE_INVALID:${rule}`,
          `${rule} in the log`,
        );
        await eventually(() => gear.openConnections === 0);
      }
    });
  }

  for (const [rule, attacks] of Object.entries(ANSWERS)) {
    it(`${rule} refuses an answer`, async () => {
      for (const attack of attacks) {
        answer = attack;
        const client = await connectRaw({ port: edge.port });
        await client.send(`GET / HTTP/1.1\r\n${H}\r\n`);
        const response = await client.readResponse();
        assert.equal(response.status, 502, attack.slice(0, 200));
        client.destroy();
        await eventually(
          () => edge.finished.at(-1)?.failure === `RESPONSE_INVALID:${rule}`,
          `${rule} in the log`,
        );
        await eventually(() => gear.openConnections === 0);
      }
    });
  }
});

describe('the rules of the hop', () => {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src');
  const named = new Set(
    ['http', 'edge', 'upstream']
      .flatMap((room) => readdirSync(join(root, room)).map((file) => join(root, room, file)))
      .filter((file) => !/http2|proxy-header|accept-proxied/.test(file))
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/'((?:HTTP|CHUNK|UPSTREAM)_[A-Z0-9_]+)'/g)])
      .map(([, code = '']) => code),
  );
  const attacked = [...Object.keys(REQUESTS), ...Object.keys(BODIES), ...Object.keys(ANSWERS), ...BY_TIME];

  it('each have an attack here', () => {
    assert.deepEqual([...named].filter((code) => !attacked.includes(code)).sort(), []);
  });

  it('are all in the code', () => {
    assert.deepEqual(attacked.filter((code) => !named.has(code)).sort(), []);
  });
});
