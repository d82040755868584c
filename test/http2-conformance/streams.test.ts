/** RFC 9113 5: the states of streams, their numbers, how many there may be, and how errors of a connection end it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type Conformance, describeConformance } from '../support/http2-conformance.ts';
import {
  CODE,
  FLAG,
  FRAME,
  type Frame,
  fieldBlock,
  frame,
  headers,
  requestFields,
  uint32,
} from '../support/http2-frames.ts';

const POST = requestFields([], '/slow/300', 'POST');
const SLOW = requestFields([], '/slow/300');
const { protocol, streamClosed, refused } = CODE;

const cut = (stream: number): Buffer => frame(FRAME.reset, 0, stream, uint32(CODE.cancel));
const data = (stream: number): Buffer => frame(FRAME.data, FLAG.endStream, stream, 'x');
const window = (stream: number): Buffer => frame(FRAME.window, 0, stream, uint32(100));
const continuation = (stream: number): Buffer =>
  frame(FRAME.continuation, FLAG.endHeaders, stream, fieldBlock([['x', 'y']]));
const priority = (stream: number, on = 0, weight = 15): Buffer =>
  frame(FRAME.priority, 0, stream, Buffer.concat([uint32(on), Buffer.from([weight])]));
const whole = [headers(1)];

describeConformance(
  'the streams of HTTP/2',
  'RFC 9113',
  [
    {
      section: '5.1',
      what: 'DATA on an idle stream',
      send: [data(1)],
      wants: [`ends ${protocol}`],
    },
    { section: '5.1', what: 'RST_STREAM on an idle stream', send: [cut(1)], wants: [`ends ${protocol}`] },
    {
      section: '5.1',
      what: 'WINDOW_UPDATE on an idle stream',
      send: [window(1)],
      wants: [`ends ${protocol}`],
    },
    {
      section: '5.1',
      what: 'CONTINUATION on an idle stream',
      send: [continuation(1)],
      wants: [`ends ${protocol}`],
    },
    {
      section: '5.1',
      what: 'PRIORITY on an idle stream, and then HEADERS of a lower one',
      send: [priority(7), headers(1)],
      wants: ['status 200'],
    },
    {
      section: '5.1',
      what: 'WINDOW_UPDATE and PRIORITY on a stream that is half-closed',
      send: [headers(1, SLOW), window(1), priority(1)],
      wants: ['status 200'],
    },
    {
      section: '5.1',
      what: 'RST_STREAM on a stream that is half-closed',
      send: [headers(1, SLOW), cut(1), headers(3)],
      wants: ['status 200'],
    },
    {
      section: '5.1',
      what: 'DATA on a stream that is half-closed',
      send: [headers(1, SLOW), data(1)],
      wants: [`ends ${streamClosed}`, `reset ${streamClosed}`],
    },
    {
      section: '5.1',
      what: 'HEADERS on a stream that is half-closed',
      send: [headers(1, SLOW), headers(1, SLOW)],
      wants: [`ends ${streamClosed}`, `reset ${streamClosed}`],
    },
    {
      section: '5.1',
      what: 'CONTINUATION on a stream that is half-closed',
      send: [headers(1, SLOW), continuation(1)],
      wants: [`ends ${protocol}`, `ends ${streamClosed}`],
    },
    {
      section: '5.1',
      what: 'DATA behind a reset',
      send: [headers(1, POST, true), cut(1), data(1)],
      wants: [`ends ${streamClosed}`, `reset ${streamClosed}`],
      instead: ['lives'],
      served: false,
    },
    {
      section: '5.1',
      what: 'HEADERS behind a reset',
      send: [headers(1, POST, true), cut(1), headers(1, SLOW)],
      wants: [`ends ${streamClosed}`, `reset ${streamClosed}`],
      instead: ['lives'],
      served: false,
    },
    {
      section: '5.1',
      what: 'CONTINUATION behind a reset',
      send: [headers(1, POST, true), cut(1), continuation(1)],
      wants: [`ends ${protocol}`, `ends ${streamClosed}`],
      served: false,
    },
    {
      section: '5.1',
      what: 'DATA on a stream that is closed',
      first: whole,
      send: [data(1)],
      wants: [`ends ${streamClosed}`, `reset ${streamClosed}`],
      instead: ['lives'],
    },
    {
      section: '5.1',
      what: 'HEADERS on a stream that is closed',
      first: whole,
      send: [headers(1, SLOW)],
      wants: [`ends ${streamClosed}`, `ends ${protocol}`],
      instead: ['lives'],
    },
    {
      section: '5.1',
      what: 'CONTINUATION on a stream that is closed',
      first: whole,
      send: [continuation(1)],
      wants: [`ends ${protocol}`, `ends ${streamClosed}`],
    },
    {
      section: '5.1',
      what: 'WINDOW_UPDATE, RST_STREAM and PRIORITY on a stream that is closed',
      first: whole,
      send: [window(1), cut(1), priority(1), headers(3)],
      wants: ['status 200'],
    },
    {
      section: '5.1.1',
      what: 'an even stream',
      send: [headers(2)],
      wants: [`ends ${protocol}`],
      served: false,
    },
    {
      section: '5.1.1',
      what: 'a stream below the last',
      send: [headers(5, POST, true), headers(3, SLOW)],
      wants: [`ends ${protocol}`],
      instead: ['lives'],
      served: false,
    },
    {
      section: '5.1.1',
      what: 'streams whose numbers leave some out',
      send: [headers(1, SLOW), headers(2 ** 31 - 1)],
      wants: ['status 200'],
    },
    {
      section: '5.3.1',
      what: 'PRIORITY of a stream on itself',
      send: [headers(1, SLOW), priority(1, 1)],
      // RFC 7540 had it an error; with RFC 9113 priorities are gone.
      wants: ['lives', `reset ${protocol}`, `ends ${protocol}`],
    },
    {
      section: '5.3.1',
      what: 'HEADERS of a stream that depends on itself',
      send: [
        frame(
          FRAME.headers,
          FLAG.endHeaders | FLAG.endStream | FLAG.priority,
          1,
          Buffer.concat([uint32(1), Buffer.from([15]), fieldBlock(SLOW)]),
        ),
      ],
      wants: ['lives', `reset ${protocol}`, `ends ${protocol}`],
    },
    {
      section: '5.3.1',
      what: 'HEADERS that depend on another stream, exclusively',
      send: [
        headers(1, SLOW),
        frame(
          FRAME.headers,
          FLAG.endHeaders | FLAG.endStream | FLAG.priority,
          3,
          Buffer.concat([uint32(2 ** 31 + 1), Buffer.from([255]), fieldBlock(requestFields())]),
        ),
      ],
      wants: ['status 200'],
    },
  ],
  (conformance: Conformance) => {
    it('RFC 9113 5.1.2: streams above SETTINGS_MAX_CONCURRENT_STREAMS are not served', async () => {
      const { gear } = conformance;
      const raw = await conformance.connect();
      await raw.find('an ack', ({ type, flags }) => type === FRAME.settings && (flags & FLAG.ack) > 0);
      const seen = gear.requests.length;
      raw.send(...Array.from({ length: 9 }, (_, index) => headers(2 * index + 1, SLOW)));
      const isRefusal = ({ type, stream }: Frame): boolean =>
        type === FRAME.goaway || (type === FRAME.reset && stream === 17);
      await eventually(() => raw.ended || raw.frames.some(isRefusal), 'a refusal');
      const refusal = raw.frames.find(isRefusal)?.payload;
      if (refusal !== undefined) {
        const codes: readonly number[] = [refused, protocol, CODE.internal];
        assert.ok(codes.includes(refusal.readUInt32BE(refusal.length > 4 ? 4 : 0)));
      }
      assert.ok(gear.requests.length - seen <= 8);
    });

    it('RFC 9113 5.1.2: as many streams as are allowed are served, and as many again behind them', async () => {
      const raw = await conformance.connect();
      for (let batch = 0; batch < 2; batch++) {
        const streams = Array.from({ length: 8 }, (_, index) => 2 * (8 * batch + index) + 1);
        raw.send(...streams.map((stream) => headers(stream, requestFields([], '/bytes/10'))));
        for (const stream of streams) {
          await raw.find('an end', (seen) => seen.stream === stream && (seen.flags & FLAG.endStream) > 0);
        }
      }
    });

    it('RFC 9113 5.4.1: an error of the connection ends it, with what is under way on it', async () => {
      const { gear, edge } = conformance;
      const raw = await conformance.connect();
      raw.send(headers(1, requestFields([], '/stream')));
      await eventually(() => gear.requests.at(-1)?.url === '/stream');
      raw.send(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 3, Buffer.from([0x40])));
      await raw.closed();
      await eventually(() => edge.plane.status().connections === 1);
      await eventually(() => gear.openConnections === edge.plane.status().idleUpstreamConnections);
      await conformance.assertOthersAreServed();
    });

    it('RFC 9113 5.4.2: an error of a stream leaves the others of its connection alone', async () => {
      const raw = await conformance.connect();
      raw.send(headers(1, SLOW), headers(3, requestFields([['connection', 'close']])));
      assert.equal(await raw.reset(3), protocol);
      assert.equal(await raw.status(1), 200);
    });
  },
);
