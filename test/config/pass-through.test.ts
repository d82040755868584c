import assert from 'node:assert/strict';
import { it } from 'node:test';
import { problemText } from '../../src/config/problem.ts';
import { validateConfig } from '../../src/config/validate.ts';

const base = {
  cloudDomain: 'apps.example.com',
  listeners: { https: [{ port: 443 }] },
  tls: { certificates: [{ certFile: 'c', keyFile: 'k' }] },
};
const judge = (passThrough: unknown, more: object = {}) => validateConfig({ ...base, ...more, passThrough });
const problems = (passThrough: unknown, more?: object): string[] => {
  const judged = judge(passThrough, more);
  return judged.ok ? [] : judged.problems.map(problemText);
};

it('pass-through rules take names and one-label wildcards, in any case', () => {
  const judged = judge({ rules: [{ names: ['Mail.Example.COM', '*.db.example.com'] }] });
  assert.ok(judged.ok);
  assert.deepEqual(judged.config.passThrough.rules[0]?.names, ['mail.example.com', '*.db.example.com']);
});

it('what is no name, no address, repeated, or ourselves is refused with its place', () => {
  for (const name of ['', '*', '*.', 'a.*.b', '**.b', 'a b', 'a/b', 'a:443', '.a', 'a..b']) {
    assert.match(
      problems({ rules: [{ names: [name] }] })[0] ?? '',
      /^passThrough\.rules\[0\]\.names\[0\]/,
      name,
    );
  }
  const names = ['a.example'];
  assert.match(
    problems({ rules: [{ names, to: [{ address: 'gear.example', port: 443 }] }] })[0] ?? '',
    /^passThrough\.rules\[0\]\.to\[0\]\.address: must be a literal IP address/,
  );
  assert.match(
    problems({ rules: [{ names }, { names }] })[0] ?? '',
    /^passThrough\.rules\[1\]\.names\[0\]: a\.example stands in passThrough\.rules\[0\]\.names\[0\] already/,
  );
  for (const address of ['127.0.0.1', '::1', '127.9.9.9']) {
    assert.match(
      problems({ rules: [{ names, to: [{ address, port: 443 }] }] })[0] ?? '',
      /^passThrough\.rules\[0\]\.to\[0\]: is a listener of this server/,
      address,
    );
  }
  const own = { listeners: { https: [{ host: '10.0.0.1', port: 443 }] } };
  assert.equal(problems({ rules: [{ names, to: [{ address: '10.0.0.1', port: 443 }] }] }, own).length, 1);
  assert.deepEqual(problems({ rules: [{ names, to: [{ address: '127.0.0.1', port: 443 }] }] }, own), []);
});
