import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyIdOf, SEAL_BYTES, seal, unseal } from '../../src/seal/envelope.ts';
import { createKeyRing, masterKeyOf, newKeyText, readKeys } from '../../src/seal/key-ring.ts';
import { resealPem, sealPem, unsealPem } from '../../src/seal/sealed-pem.ts';

const [first, second] = [masterKeyOf(Buffer.alloc(32, 1)), masterKeyOf(Buffer.alloc(32, 2))];
const ring = createKeyRing([first]);
const owner = { app: 'demo/shop', alias: 'www.shop.test', id: 'c0ffee' };
const pem = { chainPem: 'chain\n', keyPem: '-----BEGIN PRIVATE KEY-----\nsecret\n' };

test('what was sealed comes back for its purpose alone, and never twice the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), fc.string(), (plain, purpose, other) => {
      const sealed = seal(ring, purpose, plain);
      assert.equal(sealed.length, plain.length + SEAL_BYTES);
      assert.notDeepEqual(sealed, seal(ring, purpose, plain));
      const opened = unseal(ring, purpose, sealed);
      assert.ok(opened.ok);
      assert.deepEqual([...opened.plain], [...plain]);
      if (other !== purpose) assert.equal(unseal(ring, other, sealed).ok, false);
    }),
    { numRuns: 100 },
  );
});

test('whatever bit of it is changed, and wherever it is cut, it does not open', () => {
  const sealed = seal(ring, 'purpose', Buffer.from('a private key'));
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(unseal(ring, 'purpose', changed).ok, false, `bit ${bit}`);
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.equal(unseal(ring, 'purpose', sealed.subarray(0, length)).ok, false, `length ${length}`);
  }
});

test('random bytes do not open', () => {
  for (let n = 0; n < 100; n += 1) assert.equal(unseal(ring, '', randomBytes(n)).ok, false);
});

test('another key’s bytes are told from broken ones, by the key’s id', () => {
  const sealed = seal(createKeyRing([second]), 'purpose', Buffer.from('x'));
  assert.deepEqual(unseal(ring, 'purpose', sealed), {
    ok: false,
    code: 'SEAL_KEY_MISSING',
    keyId: second.id,
  });
  assert.equal(keyIdOf(sealed), second.id);
});

test('a ring seals with its first key, opens with all, and goes on opening with those that were taken out', () => {
  const rotated = createKeyRing([first]);
  const before = seal(rotated, 'p', Buffer.from('before'));
  rotated.replace([second, first]);
  const after = seal(rotated, 'p', Buffer.from('after'));
  assert.equal(keyIdOf(after), second.id);
  rotated.replace([second]);
  assert.deepEqual(rotated.ids(), [second.id]);
  for (const sealed of [before, after]) assert.ok(unseal(rotated, 'p', sealed).ok);
});

test('a certificate opens for its own application, alias and id alone, and through a rotation', () => {
  const sealed = sealPem(ring, owner, pem);
  assert.equal(sealed.includes('secret'), false);
  assert.deepEqual(unsealPem(ring, owner, sealed), pem);
  for (const other of [{ app: 'demo/other' }, { alias: 'www.other.test' }, { id: 'decaf' }]) {
    assert.equal(unsealPem(ring, { ...owner, ...other }, sealed), null);
    assert.equal(resealPem(ring, { ...owner, ...other }, sealed), null);
  }
  const both = createKeyRing([second, first]);
  const again = resealPem(both, owner, sealed) ?? Buffer.alloc(0);
  assert.deepEqual(unsealPem(createKeyRing([second]), owner, again), pem);
});

test('key files: hex and base64, comments, several keys, and made ones', () => {
  const [a, b] = [Buffer.alloc(32, 3), Buffer.alloc(32, 4)];
  const read = readKeys(`# two keys\n${a.toString('hex')} # current\n\n${b.toString('base64')}\n`);
  assert.ok(read.ok);
  assert.deepEqual(
    read.keys.map(({ id }) => id),
    [masterKeyOf(a).id, masterKeyOf(b).id],
  );
  assert.ok(readKeys(newKeyText()).ok);
  assert.ok(readKeys(`${newKeyText()},${newKeyText()}`).ok);
});

test('what is no key is refused without being quoted', () => {
  for (const text of ['', '# nothing', 'hunter2', `${'ab'.repeat(32)} hunter2`, 'ab'.repeat(31)]) {
    const read = readKeys(text);
    assert.equal(read.ok, false, text);
    assert.ok(!read.ok && !read.reason.includes('hunter2') && read.reason.includes('openssl rand'));
  }
});
