import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DocumentLimits, parseDocument } from '../../src/spi/document.ts';
import type { PlainRecord } from '../../src/spi/document-types.ts';
import { LIMITS } from './fixture-files.ts';

function recordOf(body: string | Buffer, limits: DocumentLimits = LIMITS): PlainRecord {
  const parsed = parseDocument(Buffer.from(body), limits);
  if (!parsed.ok) throw new Error(`${parsed.rejection.code}: ${parsed.rejection.reason}`);
  return parsed.record;
}

function codeOf(body: string | Buffer, limits: DocumentLimits = LIMITS): string {
  const parsed = parseDocument(Buffer.from(body), limits);
  return parsed.ok ? 'accepted' : parsed.rejection.code;
}

test('scenario 2: scalars that YAML would take for numbers stay the strings that Ruby wrote', () => {
  const plain = [
    '512345678901234567890e12',
    '1e3',
    '08',
    '089',
    '0o17',
    '9E9',
    '123e4567',
    '1.5e3',
    '12_3',
    '1:30',
    '.5',
  ];
  for (const text of plain) assert.equal(recordOf(`---\n:app_name: ${text}\n`).get('app_name'), text);
  for (const word of ['true', 'yes', '0x1f', '2014-10-06'])
    assert.equal(recordOf(`a: ${word}`).get('a'), word);
});

test('a plain null, a tilde and nothing are null, and the same words in quotes are text', () => {
  const record = recordOf("---\n:a:\n:b: \n:c: ~\n:d: null\n:e: 'null'\n:f: \"~\"\n:g: ''\n:h: !!null ''\n");
  assert.deepEqual([...record.values()], [null, null, null, null, 'null', '~', '', null]);
});

test('keys are the same as Ruby symbols, as plain strings and as tagged symbols', () => {
  for (const key of [':alias', 'alias', '":alias"', '!ruby/symbol alias', '!ruby/sym alias', "! ':alias'"]) {
    assert.deepEqual([...recordOf(`---\n${key}: x\n`)], [['alias', 'x']], key);
  }
});

test('the non-specific tag ! and the folded quoting of Psych 1.2.2 give the text that was meant', () => {
  assert.equal(recordOf("---\n:a: ! 'x\n\n  y\n\n  '\n").get('a'), 'x\ny\n');
  assert.equal(recordOf('---\n:a: ! "x\\r\\ny\\r\\n\\\n  z"\n').get('a'), 'x\r\ny\r\nz');
});

test('!binary and its long form are decoded in every style, as UTF-8 where that is valid and else as Latin-1', () => {
  assert.equal(recordOf('---\n:a: !binary |-\n    MTcyLjE2LjQuMjAw\n').get('a'), '172.16.4.200');
  assert.equal(recordOf('a: !!binary "MTcyLjE2\n  LjQuMjAw"').get('a'), '172.16.4.200');
  assert.equal(recordOf(`a: !binary ${Buffer.from('grün').toString('base64')}`).get('a'), 'grün');
  assert.equal(recordOf(`a: !binary ${Buffer.from('grün', 'latin1').toString('base64')}`).get('a'), 'grün');
  assert.equal(recordOf('a: !binary ""').get('a'), '');
  assert.deepEqual([...recordOf('? !binary |-\n  OmFsaWFz\n: x')], [['alias', 'x']]);
});

test('a !binary value that is not base64 is refused and not quoted', () => {
  const parsed = parseDocument(Buffer.from('a: !binary "s3cret!"'), LIMITS);
  assert.ok(!parsed.ok);
  assert.equal(parsed.rejection.code, 'SPI_BINARY');
  assert.doesNotMatch(parsed.rejection.reason, /s3cret/);
  assert.equal(codeOf('a: !binary abc'), 'SPI_BINARY');
});

