/** RFC 9113 8: requests that are malformed are reset or refused, and no gear gets to see them whole. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HOST } from '../support/data-plane.ts';
import {
  assertFine,
  type Case,
  type Conformance,
  describeConformance,
  type Outcome,
} from '../support/http2-conformance.ts';
import { CODE, FLAG, FRAME, fieldBlock, frame, headers, requestFields } from '../support/http2-frames.ts';

type Fields = readonly (readonly [string, string])[];

const { protocol } = CODE;
/** The library's answer, and ours: RFC 9113 8.1.1 lets a server send an answer first. */
const MALFORMED: readonly Outcome[] = [`reset ${protocol}`, `ends ${protocol}`, 'status 400'];
/** What Node 22 and later make of a body that is too long. */
const TOO_LONG: readonly Outcome[] = [`ends ${CODE.internal}`];

const without = (...names: string[]): Fields => requestFields().filter(([known]) => !names.includes(known));
const length = (value: string): readonly [string, string] => ['content-length', value];
const open = (...more: Fields): Buffer => headers(1, requestFields(more, '/', 'POST'), true);
const data = (text: string, last = false): Buffer => frame(FRAME.data, last ? FLAG.endStream : 0, 1, text);
const trailers = (fields: Fields, last = true): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders | (last ? FLAG.endStream : 0), 1, fieldBlock(fields));

const REQUESTS: readonly (readonly [section: string, what: string, fields: Fields])[] = [
  ['8.2.1', 'an upper-case name', requestFields([['X-Upper', 'a']])],
  ['8.2.2', 'Connection', requestFields([['connection', 'keep-alive']])],
  ['8.2.2', 'Transfer-Encoding', requestFields([['transfer-encoding', 'chunked']])],
  ['8.2.2', 'Upgrade', requestFields([['upgrade', 'h2c']])],
  ['8.2.2', 'Keep-Alive', requestFields([['keep-alive', 'timeout=5']])],
  ['8.2.2', 'Proxy-Connection', requestFields([['proxy-connection', 'keep-alive']])],
  ['8.2.2', 'TE other than trailers', requestFields([['te', 'trailers, deflate']])],
  ['8.3', 'an unknown pseudo-header field', [...requestFields(), [':test', 'x']]],
  ['8.3', 'a pseudo-header field of answers', [...requestFields(), [':status', '200']]],
  ['8.3', 'a pseudo-header field behind others', [['x', 'y'], ...requestFields()]],
  ['8.3', 'its path behind other fields', [...without(':path'), ['x', 'y'], [':path', '/']]],
  ['8.3.1', 'no :method', without(':method')],
  ['8.3.1', 'no :scheme', without(':scheme')],
  ['8.3.1', 'no :path', without(':path')],
  ['8.3.1', 'no pseudo-header field at all', [['host', HOST]]],
  ['8.3.1', 'an empty :method', requestFields([], '/', '')],
  ['8.3.1', 'an empty :scheme', [...without(':scheme'), [':scheme', '']]],
  ['8.3.1', 'an empty :path', requestFields([], '')],
  ['8.3.1', 'two :method', [[':method', 'GET'], ...requestFields()]],
  ['8.3.1', 'two :scheme', [[':scheme', 'https'], ...requestFields()]],
  ['8.3.1', 'two :path', [[':path', '/'], ...requestFields()]],
  ['8.3.1', 'two :authority', [[':authority', HOST], ...requestFields()]],
  ['8.3.1', 'a :path that is no path', requestFields([], 'http://victim/')],
  ['8.3.1', 'a :path with a CR LF', requestFields([], '/ HTTP/1.1\r\nHost: victim\r\n\r\n')],
  ['8.3.1', 'user information in :authority', [...without(':authority'), [':authority', `me@${HOST}`]]],
  ['8.3.1', 'a method that is no token', requestFields([], '/', 'GET / HTTP/1.1')],
  ['8.1.1', 'two lengths', requestFields([length('1'), length('2')])],
  ['8.1.1', 'a length that is no number', requestFields([length('+0')])],
  ['8.1.1', 'a length with no body', requestFields([length('5')])],
  [
    '8.5',
    'CONNECT with :path',
    [
      [':method', 'CONNECT'],
      [':path', '/'],
      [':authority', HOST],
    ],
  ],
  ['8.5', 'CONNECT without :authority', [[':method', 'CONNECT']]],
  ['8.5', ':protocol without CONNECT (RFC 8441 4)', [[':protocol', 'websocket'], ...requestFields()]],
  [
    '8.5',
    ':protocol without :path (RFC 8441 4)',
    [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'https'],
      [':authority', HOST],
    ],
  ],
];

