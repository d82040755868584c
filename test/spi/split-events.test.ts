import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readEvent } from '../../src/spi/decode.ts';
import { splitEvents } from '../../src/spi/split-events.ts';
import { testCertificate } from '../support/certificates.ts';
import { addAlias, addSsl, createApplication } from '../support/spi-bodies.ts';

const limits = { maxBodyBytes: 1_048_576, maxDepth: 16, maxAliases: 16 };
const app = { appName: 'store', namespace: 'shop' };
const split = (text: string | Buffer, max = 1_000) => {
  const result = splitEvents(Buffer.from(text), max);
  return result.ok ? result.events : assert.fail(result.rejection.code);
};
const refusal = (text: string, max = 1_000) => {
  const result = splitEvents(Buffer.from(text), max);
  return result.ok ? null : result.rejection.code;
};

test('a list of JSON events, one alone, and YAML documents one behind the other come apart', () => {
  const alias = { action: 'add_alias', app_name: 'store', namespace: 'shop', alias: 'www.example.com' };
  const expected = readEvent(addAlias(app, 'www.example.com'), limits);
  for (const text of [JSON.stringify([alias, alias]), JSON.stringify([alias, alias], null, '\t')]) {
    const events = split(text);
    assert.equal(events.length, 2);
    for (const { body } of events) assert.deepEqual(readEvent(body, limits), expected);
  }
  assert.deepEqual(
    split(JSON.stringify(alias)).map(({ body }) => readEvent(body, limits)),
    [expected],
  );

  const { chainPem, privateKeyPem } = testCertificate(['www.example.com']);
  const bodies = [
    createApplication(app),
    addSsl(app, 'www.example.com', { certificatePem: chainPem, privateKeyPem }),
    addAlias(app, 'www.example.com'),
  ];
  const documents = split(Buffer.concat([Buffer.from('# three events\n'), ...bodies]));
  assert.deepEqual(
    documents.map(({ body }) => readEvent(body, limits)),
    bodies.map((body) => readEvent(body, limits)),
  );
});

test('whatever an event holds as JSON reaches the decoder as it was', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 1, maxLength: 5 }),
      (texts) => {
        const list = texts.map((pass_phrase) => ({
          action: 'add_ssl',
          app_name: 'a',
          namespace: 'b',
          alias: 'c.test',
          ssl: 'x',
          private_key: 'y',
          pass_phrase,
        }));
        const read = split(JSON.stringify(list)).map(({ body }) => readEvent(body, limits));
        for (const [n, decoded] of read.entries()) {
          if (decoded.kind !== 'event' || decoded.event.action !== 'add_ssl') continue;
          assert.equal(decoded.event.passPhrase ?? '', texts[n]);
        }
      },
    ),
  );
});

test('a gear id that JSON would change is refused, and its neighbours are not', () => {
  const [bad, good] = split(
    '[{"action":"add_public_endpoint","gear_id":512345678901234567890},{"action":"x","public_port":80}]',
  );
  assert.equal(bad?.refused?.code, 'SPI_NUMBER_INEXACT');
  assert.equal(good?.refused, null);
});

test('nothing, too many and endless nesting are refused without a throw', () => {
  for (const nothing of ['', '  \n', '[]', '---\n---\n', '# only a comment\n'])
    assert.equal(refusal(nothing), 'SPI_EMPTY', nothing);
  assert.equal(refusal('[1,2,3]', 2), 'SPI_TOO_MANY_EVENTS');
  assert.equal(refusal('---\na: 1\n'.repeat(3), 2), 'SPI_TOO_MANY_EVENTS');
  const deep = split(`[${'['.repeat(100_000)}${']'.repeat(100_000)}]`);
  assert.equal(deep.length, 1);
  for (const text of ['[', '{"a":', '\u0000', '[[[[{"'])
    for (const { body } of split(text)) assert.notEqual(readEvent(body, limits).kind, 'event');
});
