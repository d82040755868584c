import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameParser } from '../../src/stomp/frame.ts';
import { encodeFrame, headersOf, type StompVersion } from '../../src/stomp/frame-text.ts';
import type { Fed, Frame, FrameLimits } from '../../src/stomp/frame-types.ts';
import { liveBufferBytes } from '../support/live-memory.ts';

const LIMITS: FrameLimits = { maxLineBytes: 200, maxHeaders: 8, maxBodyBytes: 1_000, excess: 'refuse' };
const CURTAIL: FrameLimits = { ...LIMITS, excess: 'curtail', keep: new Set(['message-id']) };

function feedAll(limits: FrameLimits, chunks: readonly Buffer[]): Fed {
  const parser = new FrameParser(limits);
  const frames: Frame[] = [];
  let fault: Fed['fault'] = null;
  let broken: Fed['broken'] = null;
  for (const chunk of chunks) {
    const fed = parser.feed(chunk);
    frames.push(...fed.frames);
    fault = fed.fault;
    broken = fed.broken;
  }
  return { frames, fault, broken };
}

/** Cuts the bytes at the given places (taken modulo the length). */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const edges = [0, ...sorted, bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

/** Bytes with a taste for what matters in STOMP. */
const stompish = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom('SEND\n', 'a:b\n', 'content-length:3\n', '\n', '\0', 'abc', '\r\n'),
      },
      { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('content-length:-1\n', 'content-length:9999\n', 'é\n', '\\c:\\n\n', ':\n'),
      },
    ),
    { maxLength: 40 },
  )
  .map((parts) => Buffer.from(parts.join('')));

const headerText = fc
  .string({ minLength: 1, maxLength: 20, unit: 'binary' })
  .filter((text) => !/\p{Cs}/u.test(text));
