import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientOffer, canVerify } from '../../src/certificates/client-ability.ts';
import { codes, ecdsaOnly, offer, rsaOnly } from '../support/client-offer.ts';

const KINDS = {
  rsa: { keyType: 'rsa', keyBits: 2048 },
  p256: { keyType: 'ec', keyBits: 256 },
  p384: { keyType: 'ec', keyBits: 384 },
  p521: { keyType: 'ec', keyBits: 521 },
  ed25519: { keyType: 'ed25519', keyBits: 256 },
};

function verifiable(more: Partial<ClientOffer> = {}): string {
  const client = offer('shop.example.org', more);
  return Object.entries(KINDS)
    .filter(([, kind]) => canVerify(client, kind))
    .map(([name]) => name)
    .join(' ');
}

test('a browser of today verifies RSA, P-256 and P-384', () => {
  assert.equal(verifiable(), 'rsa p256 p384');
});

test('TLS 1.3: the signature algorithm names the curve, and PKCS#1 v1.5 is no RSA signature there', () => {
  assert.equal(verifiable({ signatureAlgorithms: codes(0x0403) }), 'p256');
  assert.equal(verifiable({ signatureAlgorithms: codes(0x0603, 0x0807) }), 'p521 ed25519');
  assert.equal(verifiable({ signatureAlgorithms: codes(0x0401, 0x0501) }), '');
  assert.equal(verifiable({ signatureAlgorithms: codes(0x0806) }), 'rsa');
});

test('TLS 1.2: ECDSA wants a suite, an algorithm and the curve of the certificate; RSA a suite and an algorithm', () => {
  assert.equal(verifiable(rsaOnly), 'rsa');
  assert.equal(verifiable(ecdsaOnly), 'p256 p384');
  assert.equal(verifiable({ ...ecdsaOnly, groups: codes(24) }), 'p384');
  assert.equal(verifiable({ ...ecdsaOnly, cipherSuites: codes(0xc02f, 0x00ff) }), '');
  assert.equal(verifiable({ ...rsaOnly, cipherSuites: codes(0xc02b, 0x00ff, 0x5600, 0x1301) }), '');
  assert.equal(verifiable({ ...ecdsaOnly, signatureAlgorithms: codes(0x0807) }), 'ed25519');
});

test('a client that offers no signature algorithms verifies nothing for certain', () => {
  assert.equal(verifiable({ signatureAlgorithms: codes(), versions: [0x0303] }), '');
});

test('a key of a kind that was never written down is taken to suit everybody; an odd curve suits nobody', () => {
  assert.equal(canVerify(offer(null, rsaOnly), {}), true);
  assert.equal(canVerify(offer(null), { keyType: 'ec', keyBits: 257 }), false);
});

test('a list with half a code at its end is read up to there', () => {
  assert.equal(verifiable({ signatureAlgorithms: Buffer.from([4, 3, 8]) }), 'p256');
});
