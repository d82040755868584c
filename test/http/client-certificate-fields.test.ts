import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientCertificateLines } from '../../src/http/client-certificate-fields.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const linesOf = (subject: string, subjectAltName: string): string =>
  clientCertificateLines(
    { fingerprint256: 'AB:CD', subject, subjectAltName, toString: () => PEM },
    ['dns', 'uri', 'subject', 'hash'],
    true,
  );

test('the element is in Envoy’s order, the subject as in RFC 2253', () => {
  assert.equal(
    linesOf('C=DE\nO=A\\, B\nCN=x', 'DNS:a.example, URI:urn:x, DNS:"b,c", IP Address:127.0.0.1'),
    'X-Forwarded-Client-Cert: Hash=abcd;Subject="CN=x,O=A\\, B,C=DE";URI=urn:x;DNS=a.example;DNS="b,c"\r\n' +
      'X-Forwarded-SSL-Client-Cert: -----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----\r\n',
  );
  assert.equal(
    clientCertificateLines(
      { fingerprint256: '', subject: undefined, subjectAltName: undefined, toString: () => PEM },
      ['subject', 'uri'],
      false,
    ),
    'X-Forwarded-Client-Cert: Subject=""\r\n',
  );
});

/** As a gear would read it: parts between semicolons that no quotes enclose. */
function partsOf(element: string): string[] {
  const parts: string[] = [''];
  let quoted = false;
  for (let i = 0; i < element.length; i++) {
    const char = element[i] ?? '';
    if (char === '\\' && quoted) {
      parts[parts.length - 1] += char + (element[++i] ?? '');
      continue;
    }
    if (char === '"') quoted = !quoted;
    assert.ok(quoted || char !== ',', 'an element of its own');
    if (char === ';' && !quoted) parts.push('');
    else parts[parts.length - 1] += char;
  }
  assert.ok(!quoted, 'an open quote');
  return parts;
}

test('whatever stands in a certificate, it ends no value, no element and no field', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('"', '\\', ';', ',', '=', '\r', '\n', 'Hash=', 'ü', ' ', '\0'))
      .map((all) => all.join('')),
  );
  fc.assert(
    fc.property(nasty, nasty, nasty, (subject, dns, uri) => {
      const lines = linesOf(subject, `DNS:${JSON.stringify(dns)}, URI:${JSON.stringify(uri)}`);
      assert.match(
        lines,
        /^X-Forwarded-Client-Cert: [\x20-\x7e]*\r\nX-Forwarded-SSL-Client-Cert: [\x20-\x7e]*\r\n$/,
      );
      const element = /^X-Forwarded-Client-Cert: (.*)\r\n/.exec(lines)?.[1] ?? '';
      assert.deepEqual(
        partsOf(element).map((part) => part.slice(0, part.indexOf('='))),
        ['Hash', 'Subject', 'URI', 'DNS'],
      );
    }),
  );
});

test('names that are no JSON, against what Node promises, do no harm', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (names) => {
      assert.match(linesOf('', names), /^[\x20-\x7e]*\r\n[\x20-\x7e]*\r\n$/);
    }),
  );
});
