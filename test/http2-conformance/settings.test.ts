/** RFC 9113 6.5: SETTINGS, values that none may have, and what our answers make of those that are fine. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { connectHttp2 } from '../support/http2-client.ts';
import { type Conformance, describeConformance } from '../support/http2-conformance.ts';
import {
  CODE,
  FLAG,
  FRAME,
  frame,
  headers,
  requestFields,
  roundTrips,
  settings,
} from '../support/http2-frames.ts';

const { protocol, flowControl, frameSize } = CODE;
const [TABLE_SIZE, PUSH, STREAMS, WINDOW, FRAME_SIZE, LIST_SIZE, CONNECT] = [1, 2, 3, 4, 5, 6, 8];

describeConformance(
  'the settings of HTTP/2',
  'RFC 9113',
  [
    {
      section: '6.5',
      what: 'an ack of SETTINGS with settings in it',
      send: [frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(6))],
      wants: [`ends ${frameSize}`],
    },
    {
      section: '6.5',
      what: 'SETTINGS on a stream',
      send: [frame(FRAME.settings, 0, 1)],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.5',
      what: 'SETTINGS of wrong length',
      send: [frame(FRAME.settings, 0, 0, Buffer.alloc(5))],
      wants: [`ends ${frameSize}`],
    },
    { section: '6.5.2', what: 'ENABLE_PUSH of 2', send: [settings([PUSH, 2])], wants: [`ends ${protocol}`] },
    {
      section: '6.5.2',
      what: 'INITIAL_WINDOW_SIZE above 2^31-1',
      send: [settings([WINDOW, 2 ** 31])],
      wants: [`ends ${flowControl}`],
    },
    {
      section: '6.5.2',
      what: 'MAX_FRAME_SIZE below 16384',
      send: [settings([FRAME_SIZE, 16_383])],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.5.2',
      what: 'MAX_FRAME_SIZE above 2^24-1',
      send: [settings([FRAME_SIZE, 2 ** 24])],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.5.2',
      what: 'every setting at its least',
      send: [
        settings([TABLE_SIZE, 0], [PUSH, 0], [STREAMS, 0], [FRAME_SIZE, 16_384], [LIST_SIZE, 0]),
        headers(1),
      ],
      wants: ['status 200'],
      // To a client that takes no fields at all.
      instead: [`reset ${CODE.internal}`],
    },
    {
      section: '6.5.2',
      what: 'every setting at its most',
      send: [
        settings(
          [TABLE_SIZE, 2 ** 32 - 1],
          [PUSH, 1],
          [STREAMS, 2 ** 32 - 1],
          [WINDOW, 2 ** 31 - 1],
          [FRAME_SIZE, 2 ** 24 - 1],
          [LIST_SIZE, 2 ** 32 - 1],
        ),
        headers(1),
      ],
      wants: ['status 200'],
    },
    {
      section: '6.5.2',
      what: 'an unknown setting',
      send: [settings([0x99, 1]), headers(1)],
      wants: ['status 200'],
    },
    {
      section: '6.5.2',
      what: 'ENABLE_CONNECT_PROTOCOL of 2 (RFC 8441 3)',
      send: [settings([CONNECT, 2])],
      wants: [`ends ${protocol}`],
    },
    {
      section: '6.5.3',
      what: 'a setting that comes several times in a frame',
      send: [settings([FRAME_SIZE, 16_384], [FRAME_SIZE, 20_000], [WINDOW, 0], [WINDOW, 1_000]), headers(1)],
      wants: ['status 200'],
    },
  ],
  (conformance: Conformance) => {
    it('RFC 9113 6.5.3: each SETTINGS is acked once', async () => {
      const raw = await conformance.connect();
      raw.send(settings([WINDOW, 1]), settings(), settings([0x99, 1]));
      await roundTrips(raw);
      const acks = raw.frames.filter(({ type, flags }) => type === FRAME.settings && flags === FLAG.ack);
      // The first is of the preface.
      assert.equal(acks.length, 4);
      assert.ok(acks.every(({ payload, stream }) => payload.length === 0 && stream === 0));
    });

    it('RFC 9113 6.5.3: of a setting that comes several times the last holds', async () => {
      const raw = await conformance.connect();
      raw.send(settings([WINDOW, 100], [WINDOW, 1]), headers(1, requestFields([], '/bytes/10')));
      const data = await raw.find('DATA', ({ type }) => type === FRAME.data);
      assert.equal(data.payload.length, 1);
    });

    it('RFC 9113 6.5.2: no frame of ours is above the MAX_FRAME_SIZE of a client', async () => {
      const raw = await conformance.connect(settings([WINDOW, 1_000_000]));
      raw.send(headers(1, requestFields([], '/bytes/60000')));
      await eventually(() =>
        raw.frames.some(({ type, flags }) => type === FRAME.data && flags === FLAG.endStream),
      );
      const data = raw.frames.filter(({ type }) => type === FRAME.data);
      assert.equal(
        data.reduce((sum, { payload }) => sum + payload.length, 0),
        60_000,
      );
      assert.ok(data.every(({ payload }) => payload.length <= 16_384));
    });

    it('RFC 9113 6.5.2: a client whose HEADER_TABLE_SIZE goes up and down reads every head', async () => {
      const client = await connectHttp2(conformance.edge.httpsPort, { settings: { headerTableSize: 0 } });
      for (const headerTableSize of [0, 4_096, 64, 0, 65_536, 100]) {
        const applied = new Promise((resolve) => client.session.settings({ headerTableSize }, resolve));
        for (let round = 0; round < 20; round++) {
          const { status, headers: fields, body } = await client.request({ ':path': '/bytes/10' });
          assert.deepEqual([status, fields['content-length'], body.length], [200, '10', 10]);
        }
        await applied;
      }
      client.destroy();
    });
  },
);
