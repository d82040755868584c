import assert from 'node:assert/strict';
import { it } from 'node:test';
import { namedFiles, withFiles } from '../../src/config/file-keys.ts';
import { problemText } from '../../src/config/problem.ts';
import { validateConfig } from '../../src/config/validate.ts';

const judge = (rules: unknown, passThrough: object = {}) =>
  validateConfig({
    cloudDomain: 'apps.example.com',
    listeners: { https: [{ port: 443 }] },
    tls: { certificates: [{ certFile: 'c', keyFile: 'k' }] },
    clientCertificates: { rules },
    passThrough,
  });
const problems = (...args: Parameters<typeof judge>): string[] => {
  const judged = judge(...args);
  return judged.ok ? [] : judged.problems.map(problemText);
};
const rule = { names: ['a.example'], mode: 'require', caFile: 'ca.pem' };

it('rules of client certificates name their files, which are looked at and made absolute like all others', () => {
  const judged = judge([{ ...rule, crlFile: 'crl.pem' }]);
  assert.ok(judged.ok);
  const paths = namedFiles(withFiles(judged.config, (file) => `/etc/${file}`))
    .filter(({ path }) => path.startsWith('clientCertificates'))
    .map(({ path, file }) => `${path}=${file}`);
  assert.deepEqual(paths, [
    'clientCertificates.rules[0].caFile=/etc/ca.pem',
    'clientCertificates.rules[0].crlFile=/etc/crl.pem',
  ]);
});

it('rules that contradict each other, or nobody could keep, are refused with their place', () => {
  assert.match(
    problems([rule, rule])[0] ?? '',
    /^clientCertificates\.rules\[1\]\.names\[0\]: a\.example stands in/,
  );
  assert.match(problems([{ ...rule, mode: 'optional' }])[0] ?? '', /^clientCertificates\.rules\[0\]\.mode: /);
  assert.match(
    problems([{ ...rule, forward: ['issuer'] }])[0] ?? '',
    /^clientCertificates\.rules\[0\]\.forward/,
  );
  for (const name of ['a.example', '*.example']) {
    assert.match(
      problems([rule], { rules: [{ names: [name] }] })[0] ?? '',
      /^clientCertificates\.rules\[0\]\.names\[0\]: a\.example is passed through undecrypted/,
      name,
    );
  }
  assert.deepEqual(problems([rule], { rules: [{ names: ['*.a.example'] }] }), []);
});
