import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ChunkedDecoder, chunkHead, lastChunk, passableTrailer } from '../../src/http/chunked.ts';

interface Result {
  readonly body: string;
  readonly error: string;
  readonly done: boolean;
  readonly rest: number;
  readonly trailer: string;
}

/** Decodes `text` in pieces that end at `cuts`. */
function decode(text: string, cuts: readonly number[] = []): Result {
  const decoder = new ChunkedDecoder();
  const bytes = Buffer.from(text, 'latin1');
  const out: Buffer[] = [];
  let consumed = 0;
  for (const end of [...cuts, bytes.length]) {
    if (decoder.done || decoder.error !== '') break;
    if (end <= consumed) continue;
    consumed += decoder.feed(bytes.subarray(consumed, end), 0, out);
  }
  const { done, error, trailer } = decoder;
  return {
    body: Buffer.concat(out).toString('latin1'),
    done,
    error,
    trailer,
    rest: done ? bytes.length - consumed : 0,
  };
}

describe('the chunked coding', () => {
  it('is decoded up to its end and not a byte further', () => {
    assert.deepEqual(decode('5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: 1\r\n\r\nGET /'), {
      body: 'hello world',
      error: '',
      done: true,
      trailer: 'X: 1\r\n',
      rest: 5,
    });
  });

  for (const [what, text, code] of [
    ['an empty size', '\r\n', 'CHUNK_SIZE'],
    ['a sign', '+5\r\nhello\r\n', 'CHUNK_SIZE'],
    ['0x', '0x5\r\nhello\r\n', 'CHUNK_SIZE'],
    ['a blank before the size', ' 5\r\nhello\r\n', 'CHUNK_SIZE'],
    ['a blank behind the size', '5 \r\nhello\r\n', 'CHUNK_SIZE'],
    ['an overflowing size', '10000000000000005\r\n', 'CHUNK_SIZE_OVERFLOW'],
    ['a size line that ends in LF', '5\nhello\r\n', 'CHUNK_SIZE'],
    ['a size line that ends in CR and another byte', '5\rXhello', 'CHUNK_SIZE_LINE'],
    ['a bare LF in an extension', '5;a\nhello', 'CHUNK_EXTENSION'],
    ['a bare CR in an extension', '5;a\rb\r\nhello', 'CHUNK_SIZE_LINE'],
    ['an endless extension', `5;${'a'.repeat(5_000)}\r\n`, 'CHUNK_EXTENSION_TOO_LONG'],
    ['data longer than said', '5\r\nhello!\r\n', 'CHUNK_TERMINATOR'],
    ['data that ends in LF', '5\r\nhello\n0\r\n\r\n', 'CHUNK_TERMINATOR'],
    ['a trailer line that ends in LF', '0\r\nX: 1\n\r\n', 'CHUNK_TRAILER'],
    ['a trailer line without a colon', '0\r\nX\r\n\r\n', 'CHUNK_TRAILER'],
    ['a folded trailer line', '0\r\nX: 1\r\n y\r\n\r\n', 'CHUNK_TRAILER'],
    ['endless trailers', `0\r\n${'X: 1\r\n'.repeat(2_000)}`, 'CHUNK_TRAILER_TOO_LONG'],
  ] as const) {
    it(`is refused for ${what}`, () => assert.equal(decode(text).error, code));
  }

  it('gives the same result wherever the input is split', () => {
    const text = fc.oneof(
      fc
        .array(fc.string({ minLength: 1, maxLength: 40 }), { maxLength: 5 })
        .map(
          (parts) =>
            `${parts.map((part) => `${chunkHead(part.length)}${part}\r\n`).join('')}${lastChunk('A: b\r\n')}next`,
        ),
      fc
        .array(fc.constantFrom('5', '\r\n', 'hello', ';', 'a', '0', '\n', '\r', 'X: y', 'f', ' '), {
          maxLength: 20,
        })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 12 }), (body, cuts) => {
        const ascii = Buffer.from(body).toString('latin1');
        const sorted = [...cuts].filter((cut) => cut < ascii.length).sort((a, b) => a - b);
        assert.deepEqual(decode(ascii, sorted), decode(ascii));
      }),
      { numRuns: 1_000 },
    );
  });

  it('lets no trailer pass that could change framing, routing or identity', () => {
    const trailer =
      'X-Sum: 1\r\nContent-Length: 5\r\nHost: b\r\nX-Forwarded-For: 1\r\nX_Forwarded_For: 2\r\nCookie: c\r\n';
    assert.equal(passableTrailer(trailer), 'X-Sum: 1\r\n');
  });
});
