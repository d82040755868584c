/** RFC 9113 6: each type of frame where it may not be, of lengths that it may not have, padded and not. Settings, windows and CONTINUATION are in other files. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Conformance, describeConformance } from '../support/http2-conformance.ts';
import {
  CODE,
  FLAG,
  FRAME,
  fieldBlock,
  frame,
  headers,
  type RawHttp2,
  requestFields,
  roundTrips,
  uint32,
} from '../support/http2-frames.ts';

const POST = requestFields([], '/', 'POST');
const SLOW = requestFields([], '/slow/300');
const { protocol, streamClosed, frameSize } = CODE;
const BLOCK = fieldBlock(requestFields());
const open = headers(1, POST, true);
const end = frame(FRAME.data, FLAG.endStream, 1);
const PADDED_END = FLAG.padded | FLAG.endStream;

/** A payload with `pad` octets of zero behind it. */
function padded(payload: Uint8Array, pad: number): Buffer {
  return Buffer.concat([Buffer.from([pad]), payload, Buffer.alloc(pad)]);
}

describeConformance(
  'the types of HTTP/2 frames',
  'RFC 9113',
  [
    {
      section: '6.1',
      what: 'DATA on stream 0',
      send: [frame(FRAME.data, 0, 0, 'x')],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.1',
      what: 'DATA behind the end of a stream',
      send: [headers(1, SLOW), frame(FRAME.data, FLAG.endStream, 1, 'x')],
      wants: [`ends ${streamClosed}`, `reset ${streamClosed}`],
    },
    {
      section: '6.1',
      what: 'DATA with padding',
      send: [open, frame(FRAME.data, PADDED_END, 1, padded(Buffer.from('abc'), 255))],
      wants: ['status 200'],
    },
    {
      section: '6.1',
      what: 'DATA of padding alone',
      send: [open, frame(FRAME.data, PADDED_END, 1, padded(Buffer.alloc(0), 10))],
      wants: ['status 200'],
    },
    {
      section: '6.1',
      what: 'DATA with more padding than there is',
      send: [open, frame(FRAME.data, PADDED_END, 1, Buffer.from([9, 1]))],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.1',
      what: 'DATA that is padded and empty',
      send: [open, frame(FRAME.data, PADDED_END, 1)],
      wants: [`ends ${frameSize}`, `ends ${protocol}`],
      served: false,
    },
    {
      section: '6.1',
      what: 'DATA in several frames',
      send: [open, frame(FRAME.data, 0, 1, 'a'), frame(FRAME.data, 0, 1), frame(FRAME.data, 0, 1, 'bc'), end],
      wants: ['status 200'],
    },
    {
      section: '6.2',
      what: 'HEADERS on stream 0',
      send: [headers(0)],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.2',
      what: 'HEADERS with padding and priority',
      send: [
        frame(
          FRAME.headers,
          FLAG.endHeaders | PADDED_END | FLAG.priority,
          1,
          padded(Buffer.concat([uint32(0), Buffer.from([200]), BLOCK]), 100),
        ),
      ],
      wants: ['status 200'],
    },
    {
      section: '6.2',
      what: 'HEADERS with more padding than there is',
      send: [
        frame(FRAME.headers, FLAG.endHeaders | PADDED_END, 1, Buffer.concat([Buffer.from([250]), BLOCK])),
      ],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '6.2',
      what: 'HEADERS too short for the priority that they announce',
      send: [frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream | FLAG.priority, 1, Buffer.alloc(4))],
      wants: [`ends ${frameSize}`, `ends ${protocol}`],
      served: false,
    },
    {
      section: '6.3',
      what: 'PRIORITY of every weight',
      send: [
        ...[0, 255].map((weight) => frame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 0, weight]))),
        headers(1),
      ],
      wants: ['status 200'],
    },
    {
      section: '6.3',
      what: 'PRIORITY on stream 0',
      send: [frame(FRAME.priority, 0, 0, Buffer.alloc(5))],
      wants: [`ends ${protocol}`],
      instead: ['lives'],
    },
    {
      section: '6.3',
      what: 'PRIORITY of wrong length',
      send: [open, frame(FRAME.priority, 0, 1, Buffer.alloc(4))],
      wants: [`reset ${frameSize}`, `ends ${frameSize}`],
    },
    {
      section: '6.4',
      what: 'RST_STREAM on stream 0',
      send: [frame(FRAME.reset, 0, 0, uint32(CODE.cancel))],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.4',
      what: 'RST_STREAM of wrong length',
      send: [open, frame(FRAME.reset, 0, 1, Buffer.alloc(3))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '6.6',
      what: 'PUSH_PROMISE of a client',
      send: [headers(1, SLOW), frame(FRAME.push, FLAG.endHeaders, 1, Buffer.concat([uint32(2), BLOCK]))],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.7',
      what: 'PING on a stream',
      send: [frame(FRAME.ping, 0, 1, Buffer.alloc(8))],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.7',
      what: 'PING of wrong length',
      send: [frame(FRAME.ping, 0, 0, Buffer.alloc(6))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '6.7',
      what: 'an ack of a PING that was never sent',
      send: [frame(FRAME.ping, FLAG.ack, 0, Buffer.from('unasked!'))],
      wants: ['lives'],
      instead: [`ends ${protocol}`, `ends ${CODE.internal}`, 'ends'],
    },
    {
      section: '6.8',
      what: 'GOAWAY on a stream',
      send: [frame(FRAME.goaway, 0, 1, Buffer.alloc(8))],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.8',
      what: 'GOAWAY too short for what it says',
      send: [frame(FRAME.goaway, 0, 0, Buffer.alloc(7))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '7',
      what: 'RST_STREAM with an unknown code',
      send: [headers(1, SLOW), frame(FRAME.reset, 0, 1, uint32(0xff)), headers(3)],
      wants: ['status 200'],
    },
  ],
  (conformance: Conformance) => {
    it('RFC 9113 6.7: a PING comes back with the same bytes and an ack, an ack does not', async () => {
      const raw = await conformance.connect();
      raw.send(frame(FRAME.ping, 0, 0, 'its data'));
      const ack = await raw.find('an ack', ({ type, flags }) => type === FRAME.ping && flags === FLAG.ack);
      assert.equal(ack.payload.toString(), 'its data');
      await roundTrips(raw);
      assert.equal(raw.frames.filter(({ payload }) => payload.equals(ack.payload)).length, 1);
    });

    /** With a request under way, which takes a while. */
    const sayGoaway = async (code: number): Promise<RawHttp2> => {
      const raw = await conformance.connect();
      const goaway = Buffer.concat([uint32(0), uint32(code), Buffer.from('over')]);
      raw.send(headers(1, SLOW), frame(FRAME.goaway, 0, 0, goaway));
      return raw;
    };

    it('RFC 9113 6.8: a client that says GOAWAY gets the answer under way, and is let go', async () => {
      const raw = await sayGoaway(CODE.none);
      assert.equal(await raw.status(1), 200);
      await raw.closed();
    });

    it('RFC 9113 7: a client that says GOAWAY for an error is let go at once, known or unknown', async () => {
      for (const code of [protocol, 0xff]) await (await sayGoaway(code)).closed();
    });
  },
);
