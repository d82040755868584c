/** RFC 9113 6.9: windows of the connection and of streams; those of the client for whole answers and for streamed ones. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { endpointAt } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startRawGear } from '../support/gear.ts';
import { assertFine, type Conformance, describeConformance } from '../support/http2-conformance.ts';
import {
  CODE,
  FLAG,
  FRAME,
  frame,
  headers,
  type RawHttp2,
  requestFields,
  roundTrips,
  settings,
  uint32,
} from '../support/http2-frames.ts';

const { protocol, flowControl, frameSize } = CODE;
const MAX_WINDOW = 2 ** 31 - 1;
const SLOW = requestFields([], '/slow/300');
const SILENT = 'silent-ns.apps.example.test';
const WINDOW = 4;

const grow = (stream: number, by: number): Buffer => frame(FRAME.window, 0, stream, uint32(by));

/** Lengths of the DATA frames so far. */
function lengths(raw: RawHttp2): number[] {
  return raw.frames.filter(({ type }) => type === FRAME.data).map(({ payload }) => payload.length);
}

function total(raw: RawHttp2): number {
  return lengths(raw).reduce((sum, length) => sum + length, 0);
}

describeConformance(
  'the windows of HTTP/2',
  'RFC 9113',
  [
    {
      section: '6.9',
      what: 'WINDOW_UPDATE of nothing for the connection',
      send: [grow(0, 0)],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.9',
      what: 'WINDOW_UPDATE of nothing for a stream',
      send: [headers(1, SLOW), grow(1, 0)],
      wants: [`reset ${protocol}`, `ends ${protocol}`],
    },
    {
      section: '6.9',
      what: 'WINDOW_UPDATE of wrong length',
      send: [frame(FRAME.window, 0, 0, Buffer.alloc(3))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '6.9',
      what: 'WINDOW_UPDATE whose reserved bit is set',
      send: [grow(0, 2 ** 31 + 1), headers(1)],
      wants: ['status 200'],
    },
    {
      section: '6.9.1',
      what: 'a window of the connection above 2^31-1',
      send: [grow(0, MAX_WINDOW), grow(0, MAX_WINDOW)],
      wants: [`ends ${flowControl}`],
    },
    {
      section: '6.9.1',
      what: 'a window of a stream above 2^31-1',
      send: [headers(1, SLOW), grow(1, MAX_WINDOW), grow(1, MAX_WINDOW)],
      wants: [`reset ${flowControl}`, `ends ${flowControl}`],
    },
    {
      section: '6.9.2',
      what: 'settings that make a window overflow',
      send: [headers(1, SLOW), grow(1, MAX_WINDOW - 65_535), settings([WINDOW, 65_536])],
      wants: [`ends ${flowControl}`],
      instead: [`reset ${flowControl}`],
    },
  ],
  (conformance: Conformance) => {
    it('RFC 9113 6.9.1: more DATA than the window', async () => {
      // Before the gear has agreed to the tunnel nothing of it is read, so the window stays as it is.
      const silent = await startRawGear(() => {});
      await conformance.edge.route([endpointAt(silent.port)], { app: 'ns/silent', host: SILENT });
      const connect = [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':scheme', 'https'],
        [':path', '/'],
      ] as const;
      const outcome = await conformance.outcomeOf({
        send: [
          headers(1, [...connect, [':authority', SILENT]], true),
          ...Array.from({ length: 9 }, () => frame(FRAME.data, 0, 1, Buffer.alloc(16_384))),
        ],
        wants: ['lives'],
      });
      assertFine(outcome, [`reset ${flowControl}`, `ends ${flowControl}`]);
      await silent.stop();
    });

    for (const [what, path] of [
      ['whole', '/bytes/10'],
      ['chunked', '/chunked/10'],
    ] as const) {
      const ask = headers(1, requestFields([], path));

      it(`RFC 9113 6.9.1: of an answer (${what}) no more comes than the window of its stream lets through`, async () => {
        const raw = await conformance.connect(settings([WINDOW, 1]));
        raw.send(ask);
        await eventually(() => total(raw) > 0);
        await roundTrips(raw);
        assert.deepEqual(lengths(raw), [1]);
        raw.send(grow(1, 9));
        await raw.find('the end', ({ type, flags }) => type === FRAME.data && (flags & FLAG.endStream) > 0);
        assert.equal(total(raw), 10);
      });

      it(`RFC 9113 6.9.2: SETTINGS behind the request (${what}) open the window`, async () => {
        const raw = await conformance.connect(settings([WINDOW, 0]));
        raw.send(ask);
        assert.equal(await raw.status(1), 200);
        await roundTrips(raw);
        assert.equal(total(raw), 0);
        raw.send(settings([WINDOW, 1]));
        await eventually(() => total(raw) > 0);
        assert.deepEqual(lengths(raw), [1]);
      });

      it(`RFC 9113 6.9.2: a window (${what}) that SETTINGS make negative has to become positive first`, async () => {
        const raw = await conformance.connect(settings([WINDOW, 3]));
        raw.send(ask);
        await eventually(() => total(raw) === 3);
        raw.send(settings([WINDOW, 2]), grow(1, 1));
        await roundTrips(raw);
        assert.equal(total(raw), 3);
        raw.send(grow(1, 1));
        await eventually(() => total(raw) === 4);
        await roundTrips(raw);
        assert.equal(total(raw), 4);
      });
    }

    it('RFC 9113 6.9.1: over all streams no more comes than the window of the connection lets through', async () => {
      const raw = await conformance.connect(settings([WINDOW, 1_000_000]));
      for (const stream of [1, 3, 5, 7]) raw.send(headers(stream, requestFields([], '/bytes/30000')));
      await eventually(() => total(raw) === 65_535);
      await roundTrips(raw);
      assert.equal(total(raw), 65_535);
      raw.send(grow(0, 100_000));
      await eventually(() => total(raw) === 120_000);
    });

    it('RFC 9113 6.9: our window for uploads is given back, of the stream and of the connection', async () => {
      const raw = await conformance.connect();
      const { payload: first } = await raw.find('SETTINGS', ({ type }) => type === FRAME.settings);
      const at = Array.from({ length: first.length / 6 }, (_, index) => 6 * index).find(
        (index) => first.readUInt16BE(index) === WINDOW,
      );
      let credit = at === undefined ? 65_535 : first.readUInt32BE(at + 2);
      let counted = 0;
      raw.send(headers(1, requestFields([], '/', 'POST'), true));
      for (let sent = 0; sent < 600_000; sent += 10_000) {
        await eventually(() => {
          for (; counted < raw.frames.length; counted++) {
            const { type, stream, payload } = raw.frames[counted] ?? {
              type: -1,
              stream: 0,
              payload: Buffer.alloc(4),
            };
            if (type === FRAME.window && stream === 1) credit += payload.readUInt32BE(0);
          }
          return credit >= 10_000;
        }, 'a window');
        credit -= 10_000;
        raw.send(frame(FRAME.data, 0, 1, Buffer.alloc(10_000)));
      }
      raw.send(frame(FRAME.data, FLAG.endStream, 1));
      assert.equal(await raw.status(1), 200);
      assert.equal(conformance.gear.requests.at(-1)?.bodyLength, 600_000);
    });
  },
);
