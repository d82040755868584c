import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeCertificate } from '../../src/pem/judge.ts';
import type { Judged } from '../../src/pem/types.ts';
import { pemFixture, testCa } from '../support/certificates.ts';

const leaf = pemFixture('chain-leaf.crt');
const intermediate = pemFixture('chain-intermediate.crt');
/** The same name and key, signed by `otherRoot`. */
const cross = pemFixture('chain-intermediate-cross.crt');
const root = pemFixture('chain-root.crt');
const otherRoot = pemFixture('chain-other-root.crt');
const inOrder = leaf + intermediate + root;

function judge(certificatePem: string, privateKeyPem = pemFixture('leaf-1.key')): Judged {
  return judgeCertificate({
    certificatePem,
    privateKeyPem,
    passPhrase: null,
    alias: 'www.chain.test',
    now: Date.now(),
  });
}

/** `[chain, warnings]` of an accepted one, the code of a refused one. */
function outcome(judged: Judged): readonly [string, readonly string[]] | string {
  return judged.ok ? [normal(judged.chainPem), judged.warnings] : judged.code;
}

/** Fixtures come from openssl, which wraps and ends lines as we do. */
const normal = (pem: string) => pem.replaceAll('\r', '');

test('scenario 39: a chain in order stays as it came, and nothing is said', () => {
  for (const chain of [leaf, leaf + intermediate, inOrder]) {
    assert.deepEqual(outcome(judge(chain)), [chain, []]);
  }
});

test('scenario 39: a chain in any other order is put in order, the leaf last too, and it is said', () => {
  const orders = [
    root + intermediate + leaf,
    intermediate + leaf,
    leaf + root + intermediate,
    intermediate + root + leaf,
    root + leaf + intermediate,
  ];
  for (const chain of orders) {
    const wanted = chain.includes(root) ? inOrder : leaf + intermediate;
    assert.deepEqual(outcome(judge(chain)), [wanted, ['CERT_CHAIN_REORDERED']]);
  }
});

test('repetitions are dropped, and it is said', () => {
  assert.deepEqual(outcome(judge(leaf + leaf + intermediate + intermediate + root)), [
    inOrder,
    ['CERT_CHAIN_REORDERED'],
  ]);
});

test('a mended chain is the same certificate as one that came in order', () => {
  const [mended, straight] = [judge(root + intermediate + leaf), judge(inOrder)];
  assert.ok(mended.ok && straight.ok);
  assert.equal(mended.facts.id, straight.facts.id);
});

test('cross-signed issuers behind their leaf stay as they came: which one a client needs is not known here', () => {
  const chain = leaf + intermediate + cross + root + otherRoot;
  assert.deepEqual(outcome(judge(chain)), [chain, []]);
});

test('a certificate that belongs to nothing stays behind its leaf, and it is said', () => {
  const chain = leaf + intermediate + testCa().certificatePem;
  assert.deepEqual(outcome(judge(chain)), [chain, ['CERT_CHAIN_DISORDERED']]);
});

test('an issuer by name alone is none: its signature has to fit', () => {
  // The right name, another key: the chain would verify nowhere.
  const chain = pemFixture('chain-leaf-of-small.crt') + intermediate;
  assert.deepEqual(outcome(judge(chain)), [chain, ['CERT_CHAIN_DISORDERED']]);
});

test('scenario 39: a leaf that is not first among certificates that make no one chain is refused with its place', () => {
  for (const chain of [
    intermediate + cross + leaf,
    testCa().certificatePem + leaf,
    intermediate + leaf + testCa().certificatePem,
  ]) {
    const judged = judge(chain);
    assert.equal(outcome(judged), 'PEM_LEAF_NOT_FIRST');
    assert.match(judged.ok ? '' : judged.reason, /certificate \d of \d/);
  }
});

test('two leaves of one key, neither of them first, are refused: which one is meant cannot be known', () => {
  const chain = root + pemFixture('chain-leaf-of-small.crt') + leaf;
  assert.equal(outcome(judge(chain)), 'PEM_LEAF_NOT_FIRST');
});

test('a chain without the leaf is refused as a key of another certificate', () => {
  assert.equal(outcome(judge(intermediate + root)), 'PEM_KEY_MISMATCH');
});

test('scenario 41: a chain certificate with a key below 2048 bits is refused, whether or not this OpenSSL would serve it', () => {
  const chain = pemFixture('chain-leaf-of-small.crt') + pemFixture('chain-small.crt');
  const judged = judge(chain);
  assert.equal(outcome(judged), 'PEM_CHAIN_KEY_TOO_SMALL');
  assert.match(judged.ok ? '' : judged.reason, /certificate 2/);
});
