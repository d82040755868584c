/** RFC 9113 3 and 4: the preface, the format and size of frames, field blocks across frames (6.10), and frames of other kinds (5.5). */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type Conformance, describeConformance } from '../support/http2-conformance.ts';
import {
  CODE,
  FLAG,
  FRAME,
  fieldBlock,
  frame,
  headers,
  PREFACE,
  requestFields,
  settings,
} from '../support/http2-frames.ts';

const POST = requestFields([], '/', 'POST');
const { protocol, frameSize, compression } = CODE;
const BLOCK = fieldBlock(requestFields());
const half = frame(FRAME.headers, FLAG.endStream, 1, BLOCK.subarray(0, 20));
const end = BLOCK.subarray(20);
const rest = frame(FRAME.continuation, FLAG.endHeaders, 1, end);
const open = headers(1, POST, true);
const MORE = fieldBlock([['x', 'y']]);
/** The highest bit of the stream's number. */
const RESERVED = 2 ** 31;

describeConformance(
  'the format of HTTP/2 frames',
  'RFC 9113',
  [
    {
      section: '4.1',
      what: 'a frame of unknown type is ignored',
      send: [frame(0x16, 0, 0, Buffer.alloc(8)), headers(1)],
      wants: ['status 200'],
    },
    {
      section: '4.1',
      what: 'flags that a frame has not are ignored',
      send: [frame(FRAME.ping, 0x16, 0, Buffer.alloc(8)), headers(1)],
      wants: ['status 200'],
    },
    {
      section: '4.1',
      what: 'the reserved bit is ignored',
      send: [
        frame(FRAME.ping, 0, RESERVED, Buffer.alloc(8)),
        frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, RESERVED + 1, BLOCK),
      ],
      wants: ['status 200'],
    },
    {
      section: '4.2',
      what: 'DATA of the whole frame size',
      send: [open, frame(FRAME.data, FLAG.endStream, 1, Buffer.alloc(16_384))],
      wants: ['status 200'],
    },
    {
      section: '4.2',
      what: 'DATA above the frame size',
      send: [open, frame(FRAME.data, 0, 1, Buffer.alloc(16_385))],
      wants: [`ends ${frameSize}`, `reset ${frameSize}`],
      served: false,
    },
    {
      section: '4.2',
      what: 'HEADERS above the frame size',
      send: [frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.alloc(16_385))],
      wants: [`ends ${frameSize}`],
      served: false,
    },
    {
      section: '4.2',
      what: 'CONTINUATION above the frame size',
      send: [
        frame(FRAME.headers, FLAG.endStream, 1, BLOCK),
        frame(FRAME.continuation, FLAG.endHeaders, 1, fieldBlock([['x-long', 'y'.repeat(16_400)]])),
      ],
      wants: [`ends ${frameSize}`],
      // Taken like one that is not; the head's own limits hold all the same.
      instead: ['status 200'],
    },
    {
      section: '4.2',
      what: 'SETTINGS above the frame size',
      send: [frame(FRAME.settings, 0, 0, Buffer.alloc(6 * 2_731))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '4.2',
      what: 'a frame of unknown type above the frame size',
      send: [frame(0x16, 0, 0, Buffer.alloc(16_385))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '4.3',
      what: 'a field block that is no HPACK',
      send: [frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.from([0x40]))],
      wants: [`ends ${compression}`],
      served: false,
    },
    {
      section: '4.3',
      what: 'PRIORITY within a field block',
      send: [half, frame(FRAME.priority, 0, 1, Buffer.alloc(5)), rest],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '4.3',
      what: 'HEADERS of another stream within a field block',
      send: [half, headers(3), rest],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '4.3',
      what: 'CONTINUATION of another stream within a field block',
      send: [half, frame(FRAME.continuation, FLAG.endHeaders, 3, BLOCK.subarray(20))],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '4.3',
      what: 'SETTINGS within a field block',
      send: [half, settings(), rest],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '5.5',
      what: 'a frame of unknown type on a stream',
      send: [open, frame(0x42, 0xff, 1, 'whatever'), frame(FRAME.data, FLAG.endStream, 1, 'x')],
      wants: ['status 200'],
    },
    {
      section: '5.5',
      what: 'a frame of unknown type within a field block',
      send: [half, frame(0x42, 0, 1, 'x'), rest],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.10',
      what: 'several CONTINUATION frames, one of them empty',
      send: [
        half,
        frame(FRAME.continuation, 0, 1, end.subarray(0, 5)),
        frame(FRAME.continuation, 0, 1),
        frame(FRAME.continuation, FLAG.endHeaders, 1, end.subarray(5)),
      ],
      wants: ['status 200'],
    },
    {
      section: '6.10',
      what: 'CONTINUATION behind the end of a field block',
      send: [open, frame(FRAME.continuation, FLAG.endHeaders, 1, MORE)],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.10',
      what: 'CONTINUATION behind CONTINUATION that ended the field block',
      send: [half, rest, frame(FRAME.continuation, FLAG.endHeaders, 1, MORE)],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.10',
      what: 'CONTINUATION behind DATA',
      send: [open, frame(FRAME.data, 0, 1, 'x'), frame(FRAME.continuation, FLAG.endHeaders, 1, MORE)],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.10',
      what: 'CONTINUATION on stream 0',
      send: [half, frame(FRAME.continuation, FLAG.endHeaders, 0, end)],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.10',
      what: 'DATA within a field block',
      send: [half, frame(FRAME.data, FLAG.endStream, 1, 'x')],
      wants: [`ends ${protocol}`],
      served: false,
    },
  ],
  (conformance: Conformance) => {
    /** What has come when the connection is over, after these first bytes. */
    const afterFirst = async (first: Buffer, preface: Buffer) => {
      const raw = await conformance.connect(first, preface);
      await raw.closed();
      return raw;
    };

    it('RFC 9113 3.4: SETTINGS are the first that we say', async () => {
      const raw = await conformance.connect();
      const first = await eventually(() => raw.frames[0]);
      assert.deepEqual([first.type, first.flags, first.stream], [FRAME.settings, 0, 0]);
      raw.send(headers(1));
      assert.equal(await raw.status(1), 200);
    });

    it('RFC 9113 3.4: a preface in pieces of a byte', async () => {
      const raw = await conformance.connect(Buffer.alloc(0), Buffer.alloc(0));
      for (const byte of Buffer.concat([PREFACE, settings(), headers(1)])) raw.send(Buffer.from([byte]));
      assert.equal(await raw.status(1), 200);
    });

    for (const [what, preface] of [
      ['is a request of HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
      ['is wrong', Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n')],
      ['is cut short', PREFACE.subarray(0, 20)],
    ] as const) {
      it(`RFC 9113 3.4: a client whose preface ${what} is let go`, async () => {
        const seen = conformance.gear.requests.length;
        const raw = await afterFirst(Buffer.concat([settings(), headers(1)]), preface);
        assert.equal(raw.frames.filter(({ type }) => type === FRAME.headers).length, 0);
        assert.equal(conformance.gear.requests.length, seen);
      });
    }

    for (const [what, first] of [
      ['HEADERS', headers(1)],
      ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
      ['an ack of SETTINGS', frame(FRAME.settings, FLAG.ack, 0)],
    ] as const) {
      it(`RFC 9113 3.4: a client that begins with ${what} in place of SETTINGS is let go`, async () => {
        const seen = conformance.gear.requests.length;
        const raw = await afterFirst(first, PREFACE);
        const goaway = raw.frames.find(({ type }) => type === FRAME.goaway);
        // Node 20 closes without one.
        if (goaway !== undefined)
          assert.ok(([protocol, CODE.internal] as number[]).includes(goaway.payload.readUInt32BE(4)));
        assert.equal(conformance.gear.requests.length, seen);
      });
    }
  },
);
