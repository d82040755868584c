import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { ClientHelloReader, type HelloRead, readClientHello } from '../../src/edge/client-hello.ts';
import { captureHello } from '../support/client-hello.ts';

const u8 = (value: number) => Buffer.from([value]);
const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const u24 = (value: number) => Buffer.from([value >> 16, (value >> 8) & 255, value & 255]);
const vector8 = (...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u8(body.length), body]);
};
const vector16 = (...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u16(body.length), body]);
};
const extension = (type: number, content: Buffer) => Buffer.concat([u16(type), vector16(content)]);
const sni = (...names: string[]) =>
  extension(
    0,
    vector16(...names.map((name) => Buffer.concat([u8(0), vector16(Buffer.from(name, 'latin1'))]))),
  );
const alpn = (...protocols: string[]) =>
  extension(16, vector16(...protocols.map((p) => vector8(Buffer.from(p)))));
const versions = (...list: number[]) => extension(43, vector8(...list.map(u16)));

const codesIn = (list: Buffer) =>
  Array.from({ length: list.length / 2 }, (_, index) => list.readUInt16BE(index * 2));

interface Parts {
  legacyVersion?: number;
  sessionId?: Buffer;
  ciphers?: Buffer;
  extensions?: Buffer[] | null;
  after?: Buffer;
}

function message({
  legacyVersion = 0x0303,
  sessionId = Buffer.alloc(32),
  ciphers = u16(0x1301),
  extensions = [],
  after = Buffer.alloc(0),
}: Parts): Buffer {
  const body = Buffer.concat([
    u16(legacyVersion),
    Buffer.alloc(32, 7),
    vector8(sessionId),
    vector16(ciphers),
    vector8(u8(0)),
    extensions === null ? Buffer.alloc(0) : vector16(...extensions),
    after,
  ]);
  return Buffer.concat([u8(1), u24(body.length), body]);
}

function records(handshake: Buffer, recordBytes = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < handshake.length; at += recordBytes) {
    parts.push(Buffer.from([22, 3, 1]), vector16(handshake.subarray(at, at + recordBytes)));
  }
  return Buffer.concat(parts);
}

const hello = (parts: Parts = {}) => records(message(parts));
const typical = message({
  extensions: [
    sni('www.example.org'),
    alpn('h2', 'http/1.1'),
    versions(0x0304, 0x0303),
    extension(51, Buffer.alloc(900)),
  ],
});
const none = Buffer.alloc(0);
const expected: HelloRead = {
  kind: 'hello',
  cipherSuites: u16(0x1301),
  signatureAlgorithms: none,
  groups: none,
  serverName: 'www.example.org',
  alpn: ['h2', 'http/1.1'],
  versions: [0x0304, 0x0303],
};

/** As the edge does it: piece by piece, until it is known. */
function feed(pieces: readonly Buffer[]): HelloRead {
  const reader = new ClientHelloReader();
  let result: HelloRead = reader.push(Buffer.alloc(0));
  let given = 0;
  for (const piece of pieces) {
    if (result.kind !== 'incomplete') break;
    result = reader.push(piece);
    given += piece.length;
    assert.equal(reader.bytes.length, given);
  }
  return result;
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

let real: Buffer[] = [];

before(async () => {
  real = await Promise.all([
    captureHello({ servername: 'a.example.org', ALPNProtocols: ['h2', 'http/1.1'] }),
    captureHello({ servername: 'a.example.org', maxVersion: 'TLSv1.2' }),
    captureHello({}),
  ]);
});

test('the hellos of a real client are read', () => {
  const [tls13, tls12, nameless] = real.map((bytes) => readClientHello(bytes));
  assert.ok(tls13?.kind === 'hello' && tls12?.kind === 'hello');
  assert.equal(tls13.serverName, 'a.example.org');
  assert.deepEqual(tls13.alpn, ['h2', 'http/1.1']);
  assert.deepEqual(tls13.versions, [0x0304, 0x0303]);
  assert.deepEqual([tls12.serverName, tls12.alpn, tls12.versions], ['a.example.org', [], [0x0303]]);
  for (const { signatureAlgorithms, groups, cipherSuites } of [tls13, tls12]) {
    assert.ok(codesIn(signatureAlgorithms).includes(0x0403), 'ecdsa_secp256r1_sha256');
    assert.ok(codesIn(groups).includes(23), 'secp256r1');
    assert.ok(codesIn(cipherSuites).includes(0xc02b), 'ECDHE-ECDSA-AES128-GCM-SHA256');
  }
  assert.equal(nameless?.kind === 'hello' && nameless.serverName, null);
});

test('a hello in any records, cut into any TCP segments, is read the same', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 1_200 }),
      fc.array(fc.nat(20_000), { maxLength: 30 }),
      (recordBytes, cuts) => {
        assert.deepEqual(feed(split(records(typical, recordBytes), cuts)), expected);
      },
    ),
  );
});

