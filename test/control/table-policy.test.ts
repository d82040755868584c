import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownListenerKeys, tablePolicyOf } from '../../src/control/table-policy.ts';
import { judgeAddress } from '../../src/table/address-policy.ts';
import { config } from './scenery.ts';

test('a listener on every address is ours by each address of the machine and by loopback', () => {
  const keys = ownListenerKeys(
    [
      { host: '::', port: 443 },
      { host: '10.0.0.5', port: 9090 },
      { host: 'localhost', port: 61613 },
    ],
    ['10.0.0.5', '2001:DB8::5', '::ffff:10.0.0.6'],
  );
  for (const key of [
    '10.0.0.5:443',
    '[2001:db8::5]:443',
    '10.0.0.6:443',
    '127.0.0.1:443',
    '[::1]:443',
    '10.0.0.5:9090',
    '127.0.0.1:61613',
  ]) {
    assert.ok(keys.has(key), key);
  }
  assert.equal(keys.has('127.0.0.1:9090'), false);
  const judged = judgeAddress('10.0.0.6', 443, tablePolicyOf(config, keys));
  assert.equal(judged.ok ? null : judged.rejection.code, 'TABLE_ADDRESS_OWN_LISTENER');
});
