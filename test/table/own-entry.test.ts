import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownEntry } from '../../src/table/own-entry.ts';

describe('what an event names is looked up in what the operator wrote', () => {
  it('and nowhere else, however the name is chosen', () => {
    for (const record of [{}, { 'ns/app': false }]) {
      for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'ns/other'])
        assert.equal(ownEntry(record, name), undefined);
    }
  });

  it('also where it says no', () => {
    assert.equal(ownEntry({ 'ns/app': false }, 'ns/app'), false);
    assert.equal(ownEntry({ 'ns/app': true, 'ns/b': false }, 'ns/app'), true);
  });
});
