import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKeyRing, masterKeyOf } from '../../src/seal/key-ring.ts';
import type { Pem } from '../../src/seal/packed-pem.ts';
import { packPem, unpackPem } from '../../src/seal/packed-pem.ts';
import { sealPem, unsealPem } from '../../src/seal/sealed-pem.ts';
import { testCertificate } from '../support/certificates.ts';

const { chainPem, privateKeyPem: keyPem } = testCertificate(['www.shop.test']);
const real: Pem = { chainPem, keyPem };
const ring = createKeyRing([masterKeyOf(Buffer.alloc(32, 1))]);
const owner = { app: 'demo/shop', alias: 'www.shop.test', id: 'c0ffee' };

test('a real certificate is packed to three quarters of its size, and comes back to the letter', () => {
  const packed = packPem(real);
  assert.ok(packed !== null);
  assert.ok(packed.length < 0.75 * (chainPem.length + keyPem.length));
  assert.deepEqual(unpackPem(packed), real);
  const sealed = sealPem(ring, owner, real);
  assert.ok(sealed.length < packed.length + 100);
  assert.deepEqual(unsealPem(ring, owner, sealed), real);
});

test('what would not come back to the letter is not packed, and is sealed as it is', () => {
  const odd = [
    chainPem.replaceAll('\n', '\r\n'),
    chainPem.trimEnd(),
    `a text before\n${chainPem}`,
    chainPem.replace('CERTIFICATE', 'X509 CRL'),
    chainPem.replace('-----END CERTIFICATE-----', '-----END PRIVATE KEY-----'),
    chainPem.replace(/\n(.)/, '\n=$1'),
    chainPem.replace(/(.{30})\n/, '$1\n\n'),
    chainPem.replaceAll('CERTIFICATE', 'toString'),
    'no PEM at all',
  ];
  for (const text of odd) {
    const pem = { chainPem: text, keyPem };
    assert.equal(packPem(pem), null, text.slice(0, 60));
    assert.deepEqual(unsealPem(ring, owner, sealPem(ring, owner, pem)), pem);
  }
});

test('any blocks of any bytes come back to the letter, as many of the key and of the chain as there were', () => {
  const labels = fc.constantFrom('CERTIFICATE', 'PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY');
  const blocks = fc.array(fc.tuple(labels, fc.uint8Array({ minLength: 1, maxLength: 200 })), {
    maxLength: 4,
  });
  const pemOf = (all: readonly (readonly [string, Uint8Array])[]) =>
    all
      .map(([label, bytes]) => {
        const lines =
          Buffer.from(bytes)
            .toString('base64')
            .match(/.{1,64}/g) ?? [];
        return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
      })
      .join('');
  fc.assert(
    fc.property(blocks, blocks, (key, chain) => {
      const pem = { keyPem: pemOf(key), chainPem: pemOf(chain) };
      const packed = packPem(pem);
      assert.ok(packed !== null);
      assert.deepEqual(unpackPem(packed), pem);
    }),
  );
});

test('bytes that are no packed PEM are not taken for one', () => {
  for (const text of ['', '-----BEGIN PRIVATE KEY-----\n', '\0', 'key\0chain'])
    assert.equal(unpackPem(Buffer.from(text)), null);
});