/** nghttp2 leaves out a field with an illegal value, without a word, and goes on. */
const ILLEGAL: readonly (readonly [what: string, name: string, value: string])[] = [
  ['a CR LF in a value', 'x-bad', 'a\r\nHost: victim'],
  ['a NUL in a value', 'x-bad', 'a\0b'],
  ['a LF alone in a value', 'x-bad', 'a\nb'],
  ['a blank before a value', 'x-bad', ' a'],
  ['a tab behind a value', 'x-bad', 'a\t'],
  ['a CR LF in a name', 'x-bad: y\r\nz', 'a'],
  ['a blank in a name', 'x bad', 'a'],
  ['a colon in a name', 'x:bad', 'a'],
  ['a byte outside ASCII in a name', 'x-b\xe4d', 'a'],
  ['an empty name', '', 'a'],
];

const CASES: readonly Case[] = [
  ...REQUESTS.map(
    ([section, what, fields]): Case => ({
      section,
      what: `a request with ${what}`,
      send: [headers(1, fields)],
      wants: MALFORMED,
      served: false,
    }),
  ),
  {
    section: '8.1',
    what: 'HEADERS of HEAD, GET and others without a body',
    send: [headers(1, requestFields([], '/', 'HEAD'))],
    wants: ['status 200'],
  },
  {
    section: '8.1',
    what: 'a body and trailers',
    send: [open(), data('abc'), trailers([['x-sum', '1']])],
    wants: ['status 200'],
  },
  {
    section: '8.1',
    what: 'a second head that does not end the stream',
    send: [open(), trailers([['x', 'y']], false)],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.1',
    what: 'trailers that do not end the stream, behind a body',
    send: [open(), data('abc'), trailers([['x', 'y']], false), data('def', true)],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.1',
    what: 'a whole second request on the same stream',
    send: [open(), data('abc'), trailers(requestFields([], '/smuggled'))],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.3',
    what: 'a pseudo-header field in trailers',
    send: [open(), data('abc'), trailers([[':path', '/smuggled']])],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.2.1',
    what: 'an upper-case name in trailers',
    send: [open(), data('abc'), trailers([['X-Upper', 'a']])],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.2.2',
    what: 'Transfer-Encoding in trailers',
    send: [open(), data('abc'), trailers([['transfer-encoding', 'chunked']])],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body shorter than its length',
    send: [open(length('4')), data('abc', true)],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body longer than its length',
    send: [open(length('1')), data('abc', true)],
    wants: MALFORMED,
    instead: TOO_LONG,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body in several frames, shorter than its length',
    send: [open(length('9')), data('abc'), data('def', true)],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body in several frames, longer than its length',
    send: [open(length('4')), data('abc'), data('def', true)],
    wants: MALFORMED,
    instead: TOO_LONG,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body behind a length of 0',
    send: [open(length('0')), data('abc', true)],
    wants: MALFORMED,
    instead: TOO_LONG,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body shorter than its length, and trailers',
    send: [open(length('4')), data('abc'), trailers([['x', 'y']])],
    wants: MALFORMED,
    served: false,
  },
  {
    section: '8.1.1',
    what: 'a body in several frames, as long as its length',
    send: [open(length('6')), data('abc'), data(''), data('def', true)],
    wants: ['status 200'],
  },
];

describeConformance('the messages of HTTP/2', 'RFC 9113', CASES, (conformance: Conformance) => {
  for (const [what, name, value] of ILLEGAL) {
    it(`RFC 9113 8.2.1: a request with ${what} is refused or loses the field`, async () => {
      const { gear } = conformance;
      const seen = gear.requests.length;
      const outcome = await conformance.outcomeOf({
        send: [headers(1, requestFields([[name, value]]))],
        wants: [...MALFORMED, 'status 200'],
      });
      assertFine(outcome, MALFORMED, ['status 200']);
      for (const { rawHeaders } of gear.requests.slice(seen)) {
        assert.ok(!rawHeaders.some((text) => text === '' || /bad|victim/.test(text)), rawHeaders.join());
      }
    });
  }

  it('RFC 9113 8.2.3: cookies in several fields reach the gear as one', async () => {
    const raw = await conformance.connect();
    raw.send(
      headers(
        1,
        requestFields([
          ['cookie', 'a=b'],
          ['x', 'y'],
          ['cookie', 'c=d'],
        ]),
      ),
    );
    assert.equal(await raw.status(1), 200);
    const fields = conformance.gear.requests.at(-1)?.rawHeaders ?? [];
    assert.deepEqual(
      fields.filter((_, index) => fields[index - 1] === 'cookie'),
      ['a=b; c=d'],
    );
  });
});
