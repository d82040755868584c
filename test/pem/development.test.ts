import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { issueCertificate } from '../../src/pem/development.ts';
import { testCa } from '../support/certificates.ts';

test('an issued certificate is signed by its CA and stands for its names and addresses', () => {
  const issued = issueCertificate({ ca: testCa(), names: ['*.apps.example.test', '127.0.0.1'], days: 3 });
  const leaf = new X509Certificate(issued.certificatePem);
  const ca = new X509Certificate(testCa().certificatePem);
  assert.ok(leaf.verify(ca.publicKey));
  assert.ok(leaf.checkIssued(ca));
  assert.equal(leaf.ca, false);
  assert.equal(ca.ca, true);
  assert.equal(leaf.checkHost('a.apps.example.test'), '*.apps.example.test');
  assert.equal(leaf.checkIP('127.0.0.1'), '127.0.0.1');
  assert.ok(issued.chainPem.endsWith(testCa().certificatePem));
  assert.ok(!issued.chainPem.includes('\r'));
});

test('an issued certificate is valid for no longer than any browser grants, its hour before now included', () => {
  const leaf = new X509Certificate(
    issueCertificate({ ca: testCa(), names: ['a.example.test'] }).certificatePem,
  );
  const days = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000;
  assert.equal(days, 397);
  assert.ok(Date.parse(leaf.validFrom) < Date.now());
});
