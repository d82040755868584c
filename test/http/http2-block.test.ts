import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { responseBlock } from '../../src/http/http2-block.ts';
import { http2Fields } from '../../src/http/http2-head.ts';

/** As `name: value`, in order. */
function fieldsIn(text: string): string[] {
  const parts = text.split('\0');
  assert.equal(parts.pop(), '');
  assert.equal(parts.length % 3, 0);
  return parts.flatMap((name, index) => {
    if (index % 3 !== 0) return [];
    assert.equal(parts[index + 2], '', 'no flags');
    return [`${name}: ${parts[index + 1]}`];
  });
}

describe("an answer's head as one text for nghttp2", () => {
  it('has the status first, names in lower case, and values without the blanks around them', () => {
    const block = responseBlock(
      404,
      'Content-Type: text/plain \r\nX-Empty:\r\nx-b:\t a  b\t\r\nX-\xc9: \xe9\r\n',
    );
    assert.ok(block !== null);
    assert.deepEqual(fieldsIn(block.text), [
      ':status: 404',
      'content-type: text/plain',
      'x-empty: ',
      'x-b: a  b',
      'x-\xc9: \xe9',
    ]);
    assert.equal(block.fields, 5);
    assert.deepEqual(responseBlock(200, ''), { text: ':status\x00200\0\0', fields: 1 });
  });

  it('leaves out what HTTP/2 has no place for, and what only looks like it', () => {
    const block = responseBlock(
      200,
      'TE: trailers\r\nHTTP2-Settings: x\r\n__proto__: x\r\nto: x\r\nhttp2-settingz: y\r\n',
    );
    assert.deepEqual(fieldsIn(block?.text ?? ''), [':status: 200', 'to: x', 'http2-settingz: y']);
    assert.equal(block?.fields, 3);
  });

  it('leaves repeated fields to the library, but for cookies', () => {
    assert.equal(responseBlock(200, 'A: 1\r\nb: 2\r\na: 3\r\n'), null);
    const cookies = responseBlock(200, 'Set-Cookie: a\r\nb: 2\r\nset-cookie: c\r\n');
    assert.deepEqual(fieldsIn(cookies?.text ?? ''), [
      ':status: 200',
      'set-cookie: a',
      'b: 2',
      'set-cookie: c',
    ]);
  });

  it('leaves heads beyond measure to it, and text that is no field lines', () => {
    assert.equal(responseBlock(200, `a: ${'x'.repeat(20_000)}\r\n`), null);
    const many = (count: number): string => Array.from({ length: count }, (_, n) => `x${n}: y\r\n`).join('');
    assert.equal(responseBlock(200, many(256))?.fields, 257);
    assert.equal(responseBlock(200, many(257)), null);
    for (const text of ['a: b', 'a\r\n', 'a: b\r\nc\r\n', '\r\n', 'a: b\r\n\r\n'])
      assert.equal(responseBlock(200, text), null);
  });

  it('says what the fields one by one say', () => {
    const token = fc.string({
      unit: fc.constantFrom('a', 'B', 'z', 'Z', '-', '_', '1'),
      minLength: 1,
      maxLength: 8,
    });
    const value = fc.string({ unit: fc.constantFrom('a', 'B', ' ', '\t', ':', ',', '\xe9', '\xff') });
    const blanks = fc.constantFrom('', ' ', '\t ');
    fc.assert(
      fc.property(fc.array(fc.tuple(token, blanks, value), { maxLength: 12 }), (triples) => {
        const lines = triples.map(([name, blank, text]) => `${name}:${blank}${text}\r\n`).join('');
        const fields = http2Fields(lines);
        const block = responseBlock(200, lines);
        const repeats = Object.values(fields).some((text) => typeof text !== 'string');
        assert.equal(block === null, repeats);
        if (block === null) return;
        const expected = [
          ':status: 200',
          ...Object.entries(fields).map(([name, text]) => `${name}: ${text}`),
        ];
        // An object has names that are numbers first.
        assert.deepEqual(fieldsIn(block.text).sort(), expected.sort());
        assert.equal(block.fields, expected.length);
      }),
    );
  });
});