const frameArbitrary = fc.record({
  headers: fc.uniqueArray(fc.tuple(headerText, headerText), { maxLength: 6, selector: ([name]) => name }),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

describe('the frame parser', () => {
  it('hands on of a MESSAGE only the headers that are asked for, and holds the others to the same bounds', () => {
    const lines = fc.constantFrom(
      ...['message-id:1\n', 'a:b\n', ':message-id:2\n', 'message-id :3\n', 'content-length:2\n', 'x\0y:z\n'],
      ...[
        'é:\r\n',
        'no colon\n',
        `long:${'x'.repeat(30)}\n`,
        'message-idx:4\n',
        'a:b\n',
        'c:d\n',
        '\r\n',
        '\n',
      ],
    );
    const heads = fc.array(lines, { maxLength: 12 });
    const limits: FrameLimits = { ...CURTAIL, maxLineBytes: 20, maxHeaders: 4 };
    fc.assert(
      fc.property(fc.array(heads, { maxLength: 3 }), fc.array(fc.nat(), { maxLength: 9 }), (all, places) => {
        const bytes = Buffer.from(all.map((head) => `MESSAGE\n${head.join('')}\nxy\0`).join(''));
        const whole = feedAll(limits, [bytes]);
        const only = (frame: Frame) => ({
          ...frame,
          rawHeaders: frame.rawHeaders.filter(
            ([name]) => frame.command !== 'MESSAGE' || name === 'message-id',
          ),
        });
        const kept = feedAll({ ...limits, onlyKept: true }, cut(bytes, places));
        assert.deepEqual(kept.frames, whole.frames.map(only));
        assert.deepEqual(kept.fault, whole.fault);
      }),
      { numRuns: 2_000 },
    );
  });

  it('hands on every header of what is no MESSAGE', () => {
    const connected = Buffer.from('CONNECTED\nversion:1.2\nserver:x\n\n\0');
    const { frames } = feedAll({ ...CURTAIL, onlyKept: true }, [connected]);
    assert.deepEqual(frames[0]?.rawHeaders, [
      ['version', '1.2'],
      ['server', 'x'],
    ]);
  });

  it('gives the same frames and the same fault wherever the bytes are cut', () => {
    fc.assert(
      fc.property(stompish, fc.array(fc.nat(), { maxLength: 20 }), fc.boolean(), (bytes, places, curtail) => {
        const limits = curtail ? { ...CURTAIL, maxLineBytes: 20 } : { ...LIMITS, maxLineBytes: 20 };
        const whole = feedAll(limits, [bytes]);
        assert.deepEqual(feedAll(limits, cut(bytes, places)), whole);
        const single = cut(
          bytes,
          Array.from(bytes, (_, index) => index),
        );
        assert.deepEqual(feedAll(limits, single), whole);
      }),
      { numRuns: 500 },
    );
  });

  it('reads back what the writer wrote, in every version that has escapes', () => {
    fc.assert(
      fc.property(
        fc.array(frameArbitrary, { maxLength: 4 }),
        fc.constantFrom<StompVersion>('1.1', '1.2'),
        (frames, version) => {
          const limits = { ...LIMITS, maxLineBytes: 2_000 };
          // 1.1 has no escape for CR, and no version one for NUL: the writer makes them blanks.
          const clean = (text: string) => {
            const plain = text.replaceAll('\0', ' ');
            return version === '1.2' ? plain : plain.replaceAll('\r', ' ');
          };
          const bytes = Buffer.concat(
            frames.map(({ headers, body }) => encodeFrame('SEND', headers, version, body)),
          );
          const read = feedAll(limits, [bytes]);
          assert.equal(read.fault, null);
          assert.equal(read.frames.length, frames.length);
          for (const [index, frame] of read.frames.entries()) {
            const decoded = headersOf(frame, version);
            assert.ok(decoded.ok);
            const sent = frames[index];
            assert.deepEqual(frame.body, sent?.body);
            for (const [name, value] of sent?.headers ?? []) {
              // Two names may become one when blanks replace what cannot be sent.
              const unique = sent?.headers.filter(([other]) => clean(other) === clean(name)).length === 1;
              if (unique && clean(name) !== 'content-length')
                assert.equal(decoded.headers.get(clean(name)), clean(value));
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes heart-beats between frames and CRLF line ends', () => {
    const { frames, fault } = feedAll(LIMITS, [
      Buffer.from('\n\r\n\nSEND\r\na:b\r\n\r\nbody\0\n\nDISCONNECT\n\n\0'),
    ]);
    assert.equal(fault, null);
    assert.deepEqual(
      frames.map((frame) => [frame.command, frame.rawHeaders, frame.body.toString()]),
      [
        ['SEND', [['a', 'b']], 'body'],
        ['DISCONNECT', [], ''],
      ],
    );
  });

  it('lets a counted body hold NUL bytes and whole frames', () => {
    const inner = 'SEND\n\nx\0';
    const { frames } = feedAll(LIMITS, [Buffer.from(`SEND\ncontent-length:${inner.length}\n\n${inner}\0`)]);
    assert.deepEqual(
      frames.map((frame) => frame.body.toString()),
      [inner],
    );
  });

  it('takes the first of a repeated content-length, as of any repeated header', () => {
    const { frames, fault } = feedAll(LIMITS, [
      Buffer.from('SEND\ncontent-length:1\ncontent-length:99\n\nx\0'),
    ]);
    assert.equal(fault, null);
    assert.equal(frames[0]?.body.toString(), 'x');
  });

  const faults: readonly (readonly [string, string, string])[] = [
    ['an endless line', 'a'.repeat(300), 'STOMP_LINE_TOO_LONG'],
    ['endless headers', `SEND\n${'a:b\n'.repeat(20)}`, 'STOMP_TOO_MANY_HEADERS'],
    ['a length above the limit, before its body', 'SEND\ncontent-length:1001\n', 'STOMP_BODY_TOO_LARGE'],
    ['a length beyond all numbers', `SEND\ncontent-length:${'9'.repeat(30)}\n`, 'STOMP_BAD_LENGTH'],
    ['a negative length', 'SEND\ncontent-length:-1\n', 'STOMP_BAD_LENGTH'],
    ['a hexadecimal length', 'SEND\ncontent-length:0x10\n', 'STOMP_BAD_LENGTH'],
    ['a body without length above the limit', `SEND\n\n${'x'.repeat(1_001)}`, 'STOMP_BODY_TOO_LARGE'],
    ['a body that goes on after its length', 'SEND\ncontent-length:1\n\nxy\0', 'STOMP_NO_NUL'],
    ['a NUL within the head', 'SEND\ndestination:/queue/a\0', 'STOMP_NUL_IN_HEAD'],
    ['a NUL instead of a frame', '\0', 'STOMP_NUL_IN_HEAD'],
    ['a header without a colon', 'SEND\nnonsense\n', 'STOMP_BAD_HEADER'],
    ['a header without a name', 'SEND\n:value\n', 'STOMP_BAD_HEADER'],
  ];
  for (const [what, bytes, code] of faults)
    it(`refuses ${what}`, () => {
      assert.equal(feedAll(LIMITS, [Buffer.from(bytes)]).fault?.code, code);
    });

  it('takes nothing more after a fault', () => {
    const parser = new FrameParser(LIMITS);
    parser.feed(Buffer.from('SEND\n:bad\n'));
    const fed = parser.feed(Buffer.from('\n\0SEND\n\nx\0'));
    assert.deepEqual([fed.frames.length, fed.fault?.code], [0, 'STOMP_BAD_HEADER']);
  });

  it('cuts what is too long for a sender that would send it again for ever, and keeps the message id', () => {
    const many = Array.from({ length: 50 }, (_, index) => `h${index}:v\n`).join('');
    const bytes = `MESSAGE\n${many}long:${'x'.repeat(5_000)}\nmessage-id:7\n\n${'b'.repeat(5_000)}\0SEND\n\nnext\0`;
    const { frames, fault } = feedAll(CURTAIL, [Buffer.from(bytes)]);
    assert.equal(fault, null);
    const [large, next] = frames;
    assert.equal(large?.rawHeaders.length, 9);
    assert.deepEqual(large?.rawHeaders.at(-1), ['message-id', '7']);
    assert.equal(large?.headersDropped, 43);
    assert.equal(large?.body.length, 1_001);
    assert.equal(large?.bodyBytes, 5_000);
    assert.equal(next?.body.toString(), 'next');
  });

  it('takes no broken header of a message for the end of it, where the sender would send it again for ever', () => {
    const bytes =
      'MESSAGE\n:no name\nno colon\nnul:a\0b\nmessage-id:7\ncontent-length:3\n\nabc\0MESSAGE\nmessage-id:8\n\nx\0';
    const { frames, fault } = feedAll(CURTAIL, [Buffer.from(bytes)]);
    assert.equal(fault, null);
    assert.deepEqual(
      frames.map(({ rawHeaders, body, headersDropped }) => [
        rawHeaders[0]?.[1],
        body.toString(),
        headersDropped,
      ]),
      [
        ['7', 'abc', 3],
        ['8', 'x', 0],
      ],
    );
  });

  const lengths: readonly [what: string, head: string, code: string, body: string][] = [
    ['no number', 'content-length:many\nmessage-id:7\n', 'STOMP_BAD_LENGTH', ''],
    ['too short', 'message-id:7\ncontent-length:2\n', 'STOMP_NO_NUL', 'ab'],
  ];
  for (const [what, head, code, body] of lengths)
    it(`says which message it is whose length is ${what}, wherever the bytes are cut`, () => {
      const bytes = Buffer.from(`MESSAGE\na:b\n${head}\nabcd\0`);
      for (let at = 0; at <= bytes.length; at += 1) {
        const { frames, fault, broken } = feedAll(CURTAIL, [bytes.subarray(0, at), bytes.subarray(at)]);
        assert.deepEqual([frames.length, fault?.code], [0, code]);
        assert.equal(new Map(broken?.rawHeaders).get('message-id'), '7');
        assert.equal(broken?.body.toString(), body);
        assert.ok((broken?.bodyBytes ?? 0) > body.length, 'it is not whole');
      }
    });

  it('holds little memory while a giant body of unknown length passes', () => {
    const parser = new FrameParser(CURTAIL);
    parser.feed(Buffer.from('MESSAGE\n\n'));
    const chunk = Buffer.alloc(65_536, 120);
    const before = liveBufferBytes();
    for (let index = 0; index < 1_600; index += 1) parser.feed(chunk);
    assert.ok(liveBufferBytes() - before < 8 * 1_048_576);
    const { frames } = parser.feed(Buffer.from('\0'));
    assert.deepEqual([frames[0]?.body.length, frames[0]?.bodyBytes], [1_001, 1_600 * 65_536]);
  });
});

describe('header escapes', () => {
  const frame = (line: string, command = 'SEND') => {
    const [first] = feedAll(LIMITS, [Buffer.from(`${command}\n${line}\n\n\0`)]).frames;
    assert.ok(first !== undefined);
    return first;
  };
  const firstValue = (line: string, version: StompVersion, command?: string) => {
    const decoded = headersOf(frame(line, command), version);
    return decoded.ok ? [...decoded.headers.values()][0] : decoded.fault.code;
  };

  it('are undone by version: none in 1.0, no CR in 1.1', () => {
    assert.equal(firstValue('a:x\\cy\\n\\\\', '1.0'), 'x\\cy\\n\\\\');
    assert.equal(firstValue('a:x\\cy\\n\\\\', '1.1'), 'x:y\n\\');
    assert.equal(firstValue('a:\\r', '1.2'), '\r');
    assert.equal(firstValue('a:\\r', '1.1'), 'STOMP_BAD_ESCAPE');
    assert.equal(firstValue('a:\\t', '1.2'), 'STOMP_BAD_ESCAPE');
    assert.equal(firstValue('a:ends in \\', '1.2'), 'STOMP_BAD_ESCAPE');
  });

  it('are not undone in CONNECT, whose passcode may hold a backslash', () => {
    assert.equal(firstValue('passcode:a\\cb', '1.2', 'CONNECT'), 'a\\cb');
  });

  it('stay as they are for a lenient reader', () => {
    const decoded = headersOf(frame('a:\\t\\c'), '1.2', true);
    assert.ok(decoded.ok && decoded.headers.get('a') === '\\t:');
  });

  it('let no echoed text start a new header line, in no version', () => {
    for (const version of ['1.0', '1.1', '1.2'] as const) {
      const bytes = encodeFrame('RECEIPT', [['receipt-id', 'x\nevil:1\r\0y']], version);
      const { frames, fault } = feedAll(LIMITS, [bytes]);
      assert.equal(fault, null);
      assert.deepEqual(
        frames[0]?.rawHeaders.map(([name]) => name),
        ['receipt-id'],
      );
    }
  });
});
