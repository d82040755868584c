/** RFC 7541: field blocks in every representation, and what is no HPACK. One state for all streams: an error of it ends the connection. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HOST } from '../support/data-plane.ts';
import {
  assertFine,
  type Case,
  type Conformance,
  describeConformance,
} from '../support/http2-conformance.ts';
import {
  CODE,
  FLAG,
  FRAME,
  type Frame,
  fieldBlock,
  frame,
  headers,
  requestFields,
  settings,
} from '../support/http2-frames.ts';

const FAULT = [`ends ${CODE.compression}`] as const;
const BLOCK = fieldBlock(requestFields());

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
/** A request of which `more` comes behind the usual fields. */
const behind = (...more: readonly Buffer[]): Buffer => block(1, BLOCK, ...more);
const block = (stream: number, ...parts: readonly Buffer[]): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, Buffer.concat(parts));
/** `x` with this value, whose bytes are Huffman code as they stand. */
const huffman = (...code: readonly number[]): Buffer => bytes(0, 1, 0x78, 0x80 | code.length, ...code);

const FAULTS: readonly (readonly [section: string, what: string, send: Buffer])[] = [
  ['2.3.3', 'an index above those of both tables', behind(bytes(0x80 | 70))],
  [
    '2.3.3',
    'a literal whose name has an index above those of both tables',
    behind(bytes(0x40 | 63, 7), bytes(1, 0x61)),
  ],
  ['4.2', 'a change of the table size at the end of a block', behind(bytes(0x21))],
  ['4.2', 'a change of the table size between two fields', block(1, bytes(0x82), bytes(0x20), BLOCK)],
  [
    '5.1',
    'an integer without end',
    behind(bytes(0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1)),
  ],
  ['5.1', 'an integer above 2^32', behind(bytes(0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f))],
  ['5.2', 'a name longer than the block', behind(bytes(0, 10, 0x78))],
  ['5.2', 'a value longer than the block', behind(bytes(0, 1, 0x78, 10, 0x61))],
  ['5.2', 'Huffman padding of more than 7 bits', behind(huffman(0x1f, 0xff))],
  ['5.2', 'Huffman padding that is not of ones', behind(huffman(0x18))],
  ['5.2', 'the end of string in Huffman code', behind(huffman(0x1f, 0xff, 0xff, 0xff, 0xff))],
  ['6.1', 'index 0', behind(bytes(0x80))],
  ['6.2.1', 'a field that ends behind its name', behind(bytes(0x40, 1, 0x78))],
  ['6.3', 'a table size above what we allow', block(1, bytes(0x3f, 0xe1, 0x7f), BLOCK)],
];

/** Representations of the same request with one more field, `x: a`. */
const REPRESENTATIONS: readonly (readonly [section: string, what: string, parts: readonly Buffer[]])[] = [
  [
    '6.1',
    'indexed fields of the static table',
    [bytes(0x82, 0x87, 0x84), bytes(1, HOST.length), Buffer.from(HOST), bytes(0, 1, 0x78, 1, 0x61)],
  ],
  ['6.2.1', 'a literal that is indexed', [BLOCK, bytes(0x40, 1, 0x78, 1, 0x61)]],
  ['6.2.2', 'a literal without indexing', [BLOCK, bytes(0x00, 1, 0x78, 1, 0x61)]],
  ['6.2.3', 'a literal never indexed', [BLOCK, bytes(0x10, 1, 0x78, 1, 0x61)]],
  ['5.2', 'a literal in Huffman code', [BLOCK, bytes(0x00, 0x81, 0xf3, 0x81, 0x1f)]],
  ['6.3', 'a change of the table size first', [bytes(0x20), BLOCK, bytes(0x00, 1, 0x78, 1, 0x61)]],
  [
    '6.3',
    'several changes of the table size first',
    [bytes(0x20, 0x3f, 0xe1, 0x1f), BLOCK, bytes(0x40, 1, 0x78, 1, 0x61)],
  ],
];

describeConformance(
  'the compression of fields',
  'RFC 7541',
  FAULTS.map(([section, what, send]): Case => ({ section, what, send: [send], wants: FAULT, served: false })),
  (conformance: Conformance) => {
    const values = (): string[] => {
      const fields = conformance.gear.requests.at(-1)?.rawHeaders ?? [];
      return fields.filter((_, index) => fields[index - 1] === 'x');
    };

    for (const [section, what, parts] of REPRESENTATIONS) {
      it(`RFC 7541 ${section}: ${what}`, async () => {
        const raw = await conformance.connect();
        raw.send(block(1, ...parts));
        assert.equal(await raw.status(1), 200);
        assert.deepEqual(values(), ['a']);
      });
    }

    it('RFC 7541 2.3.2: a field of the dynamic table is that of an earlier request, on any stream', async () => {
      const raw = await conformance.connect();
      raw.send(block(1, BLOCK, bytes(0x40, 1, 0x78, 1, 0x61)));
      assert.equal(await raw.status(1), 200);
      raw.send(block(3, BLOCK, bytes(0x80 | 62)));
      await raw.find(
        'an end',
        ({ stream, flags, type }) => stream === 3 && type === FRAME.data && flags === 1,
      );
      assert.deepEqual(values(), ['a']);
    });

    it('RFC 7541 4.3: a field that a smaller table has put out is there no more', async () => {
      const outcome = await conformance.outcomeOf({
        first: [block(1, BLOCK, bytes(0x40, 1, 0x78, 1, 0x61))],
        send: [block(3, bytes(0x20, 0x3f, 0xe1, 0x1f), BLOCK, bytes(0x80 | 62))],
        wants: FAULT,
      });
      assertFine(outcome, FAULT);
    });

    it('RFC 7541 2.2: fields of a request that is reset or refused stay in the table', async () => {
      const raw = await conformance.connect();
      // Malformed, and of a stream that is refused: decoded all the same (RFC 9113 4.3).
      raw.send(block(1, bytes(0x40, 1, 0x78, 1, 0x61), BLOCK));
      assert.equal(await raw.reset(1), CODE.protocol);
      raw.send(block(3, BLOCK, bytes(0x80 | 62)));
      assert.equal(await raw.status(3), 200);
      assert.deepEqual(values(), ['a']);
    });

    it('RFC 7541 4.2: a client that allows no table gets none', async () => {
      let known: number | null = null;
      const raw = await conformance.connect(settings([1, 0]));
      for (const stream of [1, 3, 5]) {
        raw.send(headers(stream, requestFields([], '/bytes/10')));
        const isHead = (seen: Frame): boolean => seen.type === FRAME.headers && seen.stream === stream;
        const { payload } = await raw.find('an answer', isHead);
        // The first says that the table is empty. With a table the others would be a fraction of it.
        assert.equal(payload[0] === 0x20, stream === 1);
        known ??= payload.length - 1;
        assert.equal(payload.length - (stream === 1 ? 1 : 0), known);
      }
    });
  },
);
