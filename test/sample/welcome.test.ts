import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printWelcome, welcomeCommands } from '../../src/sample/welcome.ts';

const facts = {
  host: 'demo-sample.apps.example.test',
  haHost: 'ha-demo-sample.apps.example.test',
  http: { host: '::', port: 8080 },
  https: { host: '::', port: 8443 },
  admin: { host: '127.0.0.1', port: 9090 },
  intake: { host: '127.0.0.1', port: 61613 },
  caFile: '/srv/headgear/certs/ca.pem',
  folder: '/srv/headgear',
};

test('every command is one line that works in the folder as it stands', () => {
  const commands = welcomeCommands(facts).map(([, command]) => command);
  assert.equal(
    commands[0],
    'curl --cacert certs/ca.pem --resolve demo-sample.apps.example.test:8443:127.0.0.1 https://demo-sample.apps.example.test:8443/',
  );
  assert.ok(commands.includes('curl http://127.0.0.1:9090/table'));
  for (const command of commands) assert.match(command, /^curl [^\n\\]+$/);
});

test('a path that a shell would take apart is quoted, an IPv6 listener bracketed', () => {
  const odd = { ...facts, caFile: "/tmp/it's here/ca.pem", https: { host: '::1', port: 1 } };
  const [first] = welcomeCommands(odd);
  assert.match(first?.[1] ?? '', /--cacert '\/tmp\/it'\\''s here\/ca.pem' --resolve \S+:1:\[::1\] /);
});

test('the welcome holds every command', () => {
  const lines: string[] = [];
  printWelcome(facts, (line) => void lines.push(line));
  for (const [, command] of welcomeCommands(facts)) assert.ok(lines.includes(`  ${command}`));
  assert.ok(lines.every((line) => !line.includes('\n')));
});
