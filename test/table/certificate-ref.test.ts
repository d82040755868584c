import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  certificateEnd,
  certificateFacts,
  certificateHead,
  certificateId,
  certificateWarnings,
  packCertificate,
} from '../../src/table/certificate-ref.ts';

const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const anything = fc.string({ unit: 'binary' });
const facts = fc.record(
  {
    ...{ id: word, fingerprint: word, keyType: fc.constantFrom('rsa', 'ec', 'ed25519'), keyBits: fc.nat() },
    ...{ notBefore: fc.maxSafeInteger(), notAfter: fc.maxSafeInteger(), issuer: anything },
    ...{ names: fc.array(anything), warnings: fc.array(word) },
  },
  { noNullPrototype: true },
);

test('a certificate is remembered as it was judged, whatever its names and issuer hold', () => {
  fc.assert(
    fc.property(facts, (all) => {
      const { names: _, issuer: __, fingerprint: ___, warnings, ...head } = all;
      const ref = packCertificate(all);
      assert.deepEqual(certificateFacts(ref), all);
      assert.deepEqual(certificateHead(ref), head);
      assert.deepEqual(
        [certificateId(ref), certificateEnd(ref), certificateWarnings(ref)],
        [all.id, all.notAfter, warnings],
      );
    }),
  );
});

test('names that look like fields and lengths stay the names of their certificate', () => {
  const names = ['', ' CERT_NAME_MISMATCH ', '1,2 3', 'a,b', '\n"\u0000'];
  const all = {
    ...{ id: 'a1', fingerprint: 'f', names, keyType: 'rsa', keyBits: 2048, notBefore: -1, notAfter: 9 },
    ...{ issuer: ' CN=5,5 x', warnings: [] },
  };
  assert.deepEqual(certificateFacts(packCertificate(all)), all);
  assert.deepEqual(certificateWarnings(packCertificate(all)), []);
});
