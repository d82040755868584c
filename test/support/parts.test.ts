import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { findPart, skipWithout } from './parts.ts';

describe('looking for real parts', () => {
  const { PATH, TEST_REQUIRE_PARTS } = process.env;
  afterEach(() => {
    process.env.PATH = PATH;
    if (TEST_REQUIRE_PARTS === undefined) delete process.env.TEST_REQUIRE_PARTS;
    else process.env.TEST_REQUIRE_PARTS = TEST_REQUIRE_PARTS;
  });

  it('says which part is missing, and of which package', () => {
    process.env.PATH = '';
    delete process.env.TEST_REQUIRE_PARTS;
    assert.deepEqual(findPart('wrk'), { missing: 'needs wrk (Debian package wrk), which is not installed' });
    assert.equal(skipWithout('wrk'), 'needs wrk (Debian package wrk), which is not installed');
    assert.equal(skipWithout(), false);
  });

  it('does not skip where the parts ought to be there', () => {
    process.env.PATH = '';
    process.env.TEST_REQUIRE_PARTS = '1';
    assert.throws(() => skipWithout('wrk'), /TEST_REQUIRE_PARTS=1, but a test needs wrk/);
  });
});
