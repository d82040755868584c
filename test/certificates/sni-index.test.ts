import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSniIndex, type SniIndex } from '../../src/certificates/sni-index.ts';

const platform = [
  ['*.apps.example.test', 'wildcard'],
  ['www.example.test', 'www'],
  ['*.apps.example.test', 'second wildcard'],
  ['*.ha.example.test', 'ha wildcard'],
] as const;

function first(index: SniIndex<string>, name: string | null): string {
  return index.find(name, ({ entry, source, pattern }) => `${source} ${pattern} ${entry}`) ?? 'none';
}

test('an exact name is taken before a wildcard, a wildcard before the default', () => {
  const index = createSniIndex<string>(platform, ['wildcard']);
  index.set('shop.apps.example.test', 'shop');
  assert.equal(first(index, 'shop.apps.example.test'), 'alias shop.apps.example.test shop');
  assert.equal(first(index, 'other.apps.example.test'), 'platform *.apps.example.test wildcard');
  assert.equal(first(index, 'a.ha.example.test'), 'platform *.ha.example.test ha wildcard');
  assert.equal(first(index, 'www.example.test'), 'platform www.example.test www');
  assert.equal(first(index, 'unknown.org'), 'default  wildcard');
  assert.equal(first(index, null), 'default  wildcard');
});

test('a wildcard stands for exactly one label', () => {
  const index = createSniIndex<string>(platform, ['wildcard']);
  for (const name of ['apps.example.test', 'a.b.apps.example.test', 'xapps.example.test', 'test', '']) {
    assert.match(first(index, name), /^default/, name);
  }
});

test('upper case and a trailing dot make no difference, neither in names nor in questions', () => {
  const index = createSniIndex<string>([['*.Apps.Example.test.', 'wildcard']], []);
  index.set('WWW.Customer.org.', 'customer');
  assert.equal(first(index, 'www.customer.ORG'), 'alias www.customer.org customer');
  assert.equal(first(index, 'www.customer.org.'), 'alias www.customer.org customer');
  assert.equal(first(index, 'A.APPS.example.test.'), 'platform *.apps.example.test wildcard');
});

test('what is taken away uncovers what lies beneath', () => {
  const index = createSniIndex<string>(platform, ['wildcard']);
  assert.equal(index.set('a.apps.example.test', 'first'), null);
  assert.equal(index.set('a.apps.example.test', 'second'), 'first');
  assert.equal(index.size, 1);
  assert.equal(index.set('a.apps.example.test', null), 'second');
  assert.equal(index.set('a.apps.example.test', null), null);
  assert.equal(index.size, 0);
  assert.match(first(index, 'a.apps.example.test'), /^platform/);
});

test('every candidate is offered, best first, until one is accepted', () => {
  const index = createSniIndex<string>(platform, ['wildcard']);
  index.set('www.apps.example.test', 'exact');
  index.set('*.apps.example.test', 'alias wildcard');
  const offered: string[] = [];
  const refuse = ({ entry }: { entry: string }) => {
    offered.push(entry);
    return null;
  };
  assert.equal(index.find('www.apps.example.test', refuse), null);
  assert.deepEqual(offered, ['exact', 'alias wildcard', 'wildcard', 'second wildcard', 'wildcard']);
});

test('without a platform certificate unknown names have no candidate', () => {
  const index = createSniIndex<string>([], []);
  index.set('a.example.org', 'a');
  assert.equal(first(index, 'b.example.org'), 'none');
  assert.equal(first(index, null), 'none');
});
