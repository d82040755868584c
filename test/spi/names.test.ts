import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDottedQuad, normalGearId, normalName, normalPort } from '../../src/spi/names.ts';

const nearAddress = fc
  .array(fc.constantFrom(...'0123456789.', '25', '255', '256', '01', ' ', '-', 'a', '\n', '٣'), {
    maxLength: 16,
  })
  .map((parts) => parts.join(''));

test('an address of four decimal parts is what Node takes for one', () => {
  for (const text of ['0.0.0.0', '255.255.255.255', '10.0.0.1', '1.2.3.256', '01.2.3.4', '1.2.3', '1.2.3.4.'])
    assert.equal(isDottedQuad(text), isIPv4(text), text);
  fc.assert(fc.property(fc.ipV4(), (text) => isDottedQuad(text)));
  fc.assert(
    fc.property(nearAddress, (text) => assert.equal(isDottedQuad(text), isIPv4(text), text)),
    { numRuns: 2_000 },
  );
});

test('names, gear ids and ports are of the characters that they may be of, and of no others', () => {
  const text = fc.string({ unit: fc.constantFrom(...'aZ09_-.:/ é\n٣'), maxLength: 6 });
  fc.assert(
    fc.property(text, (one) => {
      assert.equal(normalName(one), /^[A-Za-z0-9]+$/.test(one) ? one.toLowerCase() : null, one);
      const gearId = /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(one) ? one.toLowerCase() : null;
      assert.equal(normalGearId(one), gearId, one);
      const port = /^[1-9][0-9]{0,4}$/.test(one) && Number(one) <= 65_535 ? Number(one) : null;
      assert.equal(normalPort(one), port, one);
    }),
    { numRuns: 2_000 },
  );
  assert.deepEqual(['65535', '65536', '0', '080', ''].map(normalPort), [65_535, null, null, null, null]);
});
