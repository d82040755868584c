import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { PlatformCertificate } from '../../src/certificates/load-platform.ts';
import {
  appsCertificate,
  platformCertificate,
  publishedCertificate,
  type TestPublished,
} from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { skipWithout } from '../support/parts.ts';
import { closeTlsEdges, sClient, startTlsEdge, type TlsEdge, visit } from '../support/tls-edge.ts';

const rsa = publishedCertificate(['*.apps.example.test', 'both.example.test']);
const ec = appsCertificate('ec-prime256v1');
const ec384 = appsCertificate('ec-secp384r1');
const ed25519 = appsCertificate('ed25519');
const plain = publishedCertificate(['plain.example.test']);
const of = (...all: TestPublished[]): PlatformCertificate[] => all.map((one) => platformCertificate(one));

const NAME = 'shop.apps.example.test';
const EC_SUITE = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const RSA_SUITE = 'ECDHE-RSA-AES128-GCM-SHA256';

afterEach(closeTlsEdges);

async function keyOf(edge: TlsEdge, options: Parameters<typeof visit>[1]): Promise<string> {
  const { fingerprint } = await visit(edge, { servername: NAME, ...options });
  const kinds = { rsa, ec, ec384, ed25519, plain };
  return Object.entries(kinds).find(([, kind]) => kind.facts.fingerprint === fingerprint)?.[0] ?? 'another';
}

describe('one name with certificates of several kinds', () => {
  test('every client gets one that it can verify, ECDSA before RSA, in whatever order they are configured', async () => {
    for (const platform of [of(rsa, ec), of(ec, rsa)]) {
      const edge = await startTlsEdge({ platform });
      assert.equal(await keyOf(edge, {}), 'ec');
      assert.equal(await keyOf(edge, { maxVersion: 'TLSv1.2', ciphers: `${EC_SUITE}:${RSA_SUITE}` }), 'ec');
      assert.equal(await keyOf(edge, { maxVersion: 'TLSv1.2', ciphers: RSA_SUITE }), 'rsa');
      assert.equal(await keyOf(edge, { maxVersion: 'TLSv1.2', ciphers: EC_SUITE }), 'ec');
      assert.equal(await keyOf(edge, { sigalgs: 'rsa_pss_rsae_sha256' }), 'rsa');
      assert.equal(await keyOf(edge, { sigalgs: 'ecdsa_secp256r1_sha256:RSA+SHA256' }), 'ec');
      assert.deepEqual(edge.failures, []);
    }
  });

  test('the curve counts: a client without P-384 gets P-256, and the other way round', async () => {
    const edge = await startTlsEdge({ platform: of(ec384, ec, rsa, ed25519) });
    assert.equal(await keyOf(edge, { sigalgs: 'ecdsa_secp256r1_sha256' }), 'ec');
    assert.equal(await keyOf(edge, { sigalgs: 'ecdsa_secp384r1_sha384' }), 'ec384');
    assert.equal(await keyOf(edge, { sigalgs: 'ed25519' }), 'ed25519');
    assert.equal(
      await keyOf(edge, {
        maxVersion: 'TLSv1.2',
        ciphers: `${EC_SUITE}:${RSA_SUITE}`,
        ecdhCurve: 'P-256',
      }),
      'ec',
    );
    assert.deepEqual(edge.failures, []);
  });

  test("an alias's ECDSA certificate is taken before the platform's; a client that cannot verify it gets the wildcard", async () => {
    const edge = await startTlsEdge({ platform: of(rsa) });
    edge.book.apply([[NAME, ec]]);
    assert.equal(await keyOf(edge, {}), 'ec');
    assert.equal(await keyOf(edge, { sigalgs: 'rsa_pss_rsae_sha256' }), 'rsa');
  });

  test('a client that can verify none is told by OpenSSL, and nobody else notices', async () => {
    const edge = await startTlsEdge({ platform: of(rsa) });
    await assert.rejects(visit(edge, { servername: NAME, sigalgs: 'ecdsa_secp256r1_sha256' }));
    await eventually(() => edge.failures.length === 1);
    assert.deepEqual(edge.failures, ['EDGE_TLS_HANDSHAKE']);
    assert.equal(await keyOf(edge, {}), 'rsa');
  });

  test('sessions resume with the certificate that they were made with', async () => {
    const edge = await startTlsEdge({ platform: of(rsa, ec) });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const ecdsa = { servername: NAME, maxVersion };
      const onlyRsa = {
        ...ecdsa,
        sigalgs: 'rsa_pss_rsae_sha256',
        ciphers: `${RSA_SUITE}:TLS_AES_128_GCM_SHA256`,
      };
      const first = await visit(edge, ecdsa);
      assert.equal((await visit(edge, { ...ecdsa, session: first.session })).reused, true);
      assert.equal((await visit(edge, { ...onlyRsa, session: first.session })).reused, false);
    }
  });

  test('openssl s_client that can verify only one kind is served, in TLS 1.2 and 1.3', {
    skip: skipWithout('openssl'),
  }, async () => {
    const edge = await startTlsEdge({ platform: of(rsa, ec) });
    const asked = (...more: string[]) => sClient(edge, '-servername', NAME, ...more);
    assert.match(await asked('-sigalgs', 'ECDSA+SHA256'), /subject=CN = ec-prime256v1/);
    assert.match(await asked('-sigalgs', 'RSA-PSS+SHA256'), /subject=CN = \*\.apps\.example\.test/);
    assert.match(await asked('-tls1_2', '-cipher', EC_SUITE), /subject=CN = ec-prime256v1/);
    assert.match(await asked('-tls1_2', '-cipher', RSA_SUITE), /subject=CN = \*\.apps\.example\.test/);
    assert.match(await asked('-tls1_2', '-cipher', `${RSA_SUITE}:${EC_SUITE}`), /subject=CN = ec-prime256v1/);
    assert.deepEqual(edge.failures, []);
  });
});

