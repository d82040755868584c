import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDialPolicy } from '../../src/stapling/dial-policy.ts';

const PUBLIC = ['93.184.215.14', '8.8.8.8', '172.32.0.1', '2606:4700::6810:84e5', '2a00:1450:4001::1'];
const NOT_PUBLIC = [
  ...[
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.1.2.3',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.9.9',
  ],
  ...[
    '192.168.1.1',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fc00::1',
  ],
  ...[
    'fd00:ec2::254',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
  ],
  ...['2001:db8::1', 'fe80::1%eth0', '2606:4700::1%eth0', 'localhost', '0x7f.1', ''],
];

test('public addresses may be asked on port 80, and nothing else', () => {
  const policy = createDialPolicy([]);
  for (const address of PUBLIC) {
    assert.equal(policy.allows(address, 80), true, address);
    for (const port of [22, 443, 8080, 61613])
      assert.equal(policy.allows(address, port), false, `${address} ${port}`);
  }
  for (const address of NOT_PUBLIC) assert.equal(policy.allows(address, 80), false, address);
});

test('what the operator allows may be asked on any port, and only that', () => {
  const policy = createDialPolicy(['10.20.0.0/16', 'fd12::/64', '127.0.0.1']);
  for (const address of ['10.20.3.4', 'fd12::7', '127.0.0.1'])
    assert.equal(policy.allows(address, 8888), true, address);
  for (const address of ['10.21.0.1', 'fd13::7', '127.0.0.2'])
    assert.equal(policy.allows(address, 80), false, address);
});
