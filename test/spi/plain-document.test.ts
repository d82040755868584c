import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDocument, parseYaml } from '../../src/spi/document.ts';
import { MAX_PLAIN_BYTES, readPlainDocument } from '../../src/spi/plain-document.ts';
import { addAlias, addEndpoint, createApplication, removeEndpoint } from '../support/spi-bodies.ts';
import { EMITTERS, fixture, fixtureNames, LIMITS } from './fixture-files.ts';

/** What is read plainly is what js-yaml reads. True where it was read at all. */
function agrees(text: string): boolean {
  const body = Buffer.from(text, 'latin1');
  const plain = readPlainDocument(body);
  if (plain === null) return false;
  assert.deepEqual(parseYaml(body, LIMITS), { ok: true, record: plain }, text);
  return true;
}

const bodies = EMITTERS.flatMap((emitter) =>
  fixtureNames(emitter).map((name) => [`${emitter}/${name}`, fixture(emitter, name)] as const),
);

test('every event of every Psych but certificates is of the plain form, and reads the same', () => {
  for (const [name, body] of bodies)
    assert.equal(agrees(body.toString('latin1')), !name.includes('add_ssl'), name);
  const app = { appName: '08', namespace: '1e3' };
  const endpoint = { gearId: '512345678901234567890e12', address: '172.16.4.200', port: 50_847 };
  for (const body of [
    createApplication(app),
    addEndpoint(app, endpoint),
    removeEndpoint(app, endpoint),
    addAlias(app, '1.5e3'),
  ])
    assert.ok(agrees(body.toString()), body.toString());
});

const word = fc.constantFrom(
  ...[
    'a',
    'null',
    'Null',
    '~',
    'nuLL',
    '1e3',
    '08',
    '0o17',
    'yes',
    ':sym',
    ':Sym',
    '::',
    '[]',
    '[a]',
    '{}',
    '-',
    '--',
    '---',
    '...',
  ],
  ...[
    "''",
    "'x y'",
    "'it''s'",
    "! 'x'",
    "! ''",
    '"x"',
    '"\\n"',
    '! "x"',
    '"a',
    "'a",
    '/health',
    '10.0.0.1',
    'a:b',
    'a: b',
    'a #c',
    'a#c',
  ],
  ...[
    '&a x',
    '*a',
    '!t x',
    '!!str x',
    '|',
    '>',
    '%',
    '@',
    '`',
    '?',
    ', ',
    ' ',
    '',
    'x ',
    ' x',
    'é',
    '\t',
    'a,b',
    '<<',
    '=',
    '-1',
    '.5',
  ],
);
const key = fc.constantFrom(
  'a',
  ':a',
  'b',
  ':action',
  'null',
  ':null',
  'A',
  'a_b',
  '_a',
  'a-b',
  "'a'",
  '"a"',
  '1',
  '-',
  '? a',
  '<<',
);
const line = fc.oneof(
  fc.tuple(key, word).map(([name, value]) => `${name}: ${value}`),
  fc.tuple(key, word).map(([name, value]) => `- ${name}: ${value}`),
  fc.tuple(key, word).map(([name, value]) => `  ${name}: ${value}`),
  key.map((name) => `${name}:`),
  word.map((value) => `- ${value}`),
  fc.constantFrom(
    '---',
    '',
    '-',
    '  - x',
    '    x',
    '# c',
    '...',
    '--- ',
    '- - x',
    'x',
    ':a:b',
    '- a:',
    '  b:',
    '-  x',
    ' a: b',
  ),
);

test('whatever lines stand in whatever order, what is read plainly is what js-yaml reads', () => {
  let plain = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 7 }), fc.boolean(), (lines, ends) => {
      if (agrees(`${lines.join('\n')}${ends ? '\n' : ''}`)) plain += 1;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(plain > 10, `${plain} of them were plain`);
});

test('with characters changed, put in or taken out of real events, it agrees with js-yaml or says nothing', () => {
  const character = fc.constantFrom(...':-\'"!&*[]{}#|>%@`~? \n\t\\,0aZ/.\x00\x7f\xe9'.split(''));
  const body = fc.constantFrom(
    ...bodies.filter(([name]) => !name.includes('add_ssl')).map(([, bytes]) => bytes),
  );
  const change = fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.array(character, { maxLength: 3 }) });
  fc.assert(
    fc.property(body, fc.array(change, { minLength: 1, maxLength: 3 }), (bytes, changes) => {
      let text = bytes.toString('latin1');
      for (const { at, cut, put } of changes) {
        const place = at % (text.length + 1);
        text = text.slice(0, place) + put.join('') + text.slice(place + cut);
      }
      agrees(text);
    }),
    { numRuns: 3_000 },
  );
});

test('what is too large, too deep for the limits or too wide is left to js-yaml and its limits', () => {
  const wide = Array.from(
    { length: 65 },
    (_, n) => `k${String.fromCharCode(97 + (n % 26))}${'x'.repeat(n / 26)}: v`,
  ).join('\n');
  assert.equal(readPlainDocument(Buffer.from(wide)), null);
  assert.equal(readPlainDocument(Buffer.from(`a: ${'x'.repeat(MAX_PLAIN_BYTES)}`)), null);
  const body = Buffer.from('---\n:action: :add_alias\n');
  assert.equal(parseDocument(body, { ...LIMITS, maxBodyBytes: 10 }).ok, false);
  const deep = Buffer.from(':a:\n- b: c\n');
  assert.deepEqual(
    parseDocument(deep, { ...LIMITS, maxDepth: 1 }),
    parseYaml(deep, { ...LIMITS, maxDepth: 1 }),
  );
});