test('one byte at a time, and one byte a record, is read the same', () => {
  const short = message({
    extensions: [sni('www.example.org'), alpn('h2', 'http/1.1'), versions(0x0304, 0x0303)],
  });
  const bytes = records(short, 1);
  assert.deepEqual(feed([...bytes].map((byte) => u8(byte))), expected);
});

test('whatever it is, it is read the same in pieces as at once', () => {
  for (const whole of [...Object.values(malformed), records(typical, 3), ...real]) {
    const atOnce = readClientHello(whole);
    const inPieces = feed([...whole].map((byte) => u8(byte)));
    // A fault may show before the last byte; a hello that is cut short is asked to go on in the same way.
    assert.deepEqual(inPieces, atOnce);
  }
});

test('nothing is concluded from a hello that is cut short', () => {
  const bytes = records(typical, 100);
  for (let length = 0; length < bytes.length; length += 1) {
    const read = readClientHello(bytes.subarray(0, length));
    assert.ok(
      read.kind === 'incomplete' && read.needBytes > length && read.needBytes <= bytes.length,
      `${length}`,
    );
  }
});

test('what follows the hello is left alone', () => {
  const more = Buffer.concat([records(typical), Buffer.from([20, 3, 3, 0, 1, 1]), Buffer.alloc(500, 0xff)]);
  assert.deepEqual(readClientHello(more), expected);
});

