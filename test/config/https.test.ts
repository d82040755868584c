import assert from 'node:assert/strict';
import { it } from 'node:test';
import { problemText } from '../../src/config/problem.ts';
import { validateConfig } from '../../src/config/validate.ts';

const judge = (https: unknown) =>
  validateConfig({
    cloudDomain: 'apps.example.com',
    listeners: { https: [{ port: 443 }] },
    tls: { certificates: [{ certFile: 'c', keyFile: 'k' }] },
    https,
  });
const firstProblem = (https: unknown): string => {
  const judged = judge(https);
  return judged.ok ? '' : judged.problems.map(problemText).join('\n');
};

it('a policy of HTTPS is taken as people write it', () => {
  const judged = judge({
    redirect: 308,
    hsts: { maxAgeSeconds: 63_072_000, includeSubDomains: true, preload: true },
    rules: [
      { names: ['Old.Example'], redirect: 'off', hsts: 'off' },
      { applications: ['ns/app'], redirect: 301 },
    ],
  });
  assert.ok(judged.ok, JSON.stringify(judged));
  assert.deepEqual(judged.config.https.exemptPaths, ['/.well-known/acme-challenge/']);
});

it('what could not be meant is refused with its place', () => {
  assert.match(firstProblem({ redirect: 303 }), /^https\.redirect: /);
  assert.match(firstProblem({ hsts: 'on' }), /^https\.hsts/);
  assert.match(firstProblem({ hsts: { maxAgeSeconds: -1 } }), /^https\.hsts/);
  assert.match(
    firstProblem({ hsts: { maxAgeSeconds: 3600, preload: true } }),
    /^https\.hsts\.preload: needs includeSubDomains/,
  );
  assert.match(firstProblem({ exemptPaths: ['/x'] }), /^https\.exemptPaths\[0\]: .*slash/);
  assert.match(firstProblem({ rules: [{}] }), /^https\.rules\[0\]: names nobody/);
  assert.match(
    firstProblem({ rules: [{ applications: ['Ns/App'] }] }),
    /^https\.rules\[0\]\.applications\[0\]: must be written/,
  );
  assert.match(
    firstProblem({ rules: [{ applications: ['ns/app'] }, { applications: ['ns/app'] }] }),
    /^https\.rules\[1\]\.applications\[0\]: ns\/app stands in https\.rules\[0\]\.applications\[0\] already/,
  );
});