test('scenario 3: unknown tags are plain maps, lists and text, and no tag makes anything else', () => {
  const record = recordOf(
    [
      '--- !ruby/hash:BSON::OrderedHash',
      ':a: !ruby/string:Foo text',
      ':b: !ruby/array:Bar [x, y]',
      ':c: !ruby/object:OpenStruct',
      '  table: 1',
      ':d: !ruby/object:Gem::Requirement {}',
      ':e: !!js/function "process.exit()"',
      ':f: !<anything> z',
      ':g: !ruby/string:SafeBuffer',
      '  str: inner',
      '  "@html_safe": true',
      ':h: !!int 5',
      ':i: !ruby/regexp /x/',
    ].join('\n'),
  );
  assert.equal(record.get('a'), 'text');
  assert.deepEqual(record.get('b'), ['x', 'y']);
  assert.deepEqual(record.get('c'), new Map([['table', '1']]));
  assert.deepEqual(record.get('d'), new Map());
  assert.equal(record.get('e'), 'process.exit()');
  assert.equal(record.get('f'), 'z');
  assert.equal(record.get('g'), 'inner');
  assert.equal(record.get('h'), '5');
  assert.equal(record.get('i'), '/x/');
});

test('JSON is read as the YAML that it is', () => {
  const record = recordOf(
    '{"action":"add_alias","n":null,"port":50847,"t":true,"u":"\\u00fc\\/\\ud83d\\ude00","l":["a"]}',
  );
  assert.deepEqual([...record.values()], ['add_alias', null, '50847', 'true', 'ü/😀', ['a']]);
});

test('keys like __proto__ and constructor are only keys', () => {
  const record = recordOf(
    '__proto__: {polluted: yes}\nconstructor: {prototype: {polluted: yes}}\nhasOwnProperty: x',
  );
  assert.deepEqual([...record.keys()], ['__proto__', 'constructor', 'hasOwnProperty']);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  assert.equal(Object.getPrototypeOf(record), Map.prototype);
});

test('a key that occurs twice is refused, also when one of them is the symbol of the other', () => {
  assert.equal(codeOf('a: 1\na: 2'), 'SPI_DUPLICATE_KEY');
  assert.equal(codeOf(':app_name: mine\napp_name: yours'), 'SPI_DUPLICATE_KEY');
  assert.equal(codeOf('a: {b: 1, b: 2}'), 'SPI_DUPLICATE_KEY');
});

test('a merge key is a key like any other', () => {
  assert.deepEqual([...recordOf('base: &b {x: y}\n<<: *b').keys()], ['base', '<<']);
});

test('anchors are resolved, within the number of aliases that is allowed', () => {
  const record = recordOf('---\n:protocols: &1\n- http\n- ws\n:types: *1\n');
  assert.deepEqual(record.get('types'), ['http', 'ws']);
  const many = (count: number) => `a: &a x\nb: [${'*a,'.repeat(count)}]`;
  assert.equal(codeOf(many(16)), 'accepted');
  assert.equal(codeOf(many(17)), 'SPI_TOO_MANY_ALIASES');
  assert.equal(codeOf(many(1), { ...LIMITS, maxAliases: 0 }), 'SPI_TOO_MANY_ALIASES');
});

test('scenario 4: an alias bomb is refused, and an alias inside its own anchor too', () => {
  const levels = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
  for (let level = 1; level < 10; level++) {
    levels.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(',')}]`,
    );
  }
  assert.equal(codeOf(levels.join('\n')), 'SPI_TOO_MANY_ALIASES');
  assert.equal(codeOf('a: &a [*a]'), 'SPI_RECURSIVE_ALIAS');
  assert.equal(codeOf('a: &a {b: *a}'), 'SPI_RECURSIVE_ALIAS');
  assert.equal(codeOf('a: *nothing'), 'SPI_YAML');
});

test('depth, size and number of keys are bounded', () => {
  const nested = (depth: number) => `a: ${'['.repeat(depth)}${']'.repeat(depth)}`;
  assert.equal(codeOf(nested(14)), 'accepted');
  assert.equal(codeOf(nested(17)), 'SPI_TOO_DEEP');
  assert.equal(codeOf('a: b', { ...LIMITS, maxBodyBytes: 3 }), 'SPI_TOO_LARGE');
  const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}: v`).join('\n');
  assert.equal(codeOf(keys(64)), 'accepted');
  assert.equal(codeOf(keys(65)), 'SPI_YAML');
});