test('names are lower-cased and lose their trailing dot', () => {
  for (const [name, normal] of [
    ['WWW.Example.ORG', 'www.example.org'],
    ['www.example.org.', 'www.example.org'],
    ['my_app-ns.apps.example.test', 'my_app-ns.apps.example.test'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
  ] as const) {
    const read = readClientHello(hello({ extensions: [sni(name)] }));
    assert.equal(read.kind === 'hello' && read.serverName, normal);
  }
});

for (const name of [
  '',
  '.',
  'a..b',
  '*.example.org',
  '-a.example',
  'a-.example',
  'a b',
  'a\0b',
  'a/b',
  'a:443',
  '::1',
  'b\xfccher.example',
  'a\r\nb',
  `${'a'.repeat(64)}.example`,
  `${'a.'.repeat(140)}b`,
]) {
  test(`${JSON.stringify(name.slice(0, 20))} is refused as a server name`, () => {
    assert.equal(readClientHello(hello({ extensions: [sni(name)] })).kind, 'invalid');
  });
}

test('a hello without extensions, as TLS 1.2 allows, has no name', () => {
  assert.deepEqual(readClientHello(hello({ extensions: null })), {
    kind: 'hello',
    serverName: null,
    alpn: [],
    versions: [0x0303],
    cipherSuites: u16(0x1301),
    signatureAlgorithms: none,
    groups: none,
  });
});

test('what a client can verify is read; a malformed list counts as none and is left to OpenSSL', () => {
  const groups = (content: Buffer) => extension(10, content);
  const algorithms = (content: Buffer) => extension(13, content);
  const ciphers = Buffer.concat([u16(0x1301), u16(0xc02b)]);
  const read = (...extensions: Buffer[]) => {
    const result = readClientHello(hello({ ciphers, extensions }));
    assert.ok(result.kind === 'hello');
    return [result.cipherSuites, result.groups, result.signatureAlgorithms].map(codesIn);
  };
  assert.deepEqual(read(groups(vector16(u16(23), u16(24))), algorithms(vector16(u16(0x0804)))), [
    [0x1301, 0xc02b],
    [23, 24],
    [0x0804],
  ]);
  assert.deepEqual(read(groups(vector16(u8(23))), algorithms(Buffer.concat([vector16(u16(1)), u8(0)]))), [
    [0x1301, 0xc02b],
    [],
    [],
  ]);
});

const twice = [sni('a.example'), sni('b.example')];
const malformed: Record<string, Buffer> = {
  'plain HTTP': Buffer.from('GET / HTTP/1.1\r\n'),
  'an SSLv2 hello': Buffer.from([0x80, 0x2e, 1, 3, 1]),
  'an alert': Buffer.from([21, 3, 3, 0, 2, 2, 40]),
  'a record of another major version': Buffer.from([22, 2, 0, 0, 4]),
  'an empty record': Buffer.from([22, 3, 1, 0, 0]),
  'an oversized record': Buffer.from([22, 3, 1, 0x40, 1]),
  'another handshake message': records(Buffer.concat([u8(2), message({}).subarray(1)])),
  'a hello longer than 16 KiB': hello({ extensions: [extension(99, Buffer.alloc(17_000))] }),
  'an alert between two pieces of the hello': Buffer.concat([
    records(typical.subarray(0, 50)),
    Buffer.from([21, 3, 3, 0, 2, 1, 0]),
  ]),
  'two server_name extensions': hello({ extensions: twice }),
  'two names in one server_name': hello({ extensions: [sni('a.example', 'b.example')] }),
  'a name of another type': hello({
    extensions: [extension(0, vector16(u8(1), vector16(Buffer.from('a.example'))))],
  }),
  'an empty server_name list': hello({ extensions: [sni()] }),
  'bytes after the server_name list': hello({
    extensions: [extension(0, Buffer.concat([vector16(u8(0), vector16(Buffer.from('a'))), u8(0)]))],
  }),
  'bytes after the extensions': hello({ after: u8(0) }),
  'a session id of 33 bytes': hello({ sessionId: Buffer.alloc(33) }),
  'an odd list of cipher suites': hello({ ciphers: Buffer.alloc(3) }),
  'no cipher suites': hello({ ciphers: Buffer.alloc(0) }),
  'an empty protocol name': hello({ extensions: [alpn('')] }),
  'no protocol names': hello({ extensions: [alpn()] }),
  'an odd list of versions': hello({ extensions: [extension(43, vector8(Buffer.alloc(3)))] }),
  'a wrong legacy version': hello({ legacyVersion: 0x0202 }),
  'nothing within the hello': records(Buffer.from([1, 0, 0, 0])),
};
for (const [what, bytes] of Object.entries(malformed)) {
  test(`${what} is invalid`, () => assert.equal(readClientHello(bytes).kind, 'invalid'));
}

test('a hello in more than a thousand records is invalid, and reading it stays cheap', () => {
  const bytes = records(message({ extensions: [sni('a.example'), extension(99, Buffer.alloc(2_000))] }), 1);
  assert.equal(feed(split(bytes, [])).kind, 'invalid');
});

test('every length that is wrong by some amount is invalid or incomplete, never misread', () => {
  const good = records(message({ extensions: [sni('www.example.org')] }));
  const nameAt = good.indexOf('www.example.org');
  for (const [at, by] of [
    [nameAt - 1, 1],
    [nameAt - 1, -1],
    [nameAt - 4, 1],
    [nameAt - 4, -1],
    [nameAt - 6, 1],
    [nameAt - 6, -1],
    [nameAt - 10, 1],
    [nameAt - 10, -1],
  ] as const) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) + by;
    assert.equal(readClientHello(bad).kind, 'invalid', `offset ${at - nameAt} by ${by}`);
  }
});

test('random bytes and mutilated hellos never throw and never run on', () => {
  const mutilated = fc
    .tuple(
      fc.constantFrom(...real, records(typical, 64)),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      fc.nat(),
    )
    .map(([bytes, edits, end]) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of edits) copy[at % copy.length] = value;
      return copy.subarray(0, end % (copy.length + 1));
    });
  const random = fc
    .uint8Array({ maxLength: 300 })
    .map((bytes) => Buffer.concat([Buffer.from([22, 3, 1]), bytes]));
  fc.assert(
    fc.property(fc.oneof(mutilated, random), (bytes) => {
      const read = readClientHello(bytes);
      if (read.kind === 'incomplete') assert.ok(read.needBytes > bytes.length);
      if (read.kind === 'hello')
        assert.ok(read.serverName === null || /^[a-z0-9_.-]+$/.test(read.serverName));
    }),
    { numRuns: 2_000 },
  );
});

test('a mutilated hello has one meaning however it is cut', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.array(fc.nat(3_000), { maxLength: 8 }), (at, value, cuts) => {
      const bytes = records(typical, 200);
      bytes[at % bytes.length] = value;
      const whole = readClientHello(bytes);
      const cut = feed(split(bytes, cuts));
      // Bytes at the very end may decide in one piece what several leave open; a verdict is never another one.
      if (whole.kind !== 'incomplete' && cut.kind !== 'incomplete') assert.deepEqual(cut, whole);
      else assert.equal(cut.kind, whole.kind);
    }),
    { numRuns: 1_000 },
  );
});
