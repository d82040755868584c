/** The ClientHello reader and the STOMP frame parser under the fuzzer. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { readClientHello } from '../../src/edge/client-hello.ts';
import { FrameParser } from '../../src/stomp/frame.ts';
import type { FrameLimits } from '../../src/stomp/frame-types.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { buffers } from './mutate.ts';

/** The first bytes that Node's own TLS client sends. */
function realHello(options: {
  servername?: string;
  ALPNProtocols?: string[];
  maxVersion?: 'TLSv1.2';
}): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
        setImmediate(() => client.destroy());
      },
    });
    const client = connect({ socket: wire, rejectUnauthorized: false, ...options });
    client.on('error', () => {});
  });
}

/** The same hello in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}

/** Hellos of a real client are the seeds. */
export async function clientHelloTarget(): Promise<FuzzTarget> {
  const plain = await realHello({
    servername: 'app-ns.apps.example.test',
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  const messages = [
    plain,
    await realHello({}),
    await realHello({ servername: 'alias.example', maxVersion: 'TLSv1.2' }),
    inRecords(plain, 1),
    inRecords(plain, 7),
    inRecords(plain, 100),
    ...buffers('GET / HTTP/1.1\r\n\r\n'),
  ];
  const pieces = [
    [22, 3, 1],
    [22, 3, 1, 0, 5],
    [22, 3, 3, 255, 255],
    [1, 0, 0, 4],
    [0, 0],
    [0, 0, 0, 5, 0, 3, 0],
    [0, 16, 0, 3, 0, 1, 0],
    [0, 43, 0, 3, 2, 3, 4],
    [255, 255],
    [21, 3, 1, 0, 2, 2, 40],
  ].map((bytes) => Buffer.from(bytes));
  return {
    name: 'ClientHellos',
    corpus: { messages, pieces: [...pieces, ...buffers('app-ns', '\0', 'a'.repeat(300), 'h2')] },
    // As it is read from a socket: again only when there are as many bytes as the last look asked for, or there will be no more.
    read(parts) {
      let bytes = Buffer.alloc(0);
      let needed = 1;
      let outcome = 'incomplete';
      for (const [index, part] of parts.entries()) {
        bytes = Buffer.concat([bytes, part]);
        if (bytes.length < needed && index < parts.length - 1) continue;
        const read = readClientHello(bytes);
        if (read.kind === 'incomplete') {
          assert.ok(read.needBytes > bytes.length, 'no more bytes are asked for than there are');
          needed = read.needBytes;
          continue;
        }
        if (read.kind === 'hello') {
          assert.ok(read.serverName === null || /^[a-z0-9._-]{1,253}$/.test(read.serverName));
          for (const protocol of read.alpn) assert.ok(protocol.length > 0 && protocol.length < 256);
        }
        outcome = JSON.stringify(read);
        break;
      }
      return outcome;
    },
  };
}

const LIMITS: readonly FrameLimits[] = [
  { maxLineBytes: 200, maxHeaders: 8, maxBodyBytes: 500, excess: 'refuse' },
  {
    maxLineBytes: 200,
    maxHeaders: 8,
    maxBodyBytes: 500,
    excess: 'curtail',
    keep: new Set(['message-id', 'ack']),
  },
];

export const stompTarget: FuzzTarget = {
  name: 'STOMP frames',
  corpus: {
    messages: buffers(
      'CONNECT\naccept-version:1.0,1.1,1.2\nhost:x\nlogin:a\npasscode:b\n\n\0',
      'SEND\ndestination:/queue/routinginfo\ncontent-length:11\nreceipt:1\n\n:action: x\n\0\n',
      'SEND\r\ndestination:/topic/a\r\n\r\n---\n:action: :add_alias\n\0',
      'MESSAGE\nsubscription:0\nmessage-id:m\\c1\nack:7\ndestination:/queue/a\ncontent-length:3\n\na\0b\0\n\nRECEIPT\nreceipt-id:1\n\n\0',
      'DISCONNECT\n\n\0',
      '\n\n\nERROR\nmessage:bad\n\ntext\0',
    ),
    pieces: buffers(
      '\n',
      '\r\n',
      '\0',
      '\n\n',
      ':',
      'content-length:5\n',
      'content-length:99999999999999999\n',
      'content-length:-1\n',
      'a:b\n',
      '\\n\\c\\r\\\\\\x',
      'SEND\n',
      'ack:1\n',
      `long:${'x'.repeat(300)}\n`,
      'y'.repeat(700),
      '\xff\xfe',
    ),
  },
  read(pieces, variant) {
    const limits = LIMITS[variant % LIMITS.length] ?? (LIMITS[0] as FrameLimits);
    const parser = new FrameParser(limits);
    const seen: unknown[] = [];
    for (const piece of pieces) {
      const { frames, fault } = parser.feed(piece);
      for (const frame of frames) {
        assert.ok(frame.body.length <= limits.maxBodyBytes + 1, 'a body above the bound');
        assert.ok(
          frame.rawHeaders.length <= limits.maxHeaders + (limits.keep?.size ?? 0),
          'too many headers',
        );
        seen.push([
          frame.command,
          frame.rawHeaders,
          frame.body.toString('latin1'),
          frame.bodyBytes,
          frame.headersDropped,
        ]);
      }
      if (fault !== null) return JSON.stringify([...seen, fault.code]);
    }
    return JSON.stringify([...seen, parser.midFrame()]);
  },
};
