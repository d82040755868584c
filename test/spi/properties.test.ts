import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readEvent } from '../../src/spi/decode.ts';
import { parseDocument } from '../../src/spi/document.ts';
import { eventOf, fixture, fixtureNames, LIMITS } from './fixture-files.ts';

/** Plain scalars that Psych writes without quotes although other YAML readers take them for something else. */
const corruptible = fc.oneof(
  fc.stringMatching(/^[0-9]{1,21}e[0-9]{1,4}$/),
  fc.stringMatching(/^0[0-9]{1,6}$/),
  fc.stringMatching(/^0o[0-7]{1,6}$/),
  fc.stringMatching(/^[0-9]{1,6}$/),
  fc.stringMatching(/^[0-9]E[0-9]{1,3}$/),
  fc.constantFrom('yes', 'no', 'on', 'off', 'true', 'false', 'inf', 'nan', 'y', 'n', '0x1f', '0b1'),
);

/** Strings as Psych writes them: 1.2.2 single-quoted with folding, 2.x as a block, both double-quoted with escapes. */
function singleQuoted(text: string): string {
  return `! '${text.replaceAll("'", "''").replaceAll('\n', '\n\n  ')}'`;
}
function doubleQuoted(text: string): string {
  return JSON.stringify(text).replace(/\\n/g, '\\n\\\n  ');
}

test('names that YAML would turn into numbers come out as the strings they were', () => {
  fc.assert(
    fc.property(corruptible, corruptible, (appName, namespace) => {
      const body = `---\n:action: :delete_application\n:app_name: ${appName}\n:namespace: ${namespace.slice(0, 16)}\n`;
      assert.deepEqual(eventOf(readEvent(Buffer.from(body), LIMITS)), {
        action: 'delete_application',
        app: { appName: appName.toLowerCase(), namespace: namespace.slice(0, 16).toLowerCase() },
      });
    }),
  );
});

test('text survives the single-quoted folding of Psych 1.2.2 and the double-quoted style byte for byte', () => {
  const line = fc.stringMatching(/^[!-~]([ -~]{0,70}[!-~])?$/);
  const text = fc.array(line, { minLength: 1, maxLength: 8 }).map((lines) => `${lines.join('\n')}\n`);
  fc.assert(
    fc.property(text, (value) => {
      for (const style of [singleQuoted, doubleQuoted]) {
        const parsed = parseDocument(Buffer.from(`---\n:ssl: ${style(value)}\n:x: y\n`), LIMITS);
        assert.ok(parsed.ok);
        assert.equal(parsed.record.get('ssl'), value);
      }
    }),
  );
});

test('any text survives !binary', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (value) => {
      const base64 = Buffer.from(value).toString('base64');
      const parsed = parseDocument(Buffer.from(`a: !binary "${base64}"`), LIMITS);
      assert.ok(parsed.ok);
      assert.equal(parsed.record.get('a'), value);
    }),
  );
});

test('arbitrary bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const decoded = readEvent(Buffer.from(bytes), LIMITS);
      assert.ok(['event', 'ignored', 'rejected'].includes(decoded.kind));
    }),
    { numRuns: 300 },
  );
});

test('arbitrary pieces of YAML never throw', () => {
  const piece = fc.constantFrom(
    ...[
      '[',
      ']',
      '{',
      '}',
      ',',
      ': ',
      '- ',
      '? ',
      '\n',
      '  ',
      '"',
      "'",
      '|',
      '>',
      '&a ',
      '*a',
      '!a ',
      '!binary ',
      '!',
      '#',
    ],
    ...[
      '%TAG ! x\n',
      '---\n',
      '...\n',
      ':action',
      ':add_ssl',
      'x',
      '~',
      '\t',
      '\\',
      '<<: ',
      '!ruby/string:X ',
      'str: x',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      readEvent(Buffer.from(pieces.join('')), LIMITS);
    }),
    { numRuns: 2000 },
  );
});

test('a real body with a few bytes changed never throws, and never shows its key in a reason', () => {
  const bodies = fixtureNames('psych-1.2.2').map((name) => fixture('psych-1.2.2', name));
  const change = fc.tuple(fc.nat(4000), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      fc.constantFrom(...bodies),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      (body, changes) => {
        const copy = Buffer.from(body);
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        const decoded = readEvent(copy, LIMITS);
        if (decoded.kind === 'rejected')
          assert.doesNotMatch(decoded.rejection.reason, /MII|[A-Za-z0-9+/]{50}|s3cret/);
      },
    ),
    { numRuns: 1000 },
  );
});
