import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyAnswer } from '../../src/probes/classify-answer.ts';

const asked = { host: 'demo-ns.apps.example.test', path: '/health' };
const answerTo = (status: number, location: string | null = null, body = '') =>
  classifyAnswer(asked, { status, location, body }).answer;

test('200 means that the node serves the name', () => {
  assert.equal(answerTo(200, null, '1\n'), 'awake');
  const odd = classifyAnswer(asked, { status: 200, location: null, body: '<html>' });
  assert.equal(odd.answer, 'awake');
  assert.match(odd.detail, /not the health page/);
});

test('a redirect to the same URL means waking, whatever scheme, case or port the node writes', () => {
  for (const location of [
    'http://demo-ns.apps.example.test/health',
    'https://demo-ns.apps.example.test/health',
    'http://Demo-NS.apps.example.test:80/health',
    '/health',
  ])
    assert.equal(answerTo(302, location), 'waking', location);
});

test('a redirect to getting_started means that the node does not have the name', () => {
  assert.equal(answerTo(302, 'http://demo-ns.apps.example.test/getting_started.html'), 'not-here');
  assert.equal(answerTo(302, '/getting_started.html'), 'not-here');
  assert.equal(answerTo(302, 'https://node1.example.test/getting_started.html'), 'not-here');
});

test('any other answer is odd', () => {
  assert.equal(answerTo(302, 'http://other.example.test/health'), 'odd');
  assert.equal(answerTo(302, 'http://demo-ns.apps.example.test/login'), 'odd');
  assert.equal(answerTo(302), 'odd');
  assert.equal(answerTo(302, 'http://[::'), 'odd');
  assert.equal(answerTo(302, 'javascript:alert(1)/getting_started.html'), 'odd');
  assert.equal(answerTo(301, 'https://demo-ns.apps.example.test/health'), 'odd');
  assert.equal(answerTo(503), 'odd');
});

test('what a node sent is printed without control characters and not at length', () => {
  const { detail } = classifyAnswer(asked, {
    status: 301,
    location: `http://x/\u001b[2J\n${'a'.repeat(9_000)}`,
    body: '',
  });
  assert.match(detail, /^[\x20-\x7e]{1,140}$/);
});