test('scenario 4: bodies that are empty, no map, several documents or no UTF-8 are refused by their own codes', () => {
  for (const body of ['', ' \n\n', '# nothing\n', '---\n', '--- ~\n'])
    assert.equal(codeOf(body), 'SPI_EMPTY', body);
  for (const body of ['text', '- a\n- b', '[]', '"x"']) assert.equal(codeOf(body), 'SPI_NOT_A_MAP', body);
  assert.equal(codeOf('---\na: b\n---\nc: d\n'), 'SPI_SEVERAL_DOCUMENTS');
  assert.equal(codeOf('--- \na: b\n...\n'), 'accepted');
  assert.equal(codeOf(Buffer.from([0x61, 0x3a, 0x20, 0xff])), 'SPI_ENCODING');
  assert.equal(codeOf(Buffer.from([0x61, 0x3a, 0x20, 0xc0, 0x80])), 'SPI_ENCODING');
  assert.equal(codeOf('a: b\0'), 'SPI_ENCODING');
  assert.equal(codeOf('\ufeffa: b'), 'SPI_ENCODING');
  assert.equal(codeOf(Buffer.from('\ufeffa: b', 'utf16le')), 'SPI_ENCODING');
  assert.equal(codeOf(Buffer.from('a: b', 'utf16le')), 'SPI_ENCODING');
  assert.equal(codeOf(Buffer.from('a: b', 'utf16le').swap16()), 'SPI_ENCODING');
  assert.equal(codeOf('a: b: c'), 'SPI_YAML');
  assert.equal(codeOf('[a]: b'), 'SPI_YAML');
});

test('a body of 1 MiB with one long text is read', () => {
  const text = 'x'.repeat(1_048_576 - 3);
  assert.equal(recordOf(`a: ${text}`).get('a'), text);
});

test('hostile bodies of 1 MiB are refused before the parser spends its time on them', () => {
  const size = LIMITS.maxBodyBytes;
  const fill = (unit: string) => unit.repeat(Math.floor(size / unit.length));
  const units = [
    '[',
    '{',
    '&a [*a]',
    '&a [*a]\n',
    '- ',
    '? ',
    ': ',
    '!a ',
    '[a,',
    '{a: ',
    'a: b,',
    '---\n',
    '- &a x\n',
    '*a,',
    '{}',
    '#\n',
  ];
  for (const unit of units) assert.equal(codeOf(fill(unit)), 'SPI_TOO_COMPLEX', unit);
  const keys = Array.from({ length: 60_000 }, (_, index) => `key${index}: x`).join('\n');
  assert.equal(codeOf(keys), 'SPI_TOO_COMPLEX');
  for (const unit of ['"', "'", '|', '\n', ' ', '\t', '<', '=', '\\', '@', '`', '>\n']) {
    assert.notEqual(codeOf(fill(unit)), 'accepted', JSON.stringify(unit));
  }
});

test('structure just below the bound is judged by the other limits, and cannot exhaust the stack without them', () => {
  assert.equal(codeOf('['.repeat(4_999)), 'SPI_TOO_DEEP');
  assert.equal(codeOf('{'.repeat(4_999)), 'SPI_TOO_DEEP');
  assert.equal(codeOf('- '.repeat(4_999)), 'SPI_TOO_DEEP');
  assert.equal(
    codeOf('['.repeat(4_900), { ...LIMITS, maxDepth: 1_000_000 }),
    'SPI_YAML',
    'a stack overflow is caught',
  );
  assert.equal(codeOf(`a: [${'b,'.repeat(4_900)}]`), 'accepted');
});

test('reasons say where, and never quote what the parser quotes', () => {
  const bodies = [
    ':pass_phrase: *s3cret-phrase\n',
    ':pass_phrase: !s3cret!phrase x\n',
    ':ssl: "-----BEGIN PRIVATE KEY-----\nMIIEvs3cret\n',
    ':private_key: -----BEGIN PRIVATE KEY-----\nMIIEvs3cret\n-----END PRIVATE KEY-----\n',
    ':a: &s3cret\n  - *s3cret\n',
    's3cret: 1\ns3cret: 2\n',
  ];
  for (const body of bodies) {
    const parsed = parseDocument(Buffer.from(body), LIMITS);
    assert.ok(!parsed.ok, body);
    assert.doesNotMatch(parsed.rejection.reason, /s3cret|MII/, body);
    assert.match(parsed.rejection.reason, /^line \d+: [\w ,;']+$/, body);
  }
});