describe('the default certificate', () => {
  const defaultOf = async (platform: PlatformCertificate[], options = {}): Promise<string> =>
    await keyOf(await startTlsEdge({ platform }), { servername: 'nobody.example.org', ...options });

  test('is the first, with those of other kinds that stand for all of its names', async () => {
    const onlyRsa = { sigalgs: 'rsa_pss_rsae_sha256' };
    assert.equal(await defaultOf(of(rsa, ec)), 'ec');
    assert.equal(await defaultOf(of(rsa, ec), onlyRsa), 'rsa');
    assert.equal(await defaultOf(of(plain, ec, rsa)), 'plain');
  });

  test('is what the configuration marks so, several too', async () => {
    const marked = { isDefault: true };
    assert.equal(await defaultOf([...of(rsa, ec), platformCertificate(plain, marked)]), 'plain');
    const both = [
      platformCertificate(plain),
      platformCertificate(rsa, marked),
      platformCertificate(ec, marked),
    ];
    assert.equal(await defaultOf(both), 'ec');
    assert.equal(await defaultOf(both, { sigalgs: 'rsa_pss_rsae_sha256' }), 'rsa');
  });
});

describe('a server name that nobody has, or none', () => {
  test('gets the default certificate unless the policy says otherwise', async () => {
    const edge = await startTlsEdge({ platform: of(rsa), isServed: () => false });
    assert.equal(await keyOf(edge, { servername: 'nobody.example.org' }), 'rsa');
    assert.equal(await keyOf(edge, { servername: '' }), 'rsa');
  });

  test('an unknown name is refused with unrecognized_name where the policy says so, and known ones are served', async () => {
    const edge = await startTlsEdge({
      platform: of(rsa),
      tls: { unknownName: 'refuse' },
      isServed: (host) => host === 'routed.example.org',
    });
    edge.book.apply([['www.customer.org', plain]]);
    await assert.rejects(visit(edge, { servername: 'nobody.example.org' }), /unrecognized name/i);
    assert.deepEqual(edge.failures, ['EDGE_TLS_UNKNOWN_NAME']);
    assert.equal(await keyOf(edge, { servername: 'any.apps.example.test' }), 'rsa', 'under a wildcard');
    assert.equal(await keyOf(edge, { servername: 'WWW.Customer.org' }), 'plain', 'an alias');
    assert.equal(
      await keyOf(edge, { servername: 'routed.example.org' }),
      'rsa',
      'routed, without a certificate',
    );
    assert.equal(await keyOf(edge, { servername: '' }), 'rsa', 'no name is another matter');
  });

  test('a client without a name is refused where the policy says so', async () => {
    const edge = await startTlsEdge({ platform: of(rsa), tls: { withoutName: 'refuse' } });
    await assert.rejects(visit(edge, { servername: '' }), /unrecognized name/i);
    assert.equal(await keyOf(edge, { servername: 'nobody.example.org' }), 'rsa');
    assert.deepEqual(edge.failures, ['EDGE_TLS_UNKNOWN_NAME']);
  });
});
