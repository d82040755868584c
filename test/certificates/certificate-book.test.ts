import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CertificateBookOptions,
  createCertificateBook,
} from '../../src/certificates/certificate-book.ts';
import type { PlatformCertificate } from '../../src/certificates/load-platform.ts';
import { configSchema } from '../../src/config/schema.ts';
import { platformCertificate, publishedCertificate } from '../support/certificates.ts';
import { offer } from '../support/client-offer.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';

const platform: PlatformCertificate[] = [
  platformCertificate(publishedCertificate(['*.apps.example.test'])),
  platformCertificate(publishedCertificate(['*.ha.example.test'])),
];
const alias = publishedCertificate(['www.customer.org']);
const renewed = publishedCertificate(['www.customer.org'], 2);

function makeBook(options: Partial<CertificateBookOptions> & { tls?: object } = {}) {
  const log = memoryLog();
  const metrics = memoryMetrics();
  const config = configSchema.parse({
    cloudDomain: 'example.test',
    listeners: {},
    tls: options.tls ?? {},
  }).tls;
  const book = createCertificateBook({ config, platform, log, metrics, ...options });
  return { book, log, metrics };
}

test('each name has a context of its own, made once', () => {
  const { book, metrics } = makeBook();
  book.apply([['www.customer.org', alias]]);
  const own = book.contextFor(offer('www.customer.org'));
  const one = book.contextFor(offer('one.apps.example.test'));
  const two = book.contextFor(offer('two.apps.example.test'));
  assert.equal(own?.source, 'alias');
  assert.equal(one?.source, 'platform');
  assert.notEqual(one?.context, two?.context);
  assert.equal(book.contextFor(offer('ONE.apps.example.test.'))?.context, one?.context);
  assert.equal(metrics.value('tls_contexts_built_total'), 3);
  assert.equal(metrics.value('tls_contexts_cached'), 3);
  assert.equal(metrics.value('tls_alias_certificates'), 1);
});

test('a replaced or removed certificate is gone at the next question, and others keep their contexts', () => {
  const { book } = makeBook();
  const other = publishedCertificate(['other.customer.org']);
  book.apply([
    ['www.customer.org', alias],
    ['other.customer.org', other],
  ]);
  const before = book.contextFor(offer('www.customer.org'))?.context;
  const untouched = book.contextFor(offer('other.customer.org'))?.context;
  book.apply([['www.customer.org', { ...alias }]]);
  assert.equal(
    book.contextFor(offer('www.customer.org'))?.context,
    before,
    'the same certificate again changes nothing',
  );
  book.apply([['www.customer.org', renewed]]);
  const after = book.contextFor(offer('www.customer.org'))?.context;
  assert.notEqual(after, before);
  book.apply([['www.customer.org', null]]);
  assert.equal(book.contextFor(offer('www.customer.org'))?.source, 'default');
  assert.equal(book.contextFor(offer('other.customer.org'))?.context, untouched);
  assert.equal(book.size(), 1);
});

test('the context of a certificate that is gone leaves memory at once', () => {
  const { book, metrics } = makeBook();
  book.apply([
    ['www.customer.org', alias],
    ['*.shop.example.org', renewed],
  ]);
  for (const name of ['www.customer.org', 'a.shop.example.org', 'b.shop.example.org'])
    book.contextFor(offer(name));
  assert.equal(metrics.value('tls_contexts_cached'), 3);
  book.apply([['*.shop.example.org', null]]);
  assert.equal(metrics.value('tls_contexts_cached'), 1);
  book.apply([['www.customer.org', null]]);
  assert.equal(metrics.value('tls_contexts_cached'), 0);
});

test('a certificate that cannot be served falls back to the wildcard, is logged once and touches no other', () => {
  const { book, log, metrics } = makeBook();
  const secret = 'MIIEvQIBADANBgkqh';
  const broken = {
    id: 'broken',
    chainPem: alias.chainPem,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
  };
  book.apply([
    ['broken.apps.example.test', broken],
    ['www.customer.org', alias],
  ]);
  for (let i = 0; i < 5; i += 1)
    assert.equal(book.contextFor(offer('broken.apps.example.test'))?.source, 'platform');
  assert.equal(book.contextFor(offer('www.customer.org'))?.source, 'alias');
  assert.equal(log.lines.length, 1);
  assert.ok(!JSON.stringify(log.lines).includes(secret));
  assert.equal(metrics.value('tls_context_failures_total'), 1);
});

test('made-up names under a wildcard share one context and drive nobody out of the cache', () => {
  const served = new Set(['one.apps.example.test', 'www.customer.org']);
  const { book, metrics } = makeBook({ tls: { maxCachedContexts: 8 }, isServed: (host) => served.has(host) });
  book.apply([['www.customer.org', alias]]);
  const own = book.contextFor(offer('www.customer.org'))?.context;
  const one = book.contextFor(offer('one.apps.example.test'));
  for (let i = 0; i < 100; i += 1) {
    assert.equal(book.contextFor(offer(`made-up-${i}.apps.example.test`))?.name, '*.apps.example.test');
    assert.equal(book.contextFor(offer(`made-up-${i}.org`))?.name, '');
  }
  assert.equal(book.contextFor(offer(null))?.name, '');
  assert.equal(book.contextFor(offer('www.customer.org'))?.context, own);
  assert.equal(book.contextFor(offer('one.apps.example.test'))?.context, one?.context);
  assert.equal(one?.name, 'one.apps.example.test');
  assert.equal(metrics.value('tls_contexts_built_total'), 4);
});

test('the number of contexts is bounded', () => {
  const { book, metrics } = makeBook({ tls: { maxCachedContexts: 4 } });
  for (let i = 0; i < 10; i += 1) assert.ok(book.contextFor(offer(`app-${i}.apps.example.test`)));
  assert.equal(metrics.value('tls_contexts_cached'), 4);
});

test('without any certificate there is no context', () => {
  const { book } = makeBook({ platform: [] });
  assert.equal(book.contextFor(offer('www.customer.org')), null);
  assert.equal(book.contextFor(offer(null)), null);
});

test('the list names every certificate and no key', () => {
  const { book } = makeBook();
  book.apply([['www.customer.org', alias]]);
  assert.deepEqual(
    book.list().map(({ name, source }) => `${source} ${name}`),
    ['platform *.apps.example.test', 'platform *.ha.example.test', 'alias www.customer.org'],
  );
  assert.ok(!JSON.stringify(book.list()).includes('PRIVATE KEY'));
});

test('43: outside of its time of service a certificate is passed over for the next best, and is back within it', () => {
  let time = 0;
  const { book } = makeBook({ now: () => time });
  book.apply([
    ['www.customer.org', { ...alias, served: { from: 100, until: 200 } }],
    ['shop.apps.example.test', { ...renewed, served: { from: null, until: 200 } }],
  ]);
  const sources = (name: string) => {
    const found = [];
    for (const at of [99, 100, 200, 201]) {
      time = at;
      found.push(book.contextFor(offer(name))?.source);
    }
    return found;
  };
  assert.deepEqual(sources('www.customer.org'), ['default', 'alias', 'alias', 'default']);
  assert.deepEqual(sources('shop.apps.example.test'), ['alias', 'alias', 'alias', 'platform']);
  time = 201;
  assert.equal(book.sameCertificate('www.customer.org', 'nobody.test'), true);
  time = 150;
  assert.equal(book.sameCertificate('www.customer.org', 'nobody.test'), false);
});
