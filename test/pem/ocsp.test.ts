import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ocspQuestionOf } from '../../src/pem/ocsp-request.ts';
import { judgeOcspResponse } from '../../src/pem/ocsp-response.ts';
import { pemFixture, testCertificate } from '../support/certificates.ts';
import { ocspChain, ocspFile, ocspQuestion } from '../support/ocsp-files.ts';

const leaf = ocspQuestion('leaf');
const now = Date.parse('2027-01-01T00:00:00Z');
const outcome = (file: string | Buffer, question = leaf, time = now): string => {
  const judged = judgeOcspResponse(typeof file === 'string' ? ocspFile(file) : file, question, time);
  return judged.ok ? 'good' : judged.code;
};

test('the question of a certificate is, octet for octet, the one that OpenSSL asks', () => {
  assert.equal(leaf.url, 'http://ocsp.example.test/ca?x=1');
  assert.deepEqual(leaf.request, ocspFile('leaf-request'));
});

test('there is no question without a responder, without its issuer, or where the next certificate is not the issuer', () => {
  const [leafPem = ''] = ocspChain('leaf').split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.equal(ocspQuestionOf(ocspChain('unnamed')), null);
  assert.equal(ocspQuestionOf(leafPem), null);
  assert.equal(ocspQuestionOf(leafPem + pemFixture('rsa.crt')), null);
  assert.equal(ocspQuestionOf(testCertificate(['a.example.org']).chainPem), null);
  assert.equal(ocspQuestionOf(''), null);
});

test('a responder that is asked by another protocol than http is none', () => {
  assert.equal(ocspQuestionOf(ocspChain('odd'))?.url, 'http://user:secret@[::1]:22/');
});

test('a response of the issuer, or of a responder with its mandate, is good until it says', () => {
  const judged = judgeOcspResponse(ocspFile('good'), leaf, now);
  assert.ok(judged.ok);
  assert.ok(judged.thisUpdate < now && judged.nextUpdate !== null && judged.nextUpdate > now);
  assert.equal(outcome('good-delegated'), 'good');
  assert.equal(outcome('good-of-two'), 'good');
  assert.equal(outcome('good-of-two', ocspQuestion('second')), 'good');
  assert.equal(outcome('good', leaf, judged.nextUpdate), 'PEM_OCSP_TIMES');
  assert.equal(outcome('good', leaf, judged.thisUpdate - 301_000), 'PEM_OCSP_TIMES');
  assert.equal(outcome('good', leaf, judged.thisUpdate - 299_000), 'good', 'clocks differ');
});

test('a response that is not of the issuer is no response', () => {
  assert.equal(
    outcome('by-impostor'),
    'PEM_OCSP_SIGNATURE',
    'a certificate of the issuer, without the mandate',
  );
  assert.equal(outcome('by-stranger'), 'PEM_OCSP_SIGNATURE', 'a mandate of another issuer');
  assert.equal(outcome('sha1'), 'PEM_OCSP_SIGNATURE', 'clients refuse SHA-1');
});

test('only a good status of the very certificate is stapled', () => {
  assert.equal(outcome('of-another'), 'PEM_OCSP_OTHER_CERTIFICATE');
  assert.equal(outcome('revoked', ocspQuestion('revoked')), 'PEM_OCSP_REVOKED');
  assert.equal(outcome('revoked'), 'PEM_OCSP_OTHER_CERTIFICATE');
  assert.equal(outcome('unauthorized'), 'PEM_OCSP_UNSUCCESSFUL');
});

test('no octet of a response can be changed to any effect but a refusal', () => {
  const good = ocspFile('good');
  for (let place = 0; place < good.length; place += 1) {
    const changed = Buffer.from(good);
    changed[place] = (changed[place] ?? 0) ^ 0x01;
    if (outcome(changed) !== 'good') continue;
    // A copy of the issuer's certificate comes last, but it is our own that counts.
    assert.ok(good.length - place < 400, `octet ${place} of ${good.length}`);
  }
});

test('whatever comes as a response, judging it neither throws nor finds it good', () => {
  const good = ocspFile('good');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(good.length), (bytes, cut) => {
      assert.notEqual(outcome(Buffer.from(bytes)), 'good');
      assert.notEqual(outcome(good.subarray(0, cut === good.length ? 0 : cut)), 'good');
      assert.notEqual(outcome(Buffer.concat([good, Buffer.from(bytes), Buffer.from([0])])), 'good');
    }),
  );
  assert.equal(outcome(Buffer.alloc(70_000, 0x30)), 'PEM_OCSP_MALFORMED');
});
