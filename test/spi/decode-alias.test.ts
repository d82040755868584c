import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvent } from '../../src/spi/decode.ts';
import type { Decoded } from '../../src/spi/events.ts';
import { eventOf, LIMITS, rejectionOf } from './fixture-files.ts';

type Fields = Readonly<Record<string, unknown>>;

/** JSON is YAML, and the shortest way to write a field exactly. */
function read(fields: Fields): Decoded {
  return readEvent(Buffer.from(JSON.stringify(fields)), LIMITS);
}

function codeOf(fields: Fields): string {
  return rejectionOf(read(fields)).code;
}

const NAMES = { app_name: 'phpha', namespace: 'demo' };
const SSL = {
  ...NAMES,
  action: 'add_ssl',
  alias: 'foo.example.com',
  ssl: 'CERT',
  private_key: 'KEY',
  pass_phrase: null,
};

test('an alias is lower-cased, loses a trailing dot, and may end a label in a hyphen', () => {
  const aliasOf = (alias: string) => {
    const event = eventOf(read({ ...NAMES, action: 'add_alias', alias }));
    return event.action === 'add_alias' && event.alias;
  };
  assert.equal(aliasOf('WWW.Example.COM'), 'www.example.com');
  assert.equal(aliasOf('www.example.com.'), 'www.example.com');
  assert.equal(aliasOf('intranet'), 'intranet');
  assert.equal(aliasOf('shop-.example.com'), 'shop-.example.com');
  assert.equal(aliasOf('xn--mller-kva.example'), 'xn--mller-kva.example');
  assert.equal(aliasOf('1.2.3.4.5'), '1.2.3.4.5');
  assert.equal(aliasOf(`${'a'.repeat(63)}.example`), `${'a'.repeat(63)}.example`);
});

test('an alias that is a wildcard, an IPv4 address or no host name is refused', () => {
  const long = `${'a.'.repeat(127)}`;
  const bad = [
    '*.example.com',
    '10.0.0.1',
    '10.0.0.1.',
    'a_b.example',
    'a..b',
    '.a',
    'a..',
    '-a.example',
    'a b',
    'a/b',
    'ä..example',
    'ä/x.example',
    'ä:80',
    'user@ä.example',
    '１２７.0.0.1',
    `${'ä'.repeat(64)}.example`,
    'a:80',
    '::1',
    `${'a'.repeat(64)}.example`,
    `${long}a`,
    'a\nb',
    `${'a-'.repeat(5000)}!`,
  ];
  for (const alias of bad) {
    for (const action of ['add_alias', 'remove_alias', 'remove_ssl']) {
      assert.equal(codeOf({ ...NAMES, action, alias }), 'SPI_ALIAS_INVALID', alias.slice(0, 80));
    }
    assert.equal(codeOf({ ...SSL, alias }), 'SPI_ALIAS_INVALID', alias.slice(0, 80));
  }
});

test('an internationalised alias becomes the name that clients ask for', () => {
  const aliasOf = (alias: string) => {
    const event = eventOf(read({ ...NAMES, action: 'add_alias', alias }));
    return event.action === 'add_alias' ? event.alias : undefined;
  };
  assert.equal(aliasOf('www.Bücher.example.'), 'www.xn--bcher-kva.example');
  assert.equal(aliasOf('XN--Bcher-kva.example'), 'xn--bcher-kva.example');
  assert.equal(aliasOf('例え.テスト'), 'xn--r8jz45g.xn--zckzah');
});

test('a pass phrase is text, or one text in a list, and null when there is none', () => {
  const phraseOf = (phrase: unknown) => {
    const event = eventOf(read({ ...SSL, pass_phrase: phrase }));
    return event.action === 'add_ssl' ? event.passPhrase : undefined;
  };
  for (const none of [undefined, null, '', [], [null], ['']]) assert.equal(phraseOf(none), null);
  for (const some of [' s3cret phrase ', ':symbol', '1e3', 'null']) assert.equal(phraseOf(some), some);
  assert.equal(phraseOf(['s3cret']), 's3cret');
  for (const bad of [['a', 'b'], { a: 1 }, [['s3cret']], 's'.repeat(1025)]) {
    const rejection = rejectionOf(read({ ...SSL, pass_phrase: bad }));
    assert.equal(rejection.code, 'SPI_FIELD_INVALID');
    assert.doesNotMatch(rejection.reason, /s3cret/);
  }
});
